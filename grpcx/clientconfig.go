package grpcx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/retry"
)

// ClientConfig sets a [Client]. The zero value is a good client for most services; a zero field is its default.
type ClientConfig struct {
	// Timeout is the total limit: for all attempts of a unary call and the waits between them, and for a stream until its
	// first answer. Default 30 s; at least 1 ms, or [Off]. From its first answer on a stream has the caller's deadline
	// only, and so may be a watch that lasts for days.
	Timeout time.Duration `json:"timeout" yaml:"timeout"`
	// AttemptTimeout is how long one attempt of a unary call may take. Default 10 s; at least 1 ms, or [Off]. The server
	// is told as grpc-timeout. A stream of answers to one request has it until the first of them. A stream on which the
	// client sends has it while it is opened, and where one answer ends it, from CloseSend to that: what comes between is
	// up to what the client sends. A call that waits for a connection, by grpc.WaitForReady or by the service config, has
	// none while it waits, so a unary one has none at all. Too short a limit turns a slow service into a failing one, and
	// multiplies its load by the attempts.
	AttemptTimeout time.Duration `json:"attempt_timeout" yaml:"attempt_timeout"`
	// Retry sets the retries. There is one for the client, so all targets and methods share its budget. By default a call
	// has 3 attempts, with full jitter between them, and the budget is a tenth of the successes. Its MaxRetryAfter is the
	// longest wait that a server can ask for.
	Retry retry.Config `json:"retry" yaml:"retry"`
	// RetryCodes are codes that are repeated for idempotent calls beside those of the package's table, such as INTERNAL
	// or ABORTED. Default none. They do not change what the code says about the server.
	RetryCodes []codes.Code `json:"retry_codes" yaml:"retry_codes"`
	// Hedge starts a second attempt of a unary call of an idempotent method that is late. Default nil, which is off; an
	// empty one is the default of [hedge.Config]. The estimate of the latency is one for each entry of Methods, and one for
	// the rest. Without a Budget of its own it shares that of Retry. The attempts run in goroutines of their own, each with
	// a reply of its own; the request is not to be changed after the call, as an attempt that has lost may still read it.
	Hedge *hedge.Config `json:"hedge,omitempty" yaml:"hedge,omitempty"`
	// Breaker sets the circuit breakers: one for each target and group of methods. Its Slow.Over is by default nine
	// tenths of AttemptTimeout here, and [breaker.NoSlowCalls] where AttemptTimeout is Off or above its default. The time
	// of a stream is that until its first answer.
	Breaker breaker.Config `json:"breaker" yaml:"breaker"`
	// Bulkhead limits the concurrent unary calls to each target and group of methods. By default 64 run at once, 64 more
	// wait up to 1 s each, and what comes on top is refused.
	Bulkhead bulkhead.Config `json:"bulkhead" yaml:"bulkhead"`
	// StreamBulkhead limits the open streams to each target and group of methods. Its Limit is 1000 by default here. A
	// stream holds its slot to its end.
	StreamBulkhead bulkhead.Config `json:"stream_bulkhead" yaml:"stream_bulkhead"`
	// StreamSettle is how long after its first answer a stream that still runs is a success to the breaker. Default 5 s;
	// at least 1 ms, or [AtEnd]. With AtEnd, streams that last longer than Breaker.Probes.Timeout cannot prove that a
	// server has recovered: as probes of a breaker they have hung.
	StreamSettle time.Duration `json:"stream_settle" yaml:"stream_settle"`
	// Methods sets single methods and groups of them, by full name, such as /catalog.v1.Catalog/GetItem, or by a
	// beginning that ends with *, such as /catalog.v1.Catalog/Get* or /catalog.v1.Catalog/*. Of several that match the
	// longest counts, and the full name before all; they are not merged.
	Methods map[string]MethodConfig `json:"methods" yaml:"methods"`
	// MaxGroups is how many pairs of target and group are remembered, with their breakers and bulkheads. Default 1000; 1 to
	// 1,000,000. Those whose breaker is not closed, or that have calls in flight, are kept in addition, and do not count.
	MaxGroups int `json:"max_groups" yaml:"max_groups"`

	// TrustPeer says whether a server is believed when it says that it has refused a call before it did anything
	// (seawall-pushback: refused): then it is repeated even if it is not idempotent. Default: none is. It is asked only after
	// such an answer. The peer and its identity are in the context, see google.golang.org/grpc/peer. See also [TrustAll]
	// and [TrustLoopback].
	TrustPeer func(context.Context) bool `json:"-" yaml:"-"`
	// Registry is where the policies enter themselves, unless their own Config names another. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// MethodConfig sets the methods of a pattern in [ClientConfig].Methods. A zero field is what the ClientConfig says.
type MethodConfig struct {
	// Idempotency says whether the methods may be carried out twice. Default [FromProto].
	Idempotency Idempotency `json:"idempotency" yaml:"idempotency"`
	// Group names the methods that share a breaker and bulkheads. Default the service, such as catalog.v1.Catalog.
	Group string `json:"group" yaml:"group"`
	// Timeout and AttemptTimeout are as in the ClientConfig.
	Timeout        time.Duration `json:"timeout" yaml:"timeout"`
	AttemptTimeout time.Duration `json:"attempt_timeout" yaml:"attempt_timeout"`
	// RetryCodes takes the place of the ClientConfig's, if it is not nil.
	RetryCodes []codes.Code `json:"retry_codes" yaml:"retry_codes"`
	// Hedge is as in the ClientConfig; with MaxAttempts 1 the methods are not hedged.
	Hedge *hedge.Config `json:"hedge,omitempty" yaml:"hedge,omitempty"`
}

// Idempotency says whether a method may be carried out twice.
type Idempotency string

const (
	// FromProto goes by the option idempotency_level of the method in its proto file, as far as the program knows that:
	// NO_SIDE_EFFECTS and IDEMPOTENT may. A method that says nothing, or is not known, may not. It is the default.
	FromProto Idempotency = "from_proto"
	// Idempotent methods may.
	Idempotent Idempotency = "idempotent"
	// NotIdempotent methods may not, whatever their proto file says.
	NotIdempotent Idempotency = "not_idempotent"
)

// AtEnd as ClientConfig.StreamSettle tells the breaker about a stream at its end only.
const AtEnd time.Duration = -1

const (
	defaultAttemptTimeout = 10 * time.Second
	defaultStreams        = 1000
)

func (c ClientConfig) withDefaults() ClientConfig {
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.AttemptTimeout == 0 {
		c.AttemptTimeout = defaultAttemptTimeout
	}
	if c.StreamBulkhead.Limit == 0 {
		c.StreamBulkhead.Limit = defaultStreams
	}
	if c.StreamSettle == 0 {
		c.StreamSettle = 5 * time.Second
	}
	if c.MaxGroups == 0 {
		c.MaxGroups = 1000
	}
	if c.TrustPeer == nil {
		c.TrustPeer = trustNobody
	}
	if c.Retry.Registry == nil {
		c.Retry.Registry = c.Registry
	}
	c.RetryCodes = slices.Clone(c.RetryCodes)
	c.Hedge = copied(c.Hedge)
	c.Methods = maps.Clone(c.Methods)
	for pattern, m := range c.Methods {
		m.RetryCodes = slices.Clone(m.RetryCodes)
		m.Hedge = copied(m.Hedge)
		c.Methods[pattern] = m
	}
	return c
}

func copied(h *hedge.Config) *hedge.Config {
	if h == nil {
		return nil
	}
	c := *h
	return &c
}

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
	if d := c.StreamSettle; d != 0 && d != AtEnd && d < time.Millisecond {
		return fmt.Errorf("grpcx: ClientConfig.StreamSettle is %v, want at least 1ms, or AtEnd", d)
	}
	if c.MaxGroups < 0 || c.MaxGroups > 1_000_000 {
		return fmt.Errorf("grpcx: ClientConfig.MaxGroups is %d, want 1 to 1000000", c.MaxGroups)
	}
	if err := validateCodes("ClientConfig.RetryCodes", c.RetryCodes); err != nil {
		return err
	}
	for _, pattern := range slices.Sorted(maps.Keys(c.Methods)) {
		if err := validatePattern(pattern); err != nil {
			return fmt.Errorf("grpcx: ClientConfig.Methods has %q, want %w", pattern, err)
		}
		if err := c.Methods[pattern].validate(fmt.Sprintf("ClientConfig.Methods[%q].", pattern)); err != nil {
			return err
		}
	}
	return errors.Join(
		within("ClientConfig.Retry", c.Retry.Validate()),
		validateHedge("ClientConfig.Hedge", c.Hedge),
		within("ClientConfig.Breaker", c.Breaker.Validate()),
		within("ClientConfig.Bulkhead", c.Bulkhead.Validate()),
		within("ClientConfig.StreamBulkhead", c.StreamBulkhead.Validate()),
	)
}

// within says in which field an error of a policy's own configuration is.
func within(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("grpcx: %s: %w", field, err)
}

func (m MethodConfig) validate(at string) error {
	switch m.Idempotency {
	case "", FromProto, Idempotent, NotIdempotent:
	default:
		return fmt.Errorf("grpcx: %sIdempotency is %q, want %q, %q or %q",
			at, m.Idempotency, FromProto, Idempotent, NotIdempotent)
	}
	return errors.Join(
		validateLimit(at+"Timeout", m.Timeout),
		validateLimit(at+"AttemptTimeout", m.AttemptTimeout),
		validateHedge(at+"Hedge", m.Hedge),
		validateCodes(at+"RetryCodes", m.RetryCodes),
	)
}

func validateHedge(field string, h *hedge.Config) error {
	if h == nil {
		return nil
	}
	return within(field, h.Validate())
}

func validateCodes(field string, list []codes.Code) error {
	for i, code := range list {
		if code == codes.OK || code > codes.Unauthenticated {
			return fmt.Errorf("grpcx: %s[%d] is %v, want a code of gRPC other than OK", field, i, code)
		}
	}
	return nil
}
