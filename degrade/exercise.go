package degrade

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
)

// exercise is what a Fallback keeps of its exercises.
type exercise struct {
	running atomic.Bool // one at a time
	broken  atomic.Bool // the last one failed; the log tells the edges only
}

// errExerciseLimit is the cause of the context of an exercise that takes too long.
var errExerciseLimit = errors.New("degrade: exercise took longer than ExerciseLimit")

// errExited is what an exercise comes to that has called runtime.Goexit.
var errExited = errors.New("degrade: the fallback called runtime.Goexit")

// Exercise is asked after a success; see [seawall.Exerciser]. It is called by the walk of a call.
func (f *Fallback) Exercise(ctx context.Context) (trial func(accept func(value any) error)) {
	cfg := f.cfg.Load()
	if cfg.AlwaysExercise == 0 || f.random() >= cfg.AlwaysExercise {
		return nil
	}
	return func(accept func(any) error) { f.try(ctx, cfg, accept) }
}

// try runs the fallback as if err were ErrExercise. It does so on a goroutine of its own, and waits for its end: that is
// what keeps a runtime.Goexit from the caller, whose call was a success.
func (f *Fallback) try(ctx context.Context, cfg *FallbackConfig, accept func(any) error) {
	if ctx.Err() != nil || !f.exercise.running.CompareAndSwap(false, true) {
		f.counts.skipped.Add(1)
		return
	}
	defer f.exercise.running.Store(false)
	limited, cancel := context.WithTimeoutCause(ctx, cfg.ExerciseLimit, errExerciseLimit)
	defer cancel()
	limited, _ = seawall.WithRecord(limited) // what it notes is not true of the call
	ended := make(chan error, 1)
	go func() {
		err := errExited
		defer func() {
			if value := recover(); value != nil {
				err = fmt.Errorf("degrade: panic: %v\n%s", value, debug.Stack())
			}
			ended <- err
		}()
		err = rehearse(limited, cfg.Func, accept)
	}()
	err := <-ended
	if err != nil && ctx.Err() != nil { // it had no time: that says nothing of it
		f.counts.skipped.Add(1)
		return
	}
	f.counts.exercised.Add(1)
	if err != nil {
		f.counts.exerciseFailed.Add(1)
	}
	f.logEdge(cfg, err)
}

// rehearse runs a step, and has all that it gave accepted and let go of.
func rehearse(ctx context.Context, step Step, accept func(any) error) error {
	given, err := step(ctx, ErrExercise)
	if _, several := given.(answers); err != nil && !several {
		return err
	}
	return errors.Join(err, acceptAnswer(given, accept))
}

// acceptAnswer leaves a static value alone: it is everybody's, and must not be closed.
func acceptAnswer(given any, accept func(any) error) (err error) {
	if all, ok := given.(answers); ok {
		for _, one := range all {
			err = errors.Join(err, acceptAnswer(one, accept))
		}
		return err
	}
	if a := answerOf(given); a.source != fromStatic {
		return accept(a.value)
	}
	return nil
}

// logEdge tells when exercises begin to fail, and when they work again.
func (f *Fallback) logEdge(cfg *FallbackConfig, err error) {
	if broken := err != nil; f.exercise.broken.Swap(broken) == broken {
		return
	}
	events.Shield(cfg.Registry.Logger(), fallbackKind, f.name, func() {
		if err != nil {
			cfg.Registry.Log(context.Background(), slog.LevelWarn, "seawall.degrade.exercise_failed",
				slog.String("name", f.name), slog.String("error", err.Error()))
			return
		}
		cfg.Registry.Log(context.Background(), slog.LevelInfo, "seawall.degrade.exercise_restored",
			slog.String("name", f.name))
	})
}
