package httpx

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/timeout"
)

// TimeLimitConfig sets [TimeLimit]. A zero field is its default.
type TimeLimitConfig struct {
	// FirstByte is how long the handler may take until it begins its response. Default 30 s; at least 1 ms, or [Off].
	// Once the response has begun this limit is gone, so downloads, streams of events and upgraded connections take as
	// long as they take.
	FirstByte time.Duration `json:"first_byte" yaml:"first_byte"`
	// Idle is how long a response that has begun may stand still: between two writes, or in one, because the client does
	// not read: 64 KiB of a large write or of a file are to go out in this time. Default [Off]; at least 1 ms. Streams need
	// a heartbeat then.
	Idle time.Duration `json:"idle" yaml:"idle"`
	// Total is how long the whole may take, the response included. Default [Off]; at least 1 ms. It cuts off downloads
	// and streams that are longer. A connection that was hijacked is left alone by every limit. A FirstByte that is set must
	// not be longer.
	Total time.Duration `json:"total" yaml:"total"`
	// Exempt are the routes without limits of ours, as patterns of http.ServeMux, such as "GET /export/". The deadline of
	// a trusted peer holds there as well. Default none.
	Exempt []string `json:"exempt" yaml:"exempt"`

	// Registry is where the middleware enters itself. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

func (c TimeLimitConfig) withDefaults() TimeLimitConfig {
	if c.FirstByte == 0 {
		c.FirstByte = 30 * time.Second
	}
	if c.Idle == 0 {
		c.Idle = Off
	}
	if c.Total == 0 {
		c.Total = Off
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c TimeLimitConfig) Validate() error {
	if err := validateLimit("TimeLimitConfig.FirstByte", c.FirstByte); err != nil {
		return err
	}
	if err := validateLimit("TimeLimitConfig.Idle", c.Idle); err != nil {
		return err
	}
	if err := validateLimit("TimeLimitConfig.Total", c.Total); err != nil {
		return err
	}
	if c.Total > 0 && c.FirstByte > c.Total {
		return fmt.Errorf("httpx: TimeLimitConfig.FirstByte is %v, want at most Total, which is %v", c.FirstByte, c.Total)
	}
	return validateRoutes("TimeLimitConfig.Exempt", c.Exempt)
}

// Equal reports whether two configurations mean the same: their defaults filled in, the registry left aside.
func (c TimeLimitConfig) Equal(other TimeLimitConfig) bool {
	return ServerConfig{TimeLimit: c}.Equal(ServerConfig{TimeLimit: other})
}

// TimeLimit returns a middleware that limits the time of a handler. The handler stays on its goroutine, and is never
// left behind: at the limit its context ends with context.DeadlineExceeded, and context.Cause tells a
// *[timeout.ExceededError]. What the client gets is decided by who comes first, in one atomic step:
//
//   - The limit comes first: the client gets a 503 at that instant, with all of its text, whether the handler looks at its
//     context or not. What the handler writes from then on gets http.ErrHandlerTimeout. In HTTP/2 the end of the stream
//     follows when the handler returns, since net/http can end none before: who reads on behind the length that the answer
//     has, waits for that.
//   - The handler has begun the response: there is no second status and no text of ours. Past an Idle or a Total limit
//     the response is cut off, as by a panic with http.ErrAbortHandler: HTTP/2 resets the stream, of HTTP/1 the
//     connection is closed. So a client sees a broken answer, and not a short one that looks whole.
//
// Writing a header, bytes, a flush, a copy and a hijack begin a response; 1xx responses do not. The deadline that a
// trusted peer gave, see [Inbound], counts like FirstByte; its cause is context.DeadlineExceeded.
//
// The handler gets a header of its own, with what was in the one outside, which is copied when the response begins. The
// writer offers what the one outside offers: http.Flusher, http.Hijacker, io.ReaderFrom, io.StringWriter and
// http.Pusher, and Unwrap for http.ResponseController. A request costs half a microsecond and four small allocations, a
// timer among them, and the header's. TimeLimit panics if cfg is not valid.
func TimeLimit(name string, cfg TimeLimitConfig) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	t := newTimeLimit(name, cfg)
	seawall.Register(cfg.Registry, "timelimit", &t.name, t)
	return t.wrap
}

type timeLimit struct {
	name     string
	settings atomic.Pointer[timeSettings]

	outOfTime, cutOff atomic.Int64
}

// timeSettings is a TimeLimitConfig made ready for the path of a request.
type timeSettings struct {
	TimeLimitConfig

	limits    *limits
	unlimited *limits // those of an exempt route
	exempt    *routes
}

func newTimeLimit(name string, cfg TimeLimitConfig) *timeLimit {
	t := &timeLimit{name: name}
	t.settings.Store(newTimeSettings(name, cfg.withDefaults()))
	return t
}

func newTimeSettings(name string, cfg TimeLimitConfig) *timeSettings {
	l := &limits{name: name, registry: cfg.Registry}
	for i, d := range [...]time.Duration{cfg.FirstByte, cfg.Idle, cfg.Total} {
		if d == Off {
			d = 0
		}
		*[...]*time.Duration{&l.firstByte, &l.idle, &l.total}[i] = min(d, mostLimit)
		l.exceeded[i] = &timeout.ExceededError{Name: name, Limit: d}
	}
	unlimited := &limits{name: name, registry: cfg.Registry}
	return &timeSettings{cfg, l, unlimited, newRoutes(cfg.Exempt)}
}

// Config is for debug pages.
func (t *timeLimit) Config() TimeLimitConfig { return t.settings.Load().TimeLimitConfig }

func (t *timeLimit) wrap(next http.Handler) http.Handler {
	need("TimeLimit", next)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s, left := t.settings.Load(), forever
		l := s.limits
		if s.exempt.match(r) {
			l = s.unlimited
		}
		if deadline, ok := r.Context().Deadline(); ok {
			left = time.Until(deadline)
		}
		if left == forever && l.firstByte == 0 && l.idle == 0 && l.total == 0 {
			next.ServeHTTP(rw, r)
			return
		}
		t.serve(next, rw, r, l, left)
	})
}

func (t *timeLimit) serve(next http.Handler, rw http.ResponseWriter, r *http.Request, l *limits, left time.Duration) {
	w, offered := share(rw)
	if left <= 0 { // no handler starts past its deadline
		w.refuse(http.StatusServiceUnavailable, late(t.name))
		return
	}
	if w.limits != nil { // there is a limit further out
		w, offered = nest(rw)
	}
	w.arm(l, r, left)
	req := r.WithContext(&w.ctx)
	returned := false
	defer func() {
		if !returned {
			t.end(w, r, req, false)
		}
	}()
	next.ServeHTTP(offered, req)
	returned = true
	if t.end(w, r, req, true) == aborted {
		panic(http.ErrAbortHandler)
	}
}

// end takes the limits of a request out of force, and returns how far its response came.
func (t *timeLimit) end(w *writer, r, req *http.Request, returned bool) phase {
	at := w.disarm(returned)
	// The server looks at its own request when it is done: it removes the files of the form, and others log the pattern.
	r.Pattern, r.MultipartForm = req.Pattern, req.MultipartForm
	switch at {
	case nothing:
		// The handler was quicker than our timer to see that its time is over, and has not answered.
		if _, _, cause := w.due(nothing); returned && cause != nil {
			t.outOfTime.Add(1)
			writeAnswer(w, http.StatusServiceUnavailable, 0)
			return w.phase()
		}
	case answered:
		t.outOfTime.Add(1)
	case aborted:
		t.cutOff.Add(1)
	case header, body, hijacked:
	}
	return at
}

// Snapshot returns the counts in the form of the registry.
func (t *timeLimit) Snapshot() seawall.Snapshot {
	return seawall.Snapshot{Kind: "timelimit", Name: t.name, Values: t.values()}
}

func (t *timeLimit) values() []seawall.Value {
	return []seawall.Value{
		{Name: "out_of_time", V: float64(t.outOfTime.Load())},
		{Name: "cut_off", V: float64(t.cutOff.Load())},
	}
}
