package seawall_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
)

// T26
func TestRaceIsNotWonByAFastError(t *testing.T) {
	for _, c := range []struct {
		name string
		ends []end
		want int // the winner
		at   time.Duration
	}{
		{"the second fails at once", []end{{after: 50 * time.Second}, {after: 5 * time.Second, err: errDown}}, 1, 50 * time.Second},
		{"the first fails at once", []end{{after: time.Second, err: errDown}, {after: 5 * time.Second}}, 2, 6 * time.Second},
		{"the second is faster", []end{{after: 50 * time.Second}, {after: 5 * time.Second}}, 2, 15 * time.Second},
		{"the first is faster", []end{{after: 12 * time.Second}, {after: 5 * time.Second}}, 1, 12 * time.Second},
		{"the first is fast enough", []end{{after: 9 * time.Second}}, 1, 9 * time.Second},
		{"both fail", []end{{after: time.Second, err: errDown}, {after: 5 * time.Second, err: errFull}}, 2, 6 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := &trace{}
				s := &source{ends: c.ends}
				start := time.Now()
				got, err := seawall.Call(t.Context(), &racer{name: "hedge", trace: tr, attempts: 2, delay: 10 * time.Second}, s.op)
				if number(got) != c.want || (err != nil) != (c.name == "both fail") || time.Since(start) != c.at {
					t.Errorf("got %d, %v after %v", number(got), err, time.Since(start))
				}
				events := tr.list()
				if last := events[len(events)-1]; last != fmt.Sprintf("hedge: ends with %d: %v", c.want, err) {
					t.Errorf("the racer was told %q", last)
				}
				time.Sleep(time.Hour)
			})
		})
	}
}

// T27: a loser learns why.
func TestLoserIsCanceledWithACause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 2)
		err := (&racer{attempts: 2, delay: time.Second}).Do(t.Context(), func(ctx context.Context) error {
			if seawall.Attempt(ctx) == 2 {
				return nil
			}
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return ctx.Err()
		})
		if cause := <-causes; err != nil || cause != seawall.ErrLost { //nolint:errorlint // the very cause
			t.Errorf("the call: %v, the loser's cause: %v", err, cause)
		}
	})
}

// T27: a gate inside of the race does not take the loser's end for the dependency's.
func TestLoserIsNoFailureOfTheGateInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		for range 100 {
			err := seawall.Chain(&racer{attempts: 2, delay: time.Second}, g).Do(t.Context(), func(ctx context.Context) error {
				if seawall.Attempt(ctx) == 2 {
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if g.count(seawall.Success) != 100 || g.count(seawall.Ignored) != 100 || g.in.Load() != 0 {
			t.Errorf("%d successes, %d ignored, %d failures, %d still inside", g.count(seawall.Success),
				g.count(seawall.Ignored), g.count(seawall.Failure), g.in.Load())
		}
	})
}

// An attempt once started for a caller that had left, when its time came, or the failure of another one, together with
// the cancellation.
func TestNoAttemptStartsForACallerThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i := range 500 {
			ctx, cancel := context.WithCancel(t.Context())
			tr := &trace{}
			r := &racer{name: "hedge", trace: tr, attempts: 3, delay: time.Second, next: func(started int) {
				if started == 1 {
					if i%2 == 0 {
						time.Sleep(2 * time.Second)
					} else {
						synctest.Wait() // the first has ended
					}
					cancel()
				}
			}}
			if i%2 == 0 {
				r.delay = 0 // the second is due
			}
			err := r.Do(ctx, func(ctx context.Context) error {
				if i%2 == 0 {
					<-ctx.Done()
					return ctx.Err()
				}
				return errDown
			})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
			if got := strings.Count(strings.Join(tr.list(), "\n"), "starts"); got != 1 {
				t.Fatalf("round %d: %d attempts started:\n%s", i, got, strings.Join(tr.list(), "\n"))
			}
			synctest.Wait()
		}
	})
}

// T15: a success that had come was lost, by a toss of a coin, when its caller left at the same instant.
func TestRaceReturnsASuccessThatCameWithTheCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 200 {
			ctx, cancel := context.WithCancel(t.Context())
			v, err := seawall.Call(ctx, &racer{attempts: 2, delay: time.Hour, next: func(int) {
				synctest.Wait() // the first has ended
				cancel()
			}}, one)
			if v != 1 || err != nil {
				t.Fatalf("got %v, %v", v, err)
			}
		}
	})
}

func TestCanceledRaceReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errLeft := errors.New("left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(5*time.Second, func() { cancel(errLeft) })
		tr := &trace{}
		start := time.Now()
		err := (&racer{name: "hedge", trace: tr, attempts: 2, delay: time.Second}).Do(ctx, func(context.Context) error {
			time.Sleep(time.Hour) // deaf
			return nil
		})
		if err != errLeft || time.Since(start) != 5*time.Second { //nolint:errorlint // the very cause
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		tr.want(t, "hedge: starts 1", "hedge: starts 2", "hedge: ends with 0: left")
		time.Sleep(2 * time.Hour)
	})
}

// A race of one attempt that fails on the caller's deadline returns what op said about it.
func TestLastEndOfARaceIsReturnedAlsoWhenTheCallerHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := (&racer{attempts: 1, next: func(int) {
			synctest.Wait()
			cancel()
		}}).Do(ctx, fail)
		if err != errDown { //nolint:errorlint // the very error
			t.Errorf("got %v", err)
		}
	})
}

func TestRacerMayForbidAttempts(t *testing.T) {
	for _, c := range []struct {
		allowed map[int]bool
		want    string
	}{
		{map[int]bool{1: true}, "<nil>"},
		{map[int]bool{3: true}, "<nil>"},
		{map[int]bool{}, `race "": budget`},
	} {
		synctest.Test(t, func(t *testing.T) {
			ran := 0
			r := &racer{attempts: 3, delay: time.Second, started: func(n int) bool { return c.allowed[n] }}
			err := r.Do(t.Context(), func(context.Context) error {
				ran++
				time.Sleep(time.Minute)
				return nil
			})
			if fmt.Sprint(err) != c.want || ran != len(c.allowed) {
				t.Errorf("%v: got %v, op ran %d times", c.allowed, err, ran)
			}
			if err != nil && !errors.Is(err, seawall.ErrRejected) {
				t.Errorf("%v does not match ErrRejected", err)
			}
		})
	}
}

// A race once waited 292 years for the time of an attempt that had none.
func TestAttemptWithoutATimeStartsOnlyByAFailure(t *testing.T) {
	for _, c := range []struct {
		name  string
		ended func(int, error) seawall.Finish
		want  int // attempts
		err   error
	}{
		{"a failure starts it", nil, 2, nil},
		{"a failure does not", func(int, error) seawall.Finish { return seawall.KeepRunning }, 1, errDown},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			ran := 0
			r := &racer{attempts: 3, delay: math.MaxInt64, ended: c.ended}
			err := r.Do(t.Context(), func(ctx context.Context) error {
				ran++
				time.Sleep(24 * time.Hour)
				if seawall.Attempt(ctx) == 1 {
					return errDown
				}
				return nil
			})
			if took := time.Since(start); err != c.err || ran != c.want || took != time.Duration(c.want)*24*time.Hour { //nolint:errorlint // the very error
				t.Errorf("%s: got %v from %d attempts after %v", c.name, err, ran, took)
			}
		})
	}
}

// T15: the caller leaves at the instant of the failure that would start the next attempt.
func TestFailureStartsNoAttemptForACallerThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ran := 0
		err := (&racer{attempts: 2, delay: math.MaxInt64, next: func(int) {
			synctest.Wait() // the first has ended
			cancel()
		}}).Do(ctx, func(context.Context) error {
			ran++
			return errDown
		})
		if !errors.Is(err, context.Canceled) || ran != 1 {
			t.Errorf("got %v, op ran %d times", err, ran)
		}
	})
}

// A failure at the instant at which the next attempt is due anyway asks for that one.
func TestFailureThatComesWithTheNextAttemptsTimeStartsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			r := &racer{attempts: 3}
			r.next = func(started int) {
				r.delay = time.Hour
				if started == 1 {
					synctest.Wait() // the first has failed
					r.delay = 0
				}
			}
			ran := 0
			err := r.Do(t.Context(), func(ctx context.Context) error {
				ran++
				if seawall.Attempt(ctx) == 1 {
					return errDown
				}
				time.Sleep(time.Second)
				return nil
			})
			if err != nil || ran != 2 {
				t.Fatalf("got %v, op ran %d times", err, ran)
			}
		}
	})
}

// T81: a race that starts nothing by time makes no timer, and most races have one end to keep.
func TestRaceAllocatesATimerOnlyForATime(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	succeed := func(context.Context) error { return nil }
	count := func(r *racer) float64 {
		return testing.AllocsPerRun(1000, func() { _ = r.Do(t.Context(), succeed) })
	}
	timed := count(&racer{attempts: 2, delay: time.Hour})
	for name, r := range map[string]*racer{"never": {attempts: 2, delay: math.MaxInt64}, "no more": {attempts: 1, delay: time.Hour}} {
		if n := count(r); n > timed-3 {
			t.Errorf("%s: %v allocations, with a time %v", name, n, timed)
		}
	}
}

func bangOp(context.Context) error { panic(errBang) }

var errBang = errors.New("bang")

// T57
func TestPanicOfAnAttemptReachesTheCallerWithItsOwnStack(t *testing.T) {
	captured(t)
	for _, c := range []struct {
		name     string
		panicsAt map[int]time.Duration // by attempt; the others succeed after a minute
	}{
		{"the first", map[int]time.Duration{1: 0}},
		{"the first, later", map[int]time.Duration{1: 30 * time.Second}},
		{"the second", map[int]time.Duration{2: 0}},
		{"both", map[int]time.Duration{1: 2 * time.Second, 2: time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := &trace{}
				g := &gate{}
				outer := &gate{}
				chain := seawall.Chain(outer, &racer{name: "hedge", trace: tr, attempts: 2, delay: time.Second}, g)
				panicked, _ := attempt(func() {
					_ = chain.Do(t.Context(), func(ctx context.Context) error {
						if wait, ok := c.panicsAt[seawall.Attempt(ctx)]; ok {
							time.Sleep(wait)
							return bangOp(ctx)
						}
						time.Sleep(time.Minute)
						return nil
					})
				})
				p, ok := panicked.(*seawall.AttemptPanic)
				if !ok || p.Value != errBang { //nolint:errorlint // the very value
					t.Fatalf("the caller saw %v", panicked)
				}
				if !strings.Contains(string(p.Stack), "bangOp") || !strings.Contains(p.Error(), "bang [in a raced attempt]") {
					t.Errorf("it does not show where: %v", p)
				}
				if !errors.Is(p, errBang) {
					t.Error("the panic does not match its error")
				}
				if events := tr.list(); events[len(events)-1] != "hedge: ends with 0: "+seawall.ErrAborted.Error() {
					t.Errorf("the racer was told %q", events)
				}
				time.Sleep(time.Hour)
				if outer.count(seawall.Failure) != 1 || outer.ended() != 1 || outer.in.Load() != 0 || g.in.Load() != 0 {
					t.Errorf("the outer gate counted %d ends; inside: %d, %d", outer.ended(), outer.in.Load(), g.in.Load())
				}
			})
		})
	}
}

// T57
func TestPanicOfALoserIsLoggedAndKillsNothing(t *testing.T) {
	log := captured(t)
	synctest.Test(t, func(t *testing.T) {
		err := (&racer{attempts: 2, delay: time.Second}).Do(t.Context(), func(ctx context.Context) error {
			if seawall.Attempt(ctx) == 2 {
				return nil
			}
			<-ctx.Done()
			return bangOp(ctx)
		})
		if err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
	got := log.list()
	if len(got) != 1 || !strings.HasPrefix(got[0], "seawall.race.loser_panicked attempt=1") || !strings.Contains(got[0], "bangOp") {
		t.Errorf("logged %q", got)
	}
}

// The panic of a race in a race has one wrapper, with the stack of op.
func TestPanicThroughTwoRacesIsWrappedOnce(t *testing.T) {
	chain := seawall.Chain(&racer{attempts: 1}, &racer{attempts: 1}, &racer{attempts: 1})
	panicked, _ := attempt(func() { _ = chain.Do(t.Context(), bangOp) })
	p, ok := panicked.(*seawall.AttemptPanic)
	if !ok || p.Value != errBang || !strings.Contains(string(p.Stack), "bangOp") { //nolint:errorlint // the very value
		t.Errorf("the caller saw %v", panicked)
	}
}

func TestPanicThatIsNoErrorUnwrapsToNothing(t *testing.T) {
	panicked, _ := attempt(func() {
		_ = (&racer{attempts: 1}).Do(t.Context(), func(context.Context) error { panic("text") })
	})
	p, ok := panicked.(*seawall.AttemptPanic)
	if !ok || p.Value != "text" || errors.Unwrap(p) != nil {
		t.Errorf("the caller saw %v", panicked)
	}
}

// T2: t.FailNow in op is such an end.
func TestGoexitOfAnAttemptEndsTheCallersGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		panicked, exited := attempt(func() {
			_ = seawall.Chain(g, &racer{attempts: 2, delay: time.Second}).Do(t.Context(), func(ctx context.Context) error {
				if seawall.Attempt(ctx) == 2 {
					runtime.Goexit()
				}
				<-ctx.Done()
				return ctx.Err()
			})
		})
		if !exited || panicked != nil {
			t.Errorf("exited: %v, panicked with %v", exited, panicked)
		}
		if g.count(seawall.Failure) != 1 || g.ended() != 1 {
			t.Errorf("the gate counted %d ends", g.ended())
		}
	})
}
