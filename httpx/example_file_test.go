package httpx_test

import (
	"fmt"
	"log/slog"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/policyfile"
)

// The numbers of a client come from a file, and follow it. What a file cannot say is in the base.
func ExampleTransport_Update_fromFile() {
	registry := &seawall.Registry{}
	registry.SetLogger(slog.New(slog.DiscardHandler))
	base := httpx.ClientConfig{TrustPeer: httpx.TrustLoopback, Registry: registry}
	load := func(file string) (httpx.ClientConfig, error) {
		return policyfile.Decode([]byte(file), "clients.prices", base)
	}

	cfg, err := load("clients:\n  prices: {timeout: 2s, attempt_timeout: 500ms, retry: {max_attempts: 2}}")
	if err != nil {
		fmt.Println(err)
		return
	}
	transport := httpx.NewTransport("prices", cfg, nil)
	fmt.Println(transport.Config().Timeout, transport.Config().IdleTimeout == httpx.Off)

	for _, file := range []string{
		"clients:\n  prices:\n    timeout: 2\n    atempt_timeout: 1s",
		"clients:\n  prices: {timeout: off, idle_timeout: 5s}",
	} {
		cfg, err := load(file)
		if err == nil {
			err = transport.Update(cfg)
		}
		if err != nil {
			fmt.Println(err) // the old numbers stay
			continue
		}
		fmt.Println(transport.Config().Timeout == httpx.Off, transport.Config().IdleTimeout)
	}
	// Output:
	// 2s true
	// line 3: clients.prices.timeout is 2, want a duration such as 500ms, or off
	// line 4: clients.prices.atempt_timeout is unknown: did you mean attempt_timeout? (timeout, attempt_timeout, attempt_span, idle_timeout, retry, hedge, hedge_other_conn, breaker, bulkhead, adaptive, rate_limit, max_hosts, settle, keys, replay_buffer, fields)
	// true 5s
}
