package hedge

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

const kind = "hedge"

// Hedge starts further attempts of calls that are late, a [seawall.Racer]. Make it with [New], one for each dependency,
// and share it: it is safe for concurrent use.
//
// Attempts run in goroutines of their own, so that a call can end before its losers do. That is what a call costs, one
// that ends in time as well: some two microseconds and nine allocations of 0.8 KB together, one of which is the Hedge's
// own. It is one microsecond and six of 0.5 KB if no attempt is to start by time, so that there is no timer. The Hedge
// takes no lock.
type Hedge struct {
	name     string
	settings atomic.Pointer[settings]
	starved  atomic.Bool // the budget was found empty, and since then not half full
	attempts *seawall.Timing
	mu       sync.Mutex // serialises Update

	_      [64]byte // what every call writes, off the line of what every call reads
	counts counts
}

// New makes a Hedge. Its name is a constant of the program, for people, metrics and logs. New panics if cfg is not
// valid; see [Config.Validate].
func New(name string, cfg Config) *Hedge {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	h := &Hedge{name: name}
	h.settings.Store(newSettings(cfg, nil))
	seawall.Register(cfg.Registry, kind, &h.name, h)
	h.attempts = seawall.NewTiming(cfg.Registry, seawall.AttemptDuration, kind, h.name)
	return h
}

// Do runs op, and runs it once more beside the first if that is late. It returns nil as soon as an attempt succeeds, and
// does not wait for the others: op must not write variables of its caller, see [seawall.Call].
//
// If the call had one attempt, its error is returned untouched; if there were more, and none succeeded, the error is an
// [*Error]. If ctx ends before that, Do returns at once; then the error is, or matches, the cause of ctx or what op
// returned because of it. If ctx is done before the call, op does not run.
//
// A panic of an attempt whose end is waited for is the caller's, as a [*seawall.AttemptPanic] with the attempt's stack;
// that of a loser is logged. [seawall.Attempt] tells op which attempt it is.
func (h *Hedge) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, h, op)
}

// Race begins a call; see [seawall.Racer].
func (h *Hedge) Race(ctx context.Context) seawall.Race {
	r := &race{
		hedge: h, settings: h.settings.Load(), record: seawall.RecordOf(ctx),
		left: ctx.Done(), idempotent: seawall.IsIdempotent(ctx),
	}
	remaining, limited := seawall.Remaining(ctx)
	if limited || r.settings.latencies != nil || r.settings.OnHedge != nil {
		r.begin = mono.Now()
	}
	if limited {
		r.limited, r.deadline = true, r.begin+remaining
	}
	return r
}

// Update changes the configuration while calls run. It validates first, and changes all or nothing. A call that has begun
// goes on with the configuration that it met. The latencies stay known unless Latency.Window changes or a fixed Delay was
// set meanwhile; the Cap, and a budget of the Hedge's own, keep what is at hand unless their numbers change. The
// registry stays the one of New. A change is logged as seawall.config.updated.
func (h *Hedge) Update(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	h.mu.Lock()
	old := h.settings.Load()
	cfg.Registry = old.Registry
	s := newSettings(cfg, old)
	h.settings.Store(s)
	h.mu.Unlock()

	if fields := old.changes(s.Config); len(fields) > 0 {
		s.Registry.Log(context.Background(), slog.LevelInfo, "seawall.config.updated", slog.String("kind", kind),
			slog.String("name", h.name), slog.String("fields", strings.Join(fields, " ")))
	}
	return nil
}

// Timed reports whether somebody wants to know how long attempts take; see [seawall.Stopwatch].
func (h *Hedge) Timed() bool { return h.attempts.Wanted() }

// Took is told how long an attempt took; see [seawall.Stopwatch].
func (h *Hedge) Took(ctx context.Context, err error, d time.Duration) {
	h.attempts.TellEnd(ctx, err, h.settings.Load().Classify, d)
}

// Config returns the configuration in force, defaults filled in. It can be changed and given to Update.
func (h *Hedge) Config() Config { return h.settings.Load().Config }

// Budget returns the budget that pays for extra attempts: the shared one, or the Hedge's own; nil if there is none.
func (h *Hedge) Budget() *seawall.Budget { return h.settings.Load().budget }

// Delay returns how long after an attempt the next one would start now. It is false if none would by time alone.
func (h *Hedge) Delay() (delay time.Duration, ok bool) {
	delay = h.settings.Load().delay(mono.Now())
	if delay == never {
		return 0, false
	}
	return delay, true
}

// Name returns the name, as the registry has it.
func (h *Hedge) Name() string { return h.name }

// String returns such as: hedge "search".
func (h *Hedge) String() string { return fmt.Sprintf("%s %q", kind, h.name) }
