package httpx

import (
	"fmt"
	"net/http"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/retry"
)

// ClientConfig sets a [Transport]. The zero value is a good client for most services; a zero field is its default.
type ClientConfig struct {
	// Timeout is the total limit: for all attempts and the waits between them, and for reading the body of the response.
	// Default 30 s; at least 1 ms, or [Off]. With Off, and without a deadline of the caller, a body that never ends
	// holds its reader for ever.
	Timeout time.Duration `json:"timeout" yaml:"timeout"`
	// AttemptTimeout is how long one attempt may take until the headers of its response are there, the connection
	// included. Default 10 s; at least 1 ms, or [Off]. The body may take longer. Too short a limit turns a slow service
	// into a failing one, and multiplies its load by the attempts.
	AttemptTimeout time.Duration `json:"attempt_timeout" yaml:"attempt_timeout"`
	// Retry sets the retries. There is one for the client, so all hosts share its budget.
	Retry retry.Config `json:"retry" yaml:"retry"`
	// Breaker sets the circuit breakers: one for each scheme, host and port. Its Slow.Over is by default nine tenths of
	// AttemptTimeout here, and [breaker.NoSlowCalls] where AttemptTimeout is Off or above its default: whoever raises it has
	// uploads or long polls, which take long by their nature.
	Breaker breaker.Config `json:"breaker" yaml:"breaker"`
	// Bulkhead limits the concurrent requests to each scheme, host and port, until their response headers are there.
	Bulkhead bulkhead.Config `json:"bulkhead" yaml:"bulkhead"`
	// MaxHosts is how many hosts are remembered, with their breakers and bulkheads. Default 1000; at least 1. Hosts whose
	// breaker is not closed, or that have requests in flight, are kept in addition, and do not count.
	MaxHosts int `json:"max_hosts" yaml:"max_hosts"`

	// TrustPeer says whether the server of a request is believed when it says that it has refused the request before it
	// did anything (Seawall-Pushback: refused): then even a POST is repeated. Default: none is. It is asked only after
	// such an answer. See [TrustAll] and [TrustLoopback].
	TrustPeer func(*http.Request) bool `json:"-" yaml:"-"`
	// Registry is where the policies enter themselves, unless their own Config names another. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

func (c ClientConfig) withDefaults() ClientConfig {
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.AttemptTimeout == 0 {
		c.AttemptTimeout = defaultAttemptTimeout
	}
	if c.Breaker.Slow.Over == 0 {
		c.Breaker.Slow.Over = slowOver(c.AttemptTimeout)
	}
	if c.MaxHosts == 0 {
		c.MaxHosts = 1000
	}
	if c.TrustPeer == nil {
		c.TrustPeer = trustNobody
	}
	if c.Retry.Registry == nil {
		c.Retry.Registry = c.Registry
	}
	if c.Breaker.Registry == nil {
		c.Breaker.Registry = c.Registry
	}
	if c.Bulkhead.Registry == nil {
		c.Bulkhead.Registry = c.Registry
	}
	return c
}

const defaultAttemptTimeout = 10 * time.Second

// slowOver is from when on a call is slow that may take so long.
func slowOver(attempt time.Duration) time.Duration {
	if attempt == Off || attempt > defaultAttemptTimeout {
		return breaker.NoSlowCalls
	}
	return max(time.Millisecond, attempt-attempt/10)
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c ClientConfig) Validate() error {
	if err := validateLimit("ClientConfig.Timeout", c.Timeout); err != nil {
		return err
	}
	if err := validateLimit("ClientConfig.AttemptTimeout", c.AttemptTimeout); err != nil {
		return err
	}
	if c.MaxHosts < 0 {
		return fmt.Errorf("httpx: ClientConfig.MaxHosts is %d, want at least 1", c.MaxHosts)
	}
	if err := c.Retry.Validate(); err != nil {
		return fmt.Errorf("httpx: ClientConfig.Retry: %w", err)
	}
	if err := c.Breaker.Validate(); err != nil {
		return fmt.Errorf("httpx: ClientConfig.Breaker: %w", err)
	}
	if err := c.Bulkhead.Validate(); err != nil {
		return fmt.Errorf("httpx: ClientConfig.Bulkhead: %w", err)
	}
	return nil
}
