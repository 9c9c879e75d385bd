package httpx

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
)

// NoMargin as an InboundConfig.Margin takes nothing off a peer's deadline.
const NoMargin time.Duration = -1

// InboundConfig sets [Inbound]. A zero field is its default.
type InboundConfig struct {
	// Margin is taken off the time that a peer gives, for the way back: a full answer that comes a moment too late is work
	// in vain. Default 10 ms; at least 1 ms, or [NoMargin]. It is never more than a tenth of the time.
	Margin time.Duration `json:"margin" yaml:"margin"`
	// Fields are the names of the fields that are read, and of the one in which answers say what a repeat of the request
	// would do.
	Fields Fields `json:"fields" yaml:"fields"`

	// TrustPeer says whether a request comes from a peer that is believed about its deadline, priority and attempt.
	// Default nil: none is. It is asked only about requests that say something of these. See [TrustCIDR],
	// [TrustClientCert], [TrustLoopback] and [TrustAll].
	TrustPeer func(*http.Request) bool `json:"-" yaml:"-"`
	// Priority is how important a request is of which no trusted peer says so. Default nil: [seawall.Critical]. 0 is
	// the default as well.
	Priority func(*http.Request) seawall.Priority `json:"-" yaml:"-"`
	// User is for whom a request is made, see [seawall.WithUser]: admission can then serve or refuse all calls of one
	// user alike. Default nil: not known. "" is not known either.
	User func(*http.Request) string `json:"-" yaml:"-"`
	// Registry is where the middleware enters itself. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

func (c InboundConfig) withDefaults() InboundConfig {
	if c.Margin == 0 {
		c.Margin = 10 * time.Millisecond
	}
	c.Fields = c.Fields.withDefaults()
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c InboundConfig) Validate() error {
	if c.Margin != 0 && c.Margin != NoMargin && c.Margin < time.Millisecond {
		return fmt.Errorf("httpx: InboundConfig.Margin is %v, want at least 1ms, or NoMargin", c.Margin)
	}
	if err := c.Fields.Validate(); err != nil {
		return fmt.Errorf("httpx: InboundConfig.Fields: %w", err)
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, functions and registries left aside.
func (c InboundConfig) Equal(other InboundConfig) bool {
	return ServerConfig{Inbound: c}.Equal(ServerConfig{Inbound: other})
}

// Inbound returns a middleware that takes over what a request says of itself: how much time its caller has left, which
// attempt it is, and how important. Only peers that are trusted are believed, and what they say is clamped: a timeout
// to 24 hours, an attempt to 1000, a priority to one of the four levels. What is not understood is ignored.
//
// The time that is left becomes the deadline of the request's context, and ends it with context.DeadlineExceeded. A
// request whose deadline has passed gets a 503, and no handler is started. To a peer that is believed an answer that is no
// good says final, if a client of this package has used up its attempts for it; a [Handler] and [TimeLimit] say so to all.
//
// Inbound panics if cfg is not valid. A request that says nothing costs some tens of nanoseconds and no allocation.
func Inbound(name string, cfg InboundConfig) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	in := newInbound(name, cfg)
	seawall.Register(cfg.Registry, "inbound", &in.name, in)
	return in.wrap
}

type inbound struct {
	name string
	part bool                          // of a Handler, which says final itself
	cfg  atomic.Pointer[InboundConfig] // with its defaults

	believed, tooLate atomic.Int64
}

func newInbound(name string, cfg InboundConfig) *inbound {
	in := &inbound{name: name}
	cfg = cfg.withDefaults()
	in.cfg.Store(&cfg)
	return in
}

// Config is for debug pages.
func (in *inbound) Config() InboundConfig { return *in.cfg.Load() }

func (in *inbound) wrap(next http.Handler) http.Handler {
	need("Inbound", next)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if name := in.cfg.Load().Fields.Pushback; name != pushbackField(rw) {
			var w *writer
			w, rw = share(rw)
			w.field = name
		}
		ctx, cancel := in.context(r)
		if cancel != nil {
			defer cancel()
		}
		if isLate(ctx) {
			in.tooLate.Add(1)
			w, _ := share(rw)
			w.refuse(http.StatusServiceUnavailable, late(in.name))
			return
		}
		if ctx == r.Context() {
			next.ServeHTTP(rw, r)
			return
		}
		if !in.part {
			var w *writer
			w, rw = share(rw)
			ctx = w.noting(ctx)
		}
		req := r.WithContext(ctx)
		defer func() { r.Pattern, r.MultipartForm = req.Pattern, req.MultipartForm }() // the server looks at its own
		next.ServeHTTP(rw, req)
	})
}

// context returns the request's context with what is known about it. cancel may be nil.
func (in *inbound) context(r *http.Request) (ctx context.Context, cancel context.CancelFunc) {
	ctx = r.Context()
	cfg := in.cfg.Load()
	var facts peerFacts
	if cfg.TrustPeer != nil && cfg.Fields.hasFacts(r.Header) && cfg.TrustPeer(r) {
		in.believed.Add(1)
		facts = cfg.Fields.incoming(r.Header)
	}
	if facts.priority == 0 && cfg.Priority != nil {
		facts.priority = cfg.Priority(r)
	}
	if facts.attempt > 1 {
		ctx = seawall.WithAttempt(ctx, facts.attempt)
	}
	if facts.priority != 0 {
		ctx = seawall.WithPriority(ctx, facts.priority)
	}
	if cfg.User != nil {
		if user := cfg.User(r); user != "" {
			ctx = seawall.WithUser(ctx, user)
		}
	}
	if facts.timeout > 0 {
		margin := min(max(0, cfg.Margin), facts.timeout/10)
		// This is the caller's deadline, so its error is the one that callers' deadlines have.
		ctx, cancel = context.WithTimeout(ctx, facts.timeout-margin)
	}
	return ctx, cancel
}

// isLate reports whether the deadline of a request has passed. Its context may be behind the clock.
func isLate(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) <= 0
}

// late is the rejection of a request that has come, or had its turn, after its deadline.
func late(name string) error {
	return seawall.Reject(handlerKind, name, seawall.ReasonDeadline, seawall.ErrRejected, 0)
}

// Snapshot returns the counts in the form of the registry.
func (in *inbound) Snapshot() seawall.Snapshot {
	return seawall.Snapshot{Kind: "inbound", Name: in.name, Values: in.values()}
}

func (in *inbound) values() []seawall.Value {
	return []seawall.Value{
		{Name: "believed", V: float64(in.believed.Load())},
		{Name: "too_late", V: float64(in.tooLate.Load())},
	}
}
