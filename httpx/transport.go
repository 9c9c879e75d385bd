package httpx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/internal/hop"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry/span"
	"github.com/seawall-go/seawall/timeout"
)

// Transport is an http.RoundTripper with policies around each request: total limit, retry, hedge, and for each host a
// breaker and limits; and a limit around each attempt. Make it with [NewTransport], or get it from a client of
// [NewClient]:
//
//	t := client.Transport.(*httpx.Transport)
//
// A Transport is safe for concurrent use. A request that succeeds at the first attempt costs less than a microsecond and five
// allocations on top of the base's own, beside those of the context that a base that looks at it asks for.
type Transport struct {
	name string
	base http.RoundTripper
	std  *http.Transport // the base, if it makes connections that are not of its pool; else nil

	opts    atomic.Pointer[settings]
	mu      sync.Mutex // serialises Update
	total   *timeout.Timeout
	retry   *retry.Retry
	calls   *seawall.Pipeline // total limit and retry
	untimed *seawall.Pipeline // for requests with another total limit than the client's, or with none
	hosts   hosts
	recent  recentKey
	open    openBodies
	millis  millisText
	limits  limitCounts
}

// NewTransport makes a Transport around base; nil is a clone of http.DefaultTransport that keeps as many idle
// connections for each host as requests may run at once. The name is a constant of the program, for people, metrics and
// logs. NewTransport panics if cfg is not valid; see [ClientConfig.Validate].
//
// A base that records telemetry, such as otelhttp.NewTransport, sees each attempt.
func NewTransport(name string, cfg ClientConfig, base http.RoundTripper) *Transport {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	cfg = cfg.withDefaults()
	t := &Transport{base: base}
	if base == nil {
		t.base = defaultBase(cfg)
	}
	t.std = dialerOf(t.base)
	t.retry = retry.New(name, cfg.Retry)
	t.name = t.retry.Name()
	t.opts.Store(newSettings(t, cfg))
	t.total = timeout.New(t.name+".total", timeout.Config{Limit: cfg.Timeout, Registry: cfg.Registry})
	t.calls, t.untimed = seawall.Chain(t.total, t.retry), seawall.Chain(t.retry)
	t.hosts.init(t, &cfg)
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
	x := &exchange{opts: t.opts.Load(), req: req, given: req, method: method(req)}
	x.body = newRequestBody(req, x.opts.ReplayBuffer)
	defer x.body.finish()
	var err error
	if x.host, err = t.recent.of(req.URL); err != nil {
		return nil, err
	}
	ctx, recording := span.BeginCall(req.Context())
	s, err := t.call(ctx, x)
	if recording {
		span.Describe(ctx, err)
	}
	if err != nil && usedUp(err) {
		hop.NoteUsedUp(req.Context())
	}
	if s != nil { // also with an error: that is for the policies, and the last response is the caller's
		return s.resp, nil
	}
	if x.told.Load()&noSlot != 0 { // not sooner: retries and hedges know a gate's own error by its type
		err = t.open.explain(x.host, err)
	}
	return nil, markTimeout(err)
}

// call runs the attempts of an exchange under the policies that all hosts share.
func (t *Transport) call(ctx context.Context, x *exchange) (*scope, error) {
	says := overridesOf(ctx)
	x.agree(says)
	x.idempotent = x.mayRepeat(says)
	if says.attempts > 0 {
		ctx = retry.WithMaxAttempts(ctx, says.attempts)
	}
	chain, untimed := t.calls, t.untimed
	var limit *timeout.ExceededError // in the place of the client's
	if t.hosts.hedges != nil && !says.unhedged && x.mayRace() {
		x.hedged = true
		x.detach()
		h := t.hosts.hedges.For(x.host)
		chain, untimed = h.calls, h.untimed
	}
	switch trail := x.terms.trail; {
	case trail != nil:
		chain = untimed
		if trail.total != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadlineCause(ctx, trail.end, trail.total)
			defer cancel()
			limit = trail.total
		}
	case says.timeout != 0:
		chain = untimed
		if says.timeout != Off {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, says.timeout, x.terms.total)
			defer cancel()
			limit = x.terms.total
		}
	case x.opts.Timeout == Off:
		chain = untimed
	}
	s, err := seawall.CallOperation(ctx, chain, x)
	if err != nil && s == nil && limit != nil && errors.Is(err, limit) {
		t.limits.total.Add(1)
		err = &overLimit{limit, err}
	}
	return s, err
}

// mayRace reports whether attempts of a request may run side by side: each has a body of its own, two do not hurt, and
// HedgeIf, which is asked only then, does not mind.
func (x *exchange) mayRace() bool {
	return x.idempotent && x.terms.most != 1 && x.body.copies() && seawall.IsIdempotent(x.req.Context()) &&
		(x.opts.HedgeIf == nil || x.opts.HedgeIf(x.given))
}

// CloseIdleConnections closes the idle connections of the base, if it can do that.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Name returns the name under which the registry knows the client's policies: the given one, or that with a number.
func (t *Transport) Name() string { return t.name }

// String returns such as: transport "catalog".
func (t *Transport) String() string { return fmt.Sprintf("transport %q", t.name) }

// Config returns the configuration with its defaults filled in, but for those of the policies, which have a Config of
// their own.
func (t *Transport) Config() ClientConfig { return t.opts.Load().ClientConfig.detached() }

// Retry returns the policy that repeats requests, with its budget and counts.
func (t *Transport) Retry() *retry.Retry { return t.retry }

// Breakers returns the breakers of the hosts that are remembered, by scheme, host and port, such as
// "https://api.example". A default port is left out.
func (t *Transport) Breakers() iter.Seq2[string, *breaker.Breaker] {
	return named(t.hosts.breakers.All())
}

// Bulkheads returns the bulkheads of the hosts that are remembered, as Breakers does; none if the limits are adaptive.
func (t *Transport) Bulkheads() iter.Seq2[string, *bulkhead.Bulkhead] {
	if t.hosts.bulkheads == nil {
		return func(func(string, *bulkhead.Bulkhead) bool) {}
	}
	return named(t.hosts.bulkheads.All())
}

// Adaptive returns the adaptive bulkheads of the hosts that are remembered, as Breakers does; none if there are none.
func (t *Transport) Adaptive() iter.Seq2[string, *bulkhead.Adaptive] {
	if t.hosts.adaptive == nil {
		return func(func(string, *bulkhead.Adaptive) bool) {}
	}
	return named(t.hosts.adaptive.members.All())
}

// Hedges returns the hedges of the hosts that are remembered, as Breakers does; none if nothing is hedged.
func (t *Transport) Hedges() iter.Seq2[string, *hedge.Hedge] {
	return func(yield func(string, *hedge.Hedge) bool) {
		if t.hosts.hedges == nil {
			return
		}
		for k, h := range t.hosts.hedges.members.All() {
			if !yield(k.String(), h.Hedge) {
				return
			}
		}
	}
}

// OpenBodies returns the responses that were returned, and whose bodies are neither closed nor read to their end, the
// oldest first: those that no limit of the client's ends, either because there is none, or because the base does not look
// at the context of its requests. While there are any of a host, a rejection for want of a slot there says how many, for
// which it looks at all of them.
func (t *Transport) OpenBodies() []OpenBody { return t.open.list() }

// named puts the names of hosts in the place of their keys.
func named[V any](all iter.Seq2[hostKey, V]) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for k, v := range all {
			if !yield(k.String(), v) {
				return
			}
		}
	}
}
