package retry

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
)

const kind = "retry"

// Retry repeats failed calls, a [seawall.Repeater]. Make it with [New], one for each dependency, and share it: it is
// safe for concurrent use.
//
// A call whose first attempt succeeds costs one atomic addition and a look at the budget. It reads no clock, takes no
// lock and allocates nothing.
type Retry struct {
	name     string
	settings atomic.Pointer[settings]
	starved  atomic.Bool // the budget was found empty, and since then not half full
	attempts *seawall.Timing

	mu        sync.Mutex // serialises Update
	exhausted events.Throttle

	_      [64]byte // what every call writes, off the line of what every call reads
	counts counts
}

// New makes a Retry. Its name is a constant of the program, for people, metrics and logs. New panics if cfg is not
// valid; see [Config.Validate].
func New(name string, cfg Config) *Retry {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	r := &Retry{name: name}
	r.settings.Store(newSettings(cfg, nil))
	seawall.Register(cfg.Registry, kind, &r.name, r)
	r.attempts = seawall.NewTiming(cfg.Registry, seawall.AttemptDuration, kind, r.name)
	return r
}

// Do runs op, and runs it again while it fails in a way that may be repeated, there is a budget for it, and time.
//
// It returns nil as soon as an attempt succeeds. If the first attempt ends the call, its error is returned untouched.
// If there were more, or another one was refused, the error is an [*Error], which matches those of the attempts; it
// matches [ErrExhausted], [ErrBudget] or [ErrOutOfTime] if one of them is why the call ended, and the cause of ctx if
// that is why, or has ended it as well. If ctx is done before the call, op does not run, and the error is its cause.
//
// The attempts run one after the other on the caller's goroutine; [seawall.Attempt] tells op which one it is.
func (r *Retry) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, r, op)
}

// Ended is told how the first attempt of a call ended, and returns nil if the call ends with it; see
// [seawall.Repeater].
func (r *Retry) Ended(ctx context.Context, err error) seawall.Repetition {
	s := r.settings.Load()
	if err == nil {
		r.counts.firstTry.Add(1)
		r.succeeded(ctx, s)
		return nil
	}
	if err == seawall.ErrAborted { //nolint:errorlint // the policies pass it bare
		r.counts.add(aborted)
		return nil
	}
	v, end := r.judgeFirst(ctx, s, err)
	if end != undecided {
		return nil
	}
	return &repetition{retry: r, settings: s, record: seawall.RecordOf(ctx), attempts: 1, verdict: v}
}

// judgeFirst is judge for the first attempt. It counts a call that ends with that, also if a function of the Config
// panics: there is no repetition yet whose End would.
func (r *Retry) judgeFirst(ctx context.Context, s *settings, err error) (v seawall.Verdict, end result) {
	end = aborted // until judge returns
	defer func() {
		if end != undecided {
			r.counts.add(end)
		}
	}()
	v, end = r.judge(ctx, s, err, firstTry)
	return v, end
}

// judge gives the verdict on the end of an attempt with an error. end is undecided if another attempt may follow, and
// else how the call ends; answered is that end for an error that is an answer.
func (r *Retry) judge(ctx context.Context, s *settings, err error, answered result) (v seawall.Verdict, end result) {
	if seawall.Settle(ctx, err) == seawall.ErrCanceled { //nolint:errorlint // Settle returns it bare
		return seawall.Verdict{Outcome: seawall.Ignored}, canceled
	}
	v = s.Classify(err)
	if v.After == 0 {
		v.After = askedFor(err)
	}
	if v.Outcome == seawall.Success {
		r.succeeded(ctx, s)
	}
	switch {
	case v.Outcome == seawall.Ignored:
		return v, notRetryable
	case v.Repeat == seawall.RepeatAlways, v.Repeat == seawall.RepeatIfIdempotent && seawall.IsIdempotent(ctx):
		return v, undecided
	case v.Outcome == seawall.Success:
		return v, answered
	}
	return v, notRetryable
}

// succeeded pays into the budget.
func (r *Retry) succeeded(ctx context.Context, s *settings) {
	if s.budget == nil {
		return
	}
	s.budget.Succeeded()
	if r.starved.Load() {
		r.restored(ctx, s.budget)
	}
}

// Timed reports whether somebody wants to know how long attempts take; see [seawall.Stopwatch].
func (r *Retry) Timed() bool { return r.attempts.Wanted() }

// Took is told how long an attempt took; see [seawall.Stopwatch].
func (r *Retry) Took(ctx context.Context, err error, d time.Duration) {
	r.attempts.TellEnd(ctx, err, r.settings.Load().Classify, d)
}

// Config returns the configuration in force, defaults filled in. It can be changed and given to Update.
func (r *Retry) Config() Config { return r.settings.Load().Config }

// Budget returns the budget that pays for retries: the shared one, or the Retry's own; nil if there is none. Give it to
// whatever else makes extra attempts at the same dependency.
func (r *Retry) Budget() *seawall.Budget { return r.settings.Load().budget }

// Name returns the name, as the registry has it.
func (r *Retry) Name() string { return r.name }

// String returns such as: retry "payments".
func (r *Retry) String() string { return fmt.Sprintf("%s %q", kind, r.name) }
