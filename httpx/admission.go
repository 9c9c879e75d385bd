package httpx

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// AdmissionConfig sets [Admit]. The zero value is an adaptive limit.
type AdmissionConfig struct {
	// Adaptive finds the limit of concurrent requests by itself. Its defaults are those of [bulkhead.AdaptiveConfig], but
	// for Initial, which is 64, and the Queue, which has 256 places and the order [bulkhead.AdaptiveLIFO]: a service that
	// just starts does not know yet what it can, and a queue that stands serves those first who are still there.
	Adaptive bulkhead.AdaptiveConfig `json:"adaptive" yaml:"adaptive"`
	// Fixed limits them by a constant instead, if its Limit is set. Only one of Adaptive, Fixed and Gate may be set.
	Fixed bulkhead.Config `json:"fixed" yaml:"fixed"`
	// Latency is what Adaptive takes for the time of a request. Default [UntilFirstByte]. It has no effect with a Fixed
	// limit.
	Latency Latency `json:"latency" yaml:"latency"`

	// Gate is used in place of a bulkhead of its own: one that a gRPC server of the same program uses as well, or a policy
	// of yours.
	Gate seawall.Gate `json:"-" yaml:"-"`
	// Registry is where the bulkhead enters itself, unless its own configuration says otherwise. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Latency is what an adaptive limit takes for the time of a request.
type Latency uint8

const (
	// UntilFirstByte ends when the response begins. What comes then is up to the size of the response and to its reader:
	// downloads, streams, upgraded connections and slow clients do not make the limit fall.
	UntilFirstByte Latency = iota
	// UntilEnd ends when the handler does. It is for handlers that write as they work, to clients that read.
	UntilEnd
)

var latencyNames = [...]string{"until_first_byte", "until_end"}

// String returns "until_first_byte" or "until_end".
func (l Latency) String() string {
	if int(l) < len(latencyNames) {
		return latencyNames[l]
	}
	return fmt.Sprintf("Latency(%d)", uint8(l))
}

// MarshalText returns the form of String, for configuration files.
func (l Latency) MarshalText() ([]byte, error) {
	if int(l) >= len(latencyNames) {
		return nil, fmt.Errorf("httpx: no such Latency: %d", uint8(l))
	}
	return []byte(latencyNames[l]), nil
}

// UnmarshalText reads the form of String.
func (l *Latency) UnmarshalText(text []byte) error {
	for i, name := range latencyNames {
		if string(text) == name {
			*l = Latency(i)
			return nil
		}
	}
	return fmt.Errorf("httpx: no such Latency: %q, want one of %v", text, latencyNames)
}

// isFixed reports whether the limit is a constant.
func (c AdmissionConfig) isFixed() bool { return c.Fixed.Limit != 0 }

func (c AdmissionConfig) withDefaults() AdmissionConfig {
	switch {
	case c.Gate != nil:
	case c.isFixed():
		if c.Fixed.Registry == nil {
			c.Fixed.Registry = c.Registry
		}
	default:
		if c.Adaptive.Initial == 0 {
			c.Adaptive.Initial = 64
			if c.Adaptive.Max != 0 {
				c.Adaptive.Initial = min(64, c.Adaptive.Max)
			}
			c.Adaptive.Initial = max(c.Adaptive.Initial, c.Adaptive.Min)
		}
		if c.Adaptive.Queue.Limit == 0 {
			c.Adaptive.Queue.Limit = 256
		}
		if c.Adaptive.Queue.Order == 0 {
			c.Adaptive.Queue.Order = bulkhead.AdaptiveLIFO
		}
		if c.Adaptive.Registry == nil {
			c.Adaptive.Registry = c.Registry
		}
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c AdmissionConfig) Validate() error {
	fixed, adaptive := !c.Fixed.Equal(bulkhead.Config{}), !c.Adaptive.Equal(bulkhead.AdaptiveConfig{})
	switch {
	case c.Gate != nil && (fixed || adaptive || c.isFixed()):
		return fmt.Errorf("httpx: AdmissionConfig.Gate is %v, want none, or Fixed and Adaptive zero: a gate of one's own takes their place",
			c.Gate)
	case c.isFixed() && adaptive:
		return fmt.Errorf("httpx: AdmissionConfig.Fixed.Limit is %d, want 0, or Adaptive zero: a limit is fixed or adaptive",
			c.Fixed.Limit)
	case fixed && !c.isFixed():
		return fmt.Errorf("httpx: AdmissionConfig.Fixed.Limit is 0, want at least 1 where Fixed is set")
	case int(c.Latency) >= len(latencyNames):
		return fmt.Errorf("httpx: AdmissionConfig.Latency is %v, want one of %v", c.Latency, latencyNames)
	}
	c = c.withDefaults()
	if c.isFixed() {
		if err := c.Fixed.Validate(); err != nil {
			return fmt.Errorf("httpx: AdmissionConfig.Fixed: %w", err)
		}
	} else if err := c.Adaptive.Validate(); err != nil {
		return fmt.Errorf("httpx: AdmissionConfig.Adaptive: %w", err)
	}
	return nil
}

// Admit returns a middleware that lets as many requests in as the server can handle, lets some wait, and refuses the
// others with a 503 before anything of their body is read.
//
// The request's context goes to the gate: its priority decides who is served ([seawall.WithPriority]), its deadline ends
// a wait that would be in vain, and a client that leaves, leaves the queue. On HTTP/1.1 net/http cannot see that as long
// as the body is unread; then it is the queue's MaxWait that ends the wait. No handler is started past the deadline.
//
// A request has its slot until the handler has returned, the stream of its answer included, also by a panic or
// runtime.Goexit. A status from 500 on, a panic and a time limit are failures; a client that left teaches nothing.
//
// A server that is told to stop is no matter of the gate: what refuses requests then is [Handler.Drain].
//
// Admit panics if cfg is not valid. It costs what the bulkhead does, and one allocation that the middlewares of this
// package share.
func Admit(name string, cfg AdmissionConfig) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	return newAdmission(name, cfg).wrap
}

type admission struct {
	name     string
	gate     seawall.Gate
	untilEnd atomic.Bool // what counts as latency
}

func newAdmission(name string, cfg AdmissionConfig) *admission {
	cfg = cfg.withDefaults()
	a := &admission{name: name, gate: cfg.Gate}
	a.untilEnd.Store(cfg.Latency == UntilEnd)
	switch {
	case a.gate != nil:
	case cfg.isFixed():
		a.gate = bulkhead.New(name, cfg.Fixed)
	default:
		a.gate = bulkhead.NewAdaptive(name, cfg.Adaptive)
	}
	return a
}

func (a *admission) wrap(next http.Handler) http.Handler {
	need("Admit", next)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w, offered := share(rw)
		if w.admitted { // by a gate further out, which the writer tells of the answer
			w, offered = nest(rw)
		}
		ctx := r.Context()
		var err error
		if w.permit, err = a.gate.Acquire(ctx); err != nil {
			w.refuse(http.StatusServiceUnavailable, err)
			return
		}
		w.admitted, w.untilEnd = true, a.untilEnd.Load()
		if isLate(ctx) || ctx.Err() != nil { // while it waited
			err := late(a.name)
			w.permit.Done(err) // first: who does not read its refusal holds no slot
			w.refuse(http.StatusServiceUnavailable, err)
			return
		}
		returned := false
		defer func() { w.permit.Done(w.outcome(ctx, returned)) }()
		next.ServeHTTP(offered, r)
		returned = true
	})
}

// outcome returns how a request has ended, in the form that a gate judges.
func (w *writer) outcome(ctx context.Context, returned bool) error {
	switch {
	case w.refusal != nil:
		return w.refusal // by a gate further in
	case w.phase() >= answered:
		return context.Cause(&w.ctx)
	case ctx.Err() == context.Canceled: // the two errors of a context are never wrapped
		return seawall.ErrCanceled
	case !returned:
		return seawall.ErrAborted
	}
	if status := w.status.Load(); status >= 500 {
		return badStatus(status)
	}
	return nil
}

// badStatus is a response that speaks against the server.
type badStatus int

func (s badStatus) Error() string { return fmt.Sprintf("httpx: status %d", int(s)) }

// Verdict is a failure.
func (badStatus) Verdict() seawall.Verdict { return seawall.Verdict{Outcome: seawall.Failure} }
