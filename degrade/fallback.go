package degrade

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/seawall-go/seawall"
)

// FallbackConfig sets a [Fallback].
type FallbackConfig struct {
	// Func gives what takes the place of err, or an error of its own. Required. It runs on the caller's goroutine with
	// the caller's context; a panic in it is the caller's. [Func] and [Value] make one from what has a type.
	Func func(ctx context.Context, err error) (any, error) `json:"-" yaml:"-"`
	// When says which errors are replaced. Default all. It is not asked, and nothing is replaced, when the caller's
	// context is done: nobody waits for the answer.
	When func(err error) bool `json:"-" yaml:"-"`
	// Registry is where the fallback enters itself. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Validate returns an error that names what is missing.
func (c FallbackConfig) Validate() error {
	if c.Func == nil {
		return fmt.Errorf("degrade: FallbackConfig.Func is nil, want a function")
	}
	return nil
}

// Func makes a FallbackConfig.Func of a function with a typed result. T is the type of the operation's result, or one
// that it can hold.
func Func[T any](f func(ctx context.Context, err error) (T, error)) func(context.Context, error) (any, error) {
	return func(ctx context.Context, err error) (any, error) { return f(ctx, err) }
}

// Value makes a FallbackConfig.Func that always gives v. Whoever gets v shares it.
func Value[T any](v T) func(context.Context, error) (any, error) {
	return func(context.Context, error) (any, error) { return v, nil }
}

// Fallback replaces an error, a [seawall.Replacer]. Under [seawall.Call] its value is the result, and must have the
// result's type; under a plain Do the error is gone.
//
// A Fallback is safe for concurrent use. A call that succeeds costs nothing here.
type Fallback struct {
	name     string
	cfg      FallbackConfig
	replaced atomic.Int64
	left     atomic.Int64
	failed   atomic.Int64
}

// NewFallback makes a fallback. It panics if cfg is not valid.
func NewFallback(name string, cfg FallbackConfig) *Fallback {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	f := &Fallback{name: name, cfg: cfg}
	seawall.Register(cfg.Registry, kind, &f.name, f)
	return f
}

const kind = "fallback"

// Do runs op, and replaces its error.
func (f *Fallback) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, f, op)
}

// Replace gives the value that takes the place of err. If there is none, the error is err itself; if Func failed, it is
// one whose tree holds err and that of Func.
func (f *Fallback) Replace(ctx context.Context, err error) (any, error) {
	if ctx.Err() != nil || f.cfg.When != nil && !f.cfg.When(err) {
		f.left.Add(1)
		return nil, err
	}
	value, ferr := f.cfg.Func(ctx, err)
	if ferr != nil {
		f.failed.Add(1)
		return nil, fmt.Errorf("%w (fallback %q: %w)", err, f.name, ferr)
	}
	f.replaced.Add(1)
	seawall.RecordOf(ctx).Note(func(facts *seawall.Facts) { facts.Replaced, facts.DecidedBy = true, f.String() })
	return value, nil
}

// Name returns the fallback's name.
func (f *Fallback) Name() string { return f.name }

// String returns such as: fallback "seats.copy".
func (f *Fallback) String() string { return fmt.Sprintf("%s %q", kind, f.name) }

// Stats are the counts since NewFallback.
type Stats struct {
	Replaced int64 // errors that were replaced
	Left     int64 // errors that were left alone
	Failed   int64 // errors for which Func had no answer
}

// Stats returns the counts.
func (f *Fallback) Stats() Stats {
	return Stats{Replaced: f.replaced.Load(), Left: f.left.Load(), Failed: f.failed.Load()}
}

// Snapshot returns the Stats in the form of the registry.
func (f *Fallback) Snapshot() seawall.Snapshot {
	s := f.Stats()
	return seawall.Snapshot{Kind: kind, Name: f.name, Values: []seawall.Value{
		{Name: "replaced", V: float64(s.Replaced)},
		{Name: "left", V: float64(s.Left)},
		{Name: "failed", V: float64(s.Failed)},
	}}
}
