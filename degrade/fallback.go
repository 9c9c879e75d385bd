package degrade

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/dice"
)

const fallbackKind = "fallback"

var (
	_ seawall.Exerciser = (*Fallback)(nil)
	_ seawall.Describer = (*Fallback)(nil)
	_ seawall.Member    = (*Fallback)(nil)
)

// Fallback puts something else in the place of an error, a [seawall.Replacer]. Under [seawall.Call] its value is the
// result, and must have the result's type; under a plain Do the error is gone. The [seawall.Record] of the call says
// that its result was replaced, by which fallback, and why if that was a rejection.
//
// Make it with [NewFallback]. It is safe for concurrent use. A call that succeeds costs one atomic load here, and one
// random number if fallbacks are exercised.
type Fallback struct {
	name     string
	cfg      atomic.Pointer[FallbackConfig] // defaults filled in
	random   func() float64                 // uniform in [0, 1)
	mu       sync.Mutex                     // serialises Update
	exercise exercise
	ages     *seawall.Timing
	counts   fallbackCounts
}

// NewFallback makes a fallback. Its name is a constant of the program, for people, metrics and logs. NewFallback panics
// if cfg is not valid; see [FallbackConfig.Validate].
func NewFallback(name string, cfg FallbackConfig) *Fallback {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	f := &Fallback{name: name, random: dice.Float64}
	cfg = cfg.withDefaults()
	f.cfg.Store(&cfg)
	seawall.Register(cfg.Registry, fallbackKind, &f.name, f)
	f.ages = seawall.NewTiming(cfg.Registry, seawall.StaleAge, fallbackKind, f.name)
	return f
}

// Do runs op, and replaces its error.
func (f *Fallback) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, f, op)
}

// Replace gives the value that takes the place of err; see [seawall.Replacer]. The error is err itself if it is not to
// be replaced, and if Func has no answer it is one whose tree holds err and what Func says. A panic in Func is the
// caller's.
func (f *Fallback) Replace(ctx context.Context, err error) (any, error) {
	cfg, end := f.cfg.Load(), &f.counts.failed // failed if it panics
	defer func() { end.Add(1) }()
	if ctx.Err() != nil || cfg.When != nil && !cfg.When(err) {
		end = &f.counts.left
		return nil, err
	}
	given, ferr := cfg.Func(ctx, err)
	if ferr != nil {
		if ctx.Err() != nil { // it had no time: that says nothing of it
			end = &f.counts.left
		}
		return nil, fmt.Errorf("%w (fallback %q: %w)", err, f.name, ferr)
	}
	a := answerOf(given)
	end = &f.counts.served[a.source]
	if record := seawall.RecordOf(ctx); record != nil {
		record.Note(func(facts *seawall.Facts) {
			facts.Replaced, facts.Source, facts.DecidedBy = true, sourceNames[a.source], f.String()
			if rejection, ok := errors.AsType[*seawall.RejectedError](err); ok {
				facts.Reason = rejection.Reason
			}
			if a.source == fromStale {
				facts.Stale = a.age
			}
		})
	}
	if a.source == fromStale {
		f.ages.Tell(ctx, "fallback", a.age)
	}
	return a.value, nil
}

// Name returns the fallback's name, as the registry has it.
func (f *Fallback) Name() string { return f.name }

// String returns such as: fallback "seats.copy".
func (f *Fallback) String() string { return fmt.Sprintf("%s %q", fallbackKind, f.name) }

// Traits returns the kind; see [seawall.Describer].
func (f *Fallback) Traits() seawall.Traits { return seawall.Traits{Kind: fallbackKind} }
