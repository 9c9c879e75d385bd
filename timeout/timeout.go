package timeout

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
)

const kind = "timeout"

// Timeout limits the time of calls, a [seawall.Scope]. Make it with [New]; it is safe for concurrent use.
//
// A call costs one allocation of 64 bytes and one reading of the clock. A timer and a channel are made only when the
// operation asks its context for Done, or derives another one from it; then the call costs about what
// [context.WithTimeout] does. A limit that is adaptive costs 80 bytes, and two more readings of the clock.
type Timeout struct {
	name     string
	settings atomic.Pointer[settings]
	mu       sync.Mutex // serialises Update

	_      [64]byte // what every call writes, off the line of what every call reads
	counts counts
}

// New makes a Timeout. Its name is a constant of the program, for people, metrics and logs. New panics if cfg is not
// valid; see [Config.Validate].
func New(name string, cfg Config) *Timeout {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	t := &Timeout{name: name}
	t.settings.Store(newSettings(name, cfg, nil))
	seawall.Register(cfg.Registry, kind, &t.name, t)
	if t.name != name {
		t.settings.Store(newSettings(t.name, cfg, nil))
	}
	return t
}

// Do runs op with a context that ends at the limit, and returns when op does. The package documentation says which
// error the caller sees. If ctx is done before the call, op does not run, and the error is its cause.
func (t *Timeout) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, t, op)
}

// Enter derives the context of one call; see [seawall.Scope]. Its deadline is the limit or the caller's, whichever is
// earlier. At the limit its error is [context.DeadlineExceeded], as everywhere, and its cause, by [context.Cause], an
// [*ExceededError]; so it is for contexts derived from it. After Leave the context is canceled. If ctx is done, the
// error is its cause.
func (t *Timeout) Enter(ctx context.Context) (context.Context, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	switch s := t.settings.Load(); {
	case s.Limit == Off:
		return ctx, nil
	case s.adaptive != nil:
		return s.adaptive.enter(ctx), nil
	default:
		return s.ceiling.enter(ctx), nil
	}
}

// Leave ends a call: it cancels inner, and returns what the caller is to see for err; see [seawall.Scope]. A second
// Leave of one context must not be.
func (t *Timeout) Leave(outer, inner context.Context, err error) error {
	c, timed := scopeOf(outer, inner)
	end, result := t.judge(outer, c, err)
	if timed != nil && (err == nil || end == expired) {
		timed.observe()
	}
	if c != nil {
		c.leave()
	}
	t.counts.add(end)
	return result
}

// judge returns how a call ended with err, and the error for the caller. c is nil if there was no limit.
func (t *Timeout) judge(outer context.Context, c *scope, err error) (result, error) {
	switch {
	case err == nil:
		return ended, nil
	case err == seawall.ErrAborted: //nolint:errorlint // the walk passes it bare
		return aborted, err
	case c != nil && c.exceeded():
		if record := seawall.RecordOf(outer); record != nil {
			record.Note(func(f *seawall.Facts) { f.DecidedBy, f.Reason = t.String(), "" })
		}
		return expired, c.bound.exceeded.over(err)
	}
	left, limited := seawall.Remaining(outer)
	switch outer.Err() {
	case nil:
		if limited && left <= 0 { // the operation was faster than the timer
			return callerExpired, err
		}
		return ended, err
	case context.DeadlineExceeded:
		return callerExpired, err
	}
	return canceled, err
}

// Update changes the configuration while calls run. It validates first, and changes all or nothing. A call that runs
// keeps the limit that it met. The latencies of an adaptive limit stay known unless its Window changes. The registry
// stays the one of New. A change is logged as seawall.config.updated.
func (t *Timeout) Update(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	t.mu.Lock()
	old := t.settings.Load()
	cfg.Registry = old.Registry
	s := newSettings(t.name, cfg, old)
	t.settings.Store(s)
	t.mu.Unlock()

	if fields := old.changes(s.Config); len(fields) > 0 {
		s.Registry.Log(context.Background(), slog.LevelInfo, "seawall.config.updated", slog.String("kind", kind),
			slog.String("name", t.name), slog.String("fields", strings.Join(fields, " ")))
	}
	return nil
}

// Config returns the configuration in force, defaults filled in.
func (t *Timeout) Config() Config { return t.settings.Load().Config }

// Limit returns the limit in force: that of the Config, or what an adaptive one has come to. It is [Off] if there is none.
func (t *Timeout) Limit() time.Duration { return t.settings.Load().limit() }

// Traits returns what [seawall.Pipeline.Lint] looks at. The limit of an adaptive Timeout is its ceiling.
func (t *Timeout) Traits() seawall.Traits {
	return seawall.Traits{Kind: kind, Limit: max(0, t.settings.Load().Config.Limit)}
}

// Name returns the name, as the registry has it.
func (t *Timeout) Name() string { return t.name }

// String returns such as: timeout "payments".
func (t *Timeout) String() string { return fmt.Sprintf("%s %q", kind, t.name) }
