package httpx

import (
	"cmp"
	"iter"
	"net/http"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/internal/keyed"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

// Transport is an http.RoundTripper with policies around each request: total limit, retry, a breaker and a bulkhead for
// each host, attempt limit. Make it with [NewTransport], or get it from a client of [NewClient]:
//
//	t := client.Transport.(*httpx.Transport)
//
// A Transport is safe for concurrent use. A request that succeeds at the first attempt costs some two microseconds and
// 15 small allocations on top of the base's own.
type Transport struct {
	name  string
	cfg   ClientConfig
	base  http.RoundTripper
	plain bool // the base is net/http's own, so what it does not tell its trace did not happen

	retry        *retry.Retry
	calls        *seawall.Pipeline // what all hosts share: total limit and retry
	hosts        *keyed.Map[hostKey, *host]
	totalLimit   error // what ends an attempt's context at the total limit
	attemptLimit error // and at the attempt limit
}

// NewTransport makes a Transport around base; nil is a clone of http.DefaultTransport that keeps as many idle
// connections for each host as requests may run at once. The name is a constant of the program, for people, metrics and
// logs. NewTransport panics if cfg is not valid; see [ClientConfig.Validate].
func NewTransport(name string, cfg ClientConfig, base http.RoundTripper) *Transport {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	t := &Transport{cfg: cfg.withDefaults(), base: base}
	if base == nil {
		t.base = defaultBase(t.cfg)
	}
	_, t.plain = t.base.(*http.Transport)
	t.retry = retry.New(name, t.cfg.Retry)
	t.name = t.retry.Name()
	total := timeout.New(t.name+".total", timeout.Config{Limit: t.cfg.Timeout, Registry: t.cfg.Registry})
	t.calls = seawall.Chain(total, t.retry)
	t.totalLimit = &timeout.ExceededError{Name: total.Name(), Limit: t.cfg.Timeout}
	t.attemptLimit = &timeout.ExceededError{Name: t.name + ".attempt", Limit: t.cfg.AttemptTimeout}
	t.hosts = keyed.NewMap(t.cfg.MaxHosts, t.newHost, t.busy)
	return t
}

func defaultBase(cfg ClientConfig) http.RoundTripper {
	std, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // the program has put its own in that place, and means it
		return http.DefaultTransport
	}
	std = std.Clone()
	// With two, the default, a busy client would close most of its connections after one request each.
	std.MaxIdleConnsPerHost = cmp.Or(cfg.Bulkhead.Limit, 64)
	return std
}

// RoundTrip sends the request through the policies, as often as they allow. The request is left as it is; its body is
// closed, once, on every path.
//
// The error is what the base returned in the last attempt, in a tree that also holds those of the earlier ones; a
// rejection that matches seawall.ErrRejected; an error that matches timeout.ErrExceeded, if a limit of ours has passed;
// or one that matches the cause of the request's context, if that has ended. No text of ours holds a field's value, a
// query or a part of a body.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	x := &exchange{t: t, req: req}
	x.body.init(req)
	defer x.body.finish()
	key, err := keyOf(req.URL)
	if err != nil {
		return nil, err
	}
	x.idempotent = idempotent(req)
	s, err := seawall.Call(req.Context(), t.hosts.Get(key).chain, x.attempt)
	if s != nil { // also with an error: that is for the policies, and the last response is the caller's
		return s.resp, nil
	}
	return nil, markTimeout(err)
}

// CloseIdleConnections closes the idle connections of the base, if it can do that.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Name returns the name under which the registry knows the client's policies: the given one, or that with a number.
func (t *Transport) Name() string { return t.name }

// Config returns the configuration with its defaults filled in, but for those of the policies, which have a Config of
// their own.
func (t *Transport) Config() ClientConfig { return t.cfg }

// Retry returns the policy that repeats requests, with its budget and counts.
func (t *Transport) Retry() *retry.Retry { return t.retry }

// Breakers returns the breakers of the hosts that are remembered, by scheme, host and port, such as
// "https://api.example". A default port is left out.
func (t *Transport) Breakers() iter.Seq2[string, *breaker.Breaker] {
	return func(yield func(string, *breaker.Breaker) bool) {
		for k, h := range t.hosts.All() {
			if !yield(k.String(), h.breaker) {
				return
			}
		}
	}
}

// Bulkheads returns the bulkheads of the hosts that are remembered, as Breakers does.
func (t *Transport) Bulkheads() iter.Seq2[string, *bulkhead.Bulkhead] {
	return func(yield func(string, *bulkhead.Bulkhead) bool) {
		for k, h := range t.hosts.All() {
			if !yield(k.String(), h.bulkhead) {
				return
			}
		}
	}
}
