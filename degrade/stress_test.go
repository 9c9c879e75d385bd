package degrade_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
)

// misbehave ends in one of seven ways.
func misbehave(ctx context.Context, n int) (*closer, error) {
	switch n % 7 {
	case 0, 1:
		return new(closer), nil
	case 2:
		return nil, errDown
	case 3:
		panic("ouch")
	case 4:
		runtime.Goexit()
	case 5:
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return nil, seawall.Reject("stress", "", seawall.ReasonFull, nil, 0)
}

// T44, T40, T41: whatever calls do, each one counts once, beside readers and writers of everything.
func TestEveryCallCountsOnceUnderLoad(t *testing.T) {
	const callers, calls = 2000, 10
	registry := quiet()
	var load atomic.Uint64
	b := newBrownout(degrade.BrownoutConfig{
		Registry: registry, Interval: time.Millisecond, Hold: time.Millisecond, Recover: time.Millisecond,
		Critical: degrade.Threshold{Enter: 0.95}, Signal: func() float64 { return float64(load.Add(7)%100) / 100 },
	})
	f := newFallback(degrade.FallbackConfig{
		Registry: registry, AlwaysExercise: 0.1, ExerciseLimit: time.Millisecond,
		Func: func(ctx context.Context, err error) (any, error) {
			if err == degrade.ErrExercise { //nolint:errorlint // it is bare
				return misbehave(ctx, int(load.Load()))
			}
			return new(closer), nil
		},
	})
	g := newGather(degrade.GatherConfig{Registry: registry, Parallel: 3})
	var admitted, rejected, errs, gathers, returned atomic.Int64

	stop := make(chan struct{})
	var watchers, all sync.WaitGroup
	watchers.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = registry.Snapshots()
			_ = b.Stats().Level.String() + b.String() + f.String() + g.String()
			_ = b.Keep()
			cfg := f.Config()
			cfg.AlwaysExercise = float64(n%3) / 10
			_ = f.Update(cfg)
			_ = g.Update(degrade.GatherConfig{Parallel: 1 + n%4})
			bc := b.Config()
			bc.Hold = time.Duration(1+n%3) * time.Millisecond
			_ = b.Update(bc)
			if n%4 == 0 {
				_ = b.SetLevel(degrade.Level(n / 4 % 4))
			} else {
				b.Auto()
			}
			runtime.Gosched()
		}
	})
	for caller := range callers {
		all.Go(func() {
			for n := range calls {
				n += caller
				func() {
					var one sync.WaitGroup
					one.Go(func() {
						defer func() { _ = recover() }()
						ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n%5)*10*time.Millisecond)
						defer cancel()
						if n%11 == 0 {
							go cancel()
						}
						ctx = seawall.WithPriority(ctx, seawall.Priority(1+n%4))
						switch n % 3 {
						case 0:
							_, err := seawall.Call(ctx, f, func(ctx context.Context) (*closer, error) {
								c, err := misbehave(ctx, n/3)
								if err != nil {
									errs.Add(1)
								}
								return c, err
							})
							_ = err
						case 1:
							err := b.Work(seawall.Priority(1+n%4)).Do(ctx, func(ctx context.Context) error {
								admitted.Add(1)
								_, err := misbehave(ctx, n/3)
								return err
							})
							if errors.Is(err, degrade.ErrBrownout) {
								rejected.Add(1)
							}
						case 2:
							if ctx.Err() != nil {
								return
							}
							var x, y, z *closer
							section := func(name string, to **closer, way int) degrade.SectionOf[*closer] {
								return degrade.Section(name, b.Work(seawall.Sheddable), to,
									func(ctx context.Context) (*closer, error) { return misbehave(ctx, way) })
							}
							ran := false
							defer func() {
								if ran {
									gathers.Add(1)
								}
							}()
							report, err := g.Do(&startedContext{Context: ctx, ran: &ran},
								section("x", &x, n/3), section("y", &y, n/5).Optional(), section("z", &z, n/7).OrValue(nil))
							if err == nil {
								returned.Add(int64(len(report.Sections)))
							}
						}
					})
					one.Wait()
				}()
			}
		})
	}
	all.Wait()
	close(stop)
	watchers.Wait()

	fs, gs, bs := f.Stats(), g.Stats(), b.Stats()
	if got := fs.Replaced() + fs.Left + fs.Failed; got != errs.Load() {
		t.Errorf("%d errors were replaced, left or failed, of %d", got, errs.Load())
	}
	if sum := gs.Calls.Whole + gs.Calls.Partial + gs.Calls.Failed + gs.Calls.Canceled; sum != gathers.Load() {
		t.Errorf("%d gathers are counted, of %d", sum, gathers.Load())
	} else if s := gs.Sections; s.Whole+s.Degraded+s.Stale+s.Missing+s.Canceled != 3*sum {
		t.Errorf("sections %+v of %d calls", s, sum)
	}
	if bs.Rejected.Total() < rejected.Load() || bs.Admitted < admitted.Load() || admitted.Load() == 0 {
		t.Errorf("%+v, but seen were %d admitted and %d rejected", bs, admitted.Load(), rejected.Load())
	}
	for what, n := range map[string]int64{
		"replaced": fs.Func, "left": fs.Left, "exercised": fs.Exercised, "whole": gs.Calls.Whole, "partial": gs.Calls.Partial,
		"failed": gs.Calls.Failed, "canceled": gs.Calls.Canceled, "worse": bs.Worse, "better": bs.Better,
		"rejected": bs.Rejected.Total(),
	} {
		if n == 0 {
			t.Errorf("nothing was %s: the test does not reach what it is for", what)
		}
	}
}

// startedContext tells whether a Gather found its caller there.
type startedContext struct {
	context.Context
	ran *bool
}

func (c *startedContext) Err() error {
	err := c.Context.Err()
	if err == nil {
		*c.ran = true
	}
	return err
}
