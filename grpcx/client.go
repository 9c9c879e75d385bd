package grpcx

import (
	"cmp"
	"fmt"
	"iter"
	"sync/atomic"
	"time"
	"unique"

	"google.golang.org/grpc"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/internal/keyed"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

const clientKind = "client"

// DialOptions returns what puts a [Client] of cfg around the calls of a connection:
//
//	conn, err := grpc.NewClient(target, append(grpcx.DialOptions("catalog", cfg), creds)...)
//
// It is NewClient(name, cfg).DialOptions(). The name is a constant of the program, for people, metrics and logs.
// DialOptions panics if cfg is not valid; see [ClientConfig.Validate].
func DialOptions(name string, cfg ClientConfig) []grpc.DialOption {
	return NewClient(name, cfg).DialOptions()
}

// Client is the policies around the calls of connections: total limit, retry, hedge, a breaker and bulkheads for each
// target and group of methods, attempt limit. Make it with [NewClient]. Connections that share one share its retry
// budget; each target has breakers of its own. It is safe for concurrent use.
//
// A unary call that succeeds at the first attempt costs some one and a half microseconds and five small allocations
// more than the same call with a deadline.
type Client struct {
	name    string
	cfg     ClientConfig
	methods *methodTable
	total   *timeout.Timeout // of the methods without one of their own
	retry   *retry.Retry
	hedge   *hedge.Hedge // nil if no call is hedged
	groups  *keyed.Map[unique.Handle[groupKey], *group]

	alone atomic.Bool // grpc-go's own retry is off, by our DialOptions
}

// NewClient makes a Client. Its name is a constant of the program, for people, metrics and logs. It panics if cfg is not
// valid; see [ClientConfig.Validate].
func NewClient(name string, cfg ClientConfig) *Client {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	c := &Client{cfg: cfg.withDefaults()}
	c.retry = retry.New(name, c.cfg.Retry)
	c.name = c.retry.Name()
	c.total = c.newTotal("", c.cfg.Timeout)
	if c.hedges() {
		c.hedge = hedge.New(c.name, sharing(c.cfg.Hedge, c.retry.Budget()))
	}
	c.methods = newMethodTable(c.cfg.Methods, c.newRules)
	c.groups = keyed.NewMap(c.cfg.MaxGroups,
		func(k unique.Handle[groupKey]) *group { return c.newGroup(k.Value()) }, c.busy)
	return c
}

// hedges reports whether any call is hedged.
func (c *Client) hedges() bool {
	if c.cfg.Hedging == HedgeIdempotent {
		return true
	}
	for _, m := range c.cfg.Methods {
		if m.Hedging == HedgeIdempotent {
			return true
		}
	}
	return false
}

// sharing lets hedges be paid for by the budget of the retries, unless the configuration says by what.
func sharing(cfg hedge.Config, budget *seawall.Budget) hedge.Config {
	own := cfg.Budget != nil || cfg.BudgetConfig != (seawall.BudgetConfig{})
	if cfg.Funding != hedge.FromBudget || own || budget == nil {
		return cfg
	}
	cfg.Budget = budget
	return cfg
}

// newTotal makes the total limit of the methods of a pattern.
func (c *Client) newTotal(pattern string, limit time.Duration) *timeout.Timeout {
	name := c.name + ".total"
	if pattern != "" {
		name += " " + pattern
	}
	return timeout.New(name, timeout.Config{Limit: limit, Registry: c.cfg.Registry})
}

// newRules makes the rules of a pattern, or of the methods without one.
func (c *Client) newRules(pattern string, m MethodConfig) *rules {
	r := &rules{
		idempotency: cmp.Or(m.Idempotency, FromProto), group: m.Group, total: c.total,
		attemptTimeout: cmp.Or(m.AttemptTimeout, c.cfg.AttemptTimeout),
		retryCodes:     m.RetryCodes, hedging: cmp.Or(m.Hedging, c.cfg.Hedging),
	}
	if r.retryCodes == nil {
		r.retryCodes = c.cfg.RetryCodes
	}
	if m.Timeout != 0 && m.Timeout != c.cfg.Timeout {
		r.total = c.newTotal(pattern, m.Timeout)
	}
	r.limits = limits{attempt: c.attemptLimit(r.attemptTimeout), total: exceeded(r.total)}
	return r
}

func exceeded(total *timeout.Timeout) error {
	return &timeout.ExceededError{Name: total.Name(), Limit: total.Config().Limit}
}

func (c *Client) attemptLimit(d time.Duration) error {
	return &timeout.ExceededError{Name: c.name + ".attempt", Limit: d}
}

// DialOptions returns the options that put the Client around the calls of a connection. They chain its interceptors behind
// those given before, and turn off the retries of grpc-go's own service config, because two loops multiply. What remains
// is its transparent repeat of calls that a server has provably not processed.
func (c *Client) DialOptions() []grpc.DialOption {
	c.alone.Store(true)
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(c.UnaryInterceptor()),
		grpc.WithChainStreamInterceptor(c.StreamInterceptor()),
		grpc.WithDisableRetry(),
	}
}

// UnaryInterceptor returns the interceptor for unary calls, for programs that put theirs together by hand. It belongs
// inside of those that are to see one call, and outside of those that are to see each attempt. The retries of grpc-go's
// own service config are to be off, by grpc.WithDisableRetry; see [Client.Lint].
func (c *Client) UnaryInterceptor() grpc.UnaryClientInterceptor { return c.unary }

// StreamInterceptor returns the interceptor for streams, as UnaryInterceptor does.
func (c *Client) StreamInterceptor() grpc.StreamClientInterceptor { return c.stream }

// Name returns the name under which the registry knows the client's policies: the given one, or that with a number.
func (c *Client) Name() string { return c.name }

// String returns such as: client "catalog".
func (c *Client) String() string { return fmt.Sprintf("%s %q", clientKind, c.name) }

// Config returns the configuration with its defaults filled in, but for those of the policies, which have a Config of
// their own.
func (c *Client) Config() ClientConfig { return c.cfg.withDefaults() }

// Retry returns the policy that repeats calls, with its budget and counts.
func (c *Client) Retry() *retry.Retry { return c.retry }

// Hedge returns the policy that starts second attempts, nil if no method has it.
func (c *Client) Hedge() *hedge.Hedge { return c.hedge }

// Breakers returns the breakers that are remembered, by target and group, such as "dns:///catalog:443
// catalog.v1.Catalog".
func (c *Client) Breakers() iter.Seq2[string, *breaker.Breaker] {
	return func(yield func(string, *breaker.Breaker) bool) {
		for k, g := range c.groups.All() {
			if !yield(k.Value().String(), g.breaker) {
				return
			}
		}
	}
}

// Bulkheads returns the bulkheads of unary calls that are remembered, as Breakers does.
func (c *Client) Bulkheads() iter.Seq2[string, *bulkhead.Bulkhead] {
	return func(yield func(string, *bulkhead.Bulkhead) bool) {
		for k, g := range c.groups.All() {
			if !yield(k.Value().String(), g.bulkhead) {
				return
			}
		}
	}
}

// StreamBulkheads returns the bulkheads of streams that are remembered, as Breakers does.
func (c *Client) StreamBulkheads() iter.Seq2[string, *bulkhead.Bulkhead] {
	return func(yield func(string, *bulkhead.Bulkhead) bool) {
		for k, g := range c.groups.All() {
			if !yield(k.Value().String(), g.streams) {
				return
			}
		}
	}
}
