package hedge_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/retry"
)

// body is a result that has to be closed if it is not returned.
type body struct {
	from   int
	closed atomic.Int32
}

func (b *body) Close() error {
	b.closed.Add(1)
	return nil
}

// T20, T27: the loser learns why, its result is closed, and the winner's belongs to the caller.
func TestLoserIsCanceledWithACauseAndItsResultClosed(t *testing.T) {
	for _, winner := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, hedge.Config{Delay: 10 * ms})
			var loser *body
			got, err := seawall.Call(t.Context(), h, func(ctx context.Context) (*body, error) {
				b := &body{from: seawall.Attempt(ctx)}
				if b.from == winner {
					time.Sleep(20 * ms)
					return b, nil
				}
				loser = b
				<-ctx.Done()
				if cause := context.Cause(ctx); cause != seawall.ErrLost { //nolint:errorlint // the very cause
					t.Errorf("the loser's cause is %v", cause)
				}
				time.Sleep(time.Second)
				return b, nil
			})
			if err != nil || got == nil || got.from != winner {
				t.Fatalf("got %+v, %v", got, err)
			}
			time.Sleep(time.Minute)
			if got.closed.Load() != 0 || loser.closed.Load() != 1 {
				t.Errorf("the winner's result was closed %d times, the loser's %d", got.closed.Load(), loser.closed.Load())
			}
		})
	}
}

// T57
func TestPanicOfAnAttemptIsTheCallersAndThatOfALoserIsLogged(t *testing.T) {
	var log strings.Builder
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(old)
	for _, c := range []struct {
		name   string
		panics map[int]time.Duration // by attempt; the others succeed after a minute
		loser  bool
	}{
		{"the primary", map[int]time.Duration{1: ms}, false},
		{"the primary, late", map[int]time.Duration{1: 50 * ms}, false},
		{"the hedge", map[int]time.Duration{2: ms}, false},
		{"both", map[int]time.Duration{1: 50 * ms, 2: ms}, false},
		{"a loser", map[int]time.Duration{1: 2 * time.Minute}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			log.Reset()
			h, _ := newHedge(t, hedge.Config{Delay: 10 * ms})
			var panicked any
			func() {
				defer func() { panicked = recover() }()
				_ = h.Do(t.Context(), func(ctx context.Context) error {
					if wait, ok := c.panics[seawall.Attempt(ctx)]; ok {
						time.Sleep(wait)
						panic(c.name)
					}
					time.Sleep(time.Minute)
					return nil
				})
			}()
			time.Sleep(time.Hour)
			synctest.Wait()
			s := h.Stats()
			if c.loser {
				if panicked != nil || s.Hedge != 1 || !strings.Contains(log.String(), "seawall.race.loser_panicked") {
					t.Errorf("%s: the caller saw %v, counted as %+v, logged %q", c.name, panicked, s, log.String())
				}
				return
			}
			p, ok := panicked.(*seawall.AttemptPanic)
			if !ok || p.Value != c.name || !strings.Contains(string(p.Stack), "ends_test.go") || s.Aborted != 1 || s.Calls() != 1 {
				t.Errorf("%s: the caller saw %v, counted as %+v", c.name, panicked, s)
			}
		})
	}
}

func TestPanicOfTheClassifierIsTheCallersAndCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHedge(t, hedge.Config{Delay: 10 * ms, Classify: func(error) seawall.Verdict { panic("classify") }})
		defer func() {
			s := h.Stats()
			if value := recover(); value != "classify" || s.Aborted != 1 || s.Calls() != 1 {
				t.Errorf("the caller saw %v, counted as %+v", value, s)
			}
		}()
		_ = h.Do(t.Context(), newEnds(end{15 * ms, errDown}, end{time.Hour, nil}).op)
	})
}

// T42: whichever way a call ends, it leaves no goroutine, no timer and no context of its own on one that lives on.
func TestCallsLeaveNothingBehindOnALongLivedContext(t *testing.T) {
	parent, end := context.WithCancel(t.Context())
	defer end()
	free := hedge.Config{Delay: time.Hour, Funding: hedge.NoBudget, Cap: hedge.Cap{Ratio: 9, Burst: 1000}}
	late, _ := newHedge(t, free) // its timers would run for an hour
	free.Delay = hedge.OnFailure
	early, _ := newHedge(t, free)
	free.Delay = time.Microsecond
	raced, _ := newHedge(t, free)
	waits := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	exits := []func(){
		func() { _ = late.Do(parent, succeed) },
		func() { _ = late.Do(parent, func(context.Context) error { return errDown }) },
		func() { _ = early.Do(parent, func(context.Context) error { return errDown }) },
		func() { // the loser ends by its context
			_ = raced.Do(parent, func(ctx context.Context) error {
				if seawall.Attempt(ctx) == 2 {
					return nil
				}
				return waits(ctx)
			})
		},
		func() { // the caller leaves
			ctx, cancel := context.WithCancel(parent)
			defer cancel()
			_ = late.Do(ctx, func(ctx context.Context) error {
				cancel()
				return waits(ctx)
			})
		},
		func() {
			defer func() { _ = recover() }()
			_ = late.Do(parent, func(context.Context) error { panic("op") })
		},
	}
	heap := func() uint64 {
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	calls := func(n int) {
		for i := range n {
			exits[i%len(exits)]()
		}
	}
	calls(1000)
	before := heap()
	total := 60_000
	if testing.Short() || raceEnabled {
		total = 12_000
	}
	calls(total)
	if after := heap(); after > before+256<<10 {
		t.Errorf("the heap has grown from %d to %d bytes in %d calls", before, after, total)
	}
	if s := raced.Stats(); s.Hedge == 0 {
		t.Errorf("nothing was raced: %+v", s)
	}
}

// T5, in real time for the race detector's sake: a hedge around a retry, and a retry around a hedge, share nothing but
// their own state: no call sees the attempts of another. Their products are as large as they must be.
func TestHedgeAndRetryCompose(t *testing.T) {
	newRetry := func() *retry.Retry {
		return retry.New("test", retry.Config{
			Backoff: retry.Backoff{Kind: retry.Immediate}, Funding: retry.NoBudget, Registry: (&seawall.Registry{}).Detached(),
		})
	}
	newH := func() *hedge.Hedge {
		h, _ := newHedge(t, hedge.Config{Delay: 10 * ms, Funding: hedge.NoBudget, Cap: hedge.Cap{Ratio: 9, Burst: 1000}})
		return h
	}
	for name, chain := range map[string]seawall.Policy{
		"hedge around retry": seawall.Chain(newH(), newRetry()),
		"retry around hedge": seawall.Chain(newRetry(), newH()),
	} {
		t.Run(name, func(t *testing.T) {
			var runs atomic.Int32
			err := chain.Do(t.Context(), func(context.Context) error {
				runs.Add(1)
				return errDown
			})
			if runs.Load() != 6 || !errors.Is(err, errDown) {
				t.Errorf("op ran %d times; %v", runs.Load(), err)
			}
			var wg sync.WaitGroup
			for i := range uint64(25) {
				wg.Go(func() {
					for range 20 {
						callRandomly(t, chain, newLaw(i, exponential(8*ms)))
					}
				})
			}
			wg.Wait()
		})
	}
}

// callRandomly makes a call whose attempts take a random time, and fail if they are fast.
func callRandomly(t *testing.T, p seawall.Policy, l *law) {
	t.Helper()
	got, err := seawall.Call(t.Context(), p, func(ctx context.Context) (string, error) {
		begin := time.Now()
		if err := l.op(ctx); err != nil {
			return "", err
		}
		if time.Since(begin) < 2*ms {
			return "", errDown
		}
		return "ok", nil
	})
	if err == nil && got != "ok" || err != nil && !errors.Is(err, errDown) {
		t.Errorf("got %q, %v", got, err)
	}
}

// T26: an error that a retry inside has declared final, because its budget is empty, does not win either.
func TestRetryInsideThatGaveUpDoesNotBeatASlowSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.New("test", retry.Config{
			BudgetConfig: seawall.BudgetConfig{Burst: 1, Ratio: 0.000001}, Registry: (&seawall.Registry{}).Detached(),
		})
		r.Budget().Take()
		h, _ := newHedge(t, hedge.Config{Delay: 10 * ms})
		err := seawall.Chain(h, r).Do(t.Context(), newEnds(end{50 * ms, nil}, end{ms, errDown}).op)
		if err != nil {
			t.Error(err)
		}
	})
}

// T44. In real time: so many goroutines in one bubble can crash the race detector, golang/go#78156.
func TestEveryCallHasExactlyOneResult(t *testing.T) {
	old := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // losers that panic
	defer slog.SetDefault(old)
	h, _ := newHedge(t, hedge.Config{
		Delay: 2 * ms, MaxAttempts: 3, Cap: hedge.Cap{Ratio: 0.5}, BudgetConfig: seawall.BudgetConfig{Ratio: 0.5},
	})
	const callers, each = 2000, 5
	outer, g := &gate{}, &gate{ends: make(chan struct{}, 3*callers*each)}
	chain := seawall.Chain(outer, h, g)
	var wg sync.WaitGroup
	for caller := range uint64(callers) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(44, caller))
			for range each {
				mixedCall(t.Context(), chain, random.Uint64())
			}
		})
	}
	wg.Wait()
	s := h.Stats()
	calls := int64(0) // but for those whose time was up before they began
	for i := range outer.outcomes {
		calls += outer.outcomes[i].Load()
	}
	if s.Calls() != calls || calls < callers*each*9/10 {
		t.Errorf("%d results of %d calls", s.Calls(), calls)
	}
	for range s.Attempts {
		<-g.ends // those that lost are still on their way
	}
	for _, v := range h.Snapshot().Values {
		if v.V == 0 {
			t.Errorf("no call ended as %s", v.Name)
		}
	}
}

// mixedCall makes one call each of whose attempts ends in one of many ways, and waits for the end of its goroutine.
func mixedCall(ctx context.Context, p seawall.Policy, seed uint64) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	random := rand.New(rand.NewPCG(seed, 0))
	switch random.IntN(6) {
	case 0:
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Duration(1+random.IntN(80))*ms/10)
		defer stop()
	case 1:
		time.AfterFunc(time.Duration(1+random.IntN(80))*ms/10, cancel)
	}
	op := func(ctx context.Context) error {
		random := rand.New(rand.NewPCG(seed, uint64(seawall.Attempt(ctx))))
		wait := time.Duration(random.IntN(80)) * ms / 10
		if random.IntN(4) == 0 {
			time.Sleep(wait)
		} else {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
		}
		switch random.IntN(10) {
		case 0, 1:
			return errDown
		case 2:
			panic("op")
		case 3:
			runtime.Goexit()
		case 4:
			return seawall.Reject("gate", "g", seawall.ReasonFull, errDown, 0)
		case 5:
			return fmt.Errorf("wrapped: %w", seawall.Permanent(errDown))
		}
		return nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		_ = p.Do(ctx, op)
	}()
	<-done
}
