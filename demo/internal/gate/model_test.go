package gate_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/gate"
)

// step is a fault's value from an instant on.
type step struct {
	at             time.Duration
	slow, capacity float64
}

// schedule is a fault that follows the clock since begin.
type schedule struct {
	begin time.Time
	steps []step
}

func (s *schedule) now() step         { return at(s.steps, time.Since(s.begin)) }
func (s *schedule) Slow() float64     { return s.now().slow }
func (s *schedule) Capacity() float64 { return s.now().capacity }
func at(steps []step, t time.Duration) (s step) {
	s = step{slow: 1, capacity: 1}
	for _, next := range steps {
		if next.at <= t {
			s = next
		}
	}
	return s
}

// request is what a test asks of a gate: it arrives, and leaves if it has not begun within its patience (0: never).
type request struct {
	arrives, patience time.Duration
}

// fate is what becomes of a request: when its work began and when Run returned.
type fate struct {
	begun       bool
	began, over time.Duration
}

func (f fate) String() string {
	if !f.begun {
		return fmt.Sprintf("left at %v", f.over)
	}
	return fmt.Sprintf("served from %v to %v", f.began, f.over)
}

// model is the naive twin: it walks through the events in the order of time, with one list for everything.
func model(cfg gate.Config, service func(i int) float64, steps []step, requests []request) []fate {
	type event struct {
		at   time.Duration
		kind string
		i    int
	}
	var events []event
	for i, r := range requests {
		events = append(events, event{r.arrives, "arrive", i})
		if r.patience > 0 {
			events = append(events, event{r.arrives + r.patience, "leave", i})
		}
	}
	fates := make([]fate, len(requests))
	var line []int
	busy := 0
	for len(events) > 0 {
		slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
		e := events[0]
		events = events[1:]
		switch e.kind {
		case "arrive":
			line = append(line, e.i)
		case "leave":
			k := slices.Index(line, e.i)
			if k < 0 {
				continue // it has begun: its client's patience is no event any more
			}
			line = slices.Delete(line, k, k+1)
			fates[e.i] = fate{over: e.at}
		case "complete":
			busy--
		}
		f := at(steps, e.at)
		exact := float64(cfg.Workers) * f.capacity
		workers := max(math.Round(exact), 1)
		for float64(busy) < workers && len(line) > 0 {
			i := line[0]
			line = line[1:]
			busy++
			end := e.at + time.Duration(service(i)*f.slow*workers/exact)
			fates[i] = fate{begun: true, began: e.at, over: end}
			events = append(events, event{end, "complete", i})
		}
	}
	return fates
}

// play runs the requests through a gate in a bubble.
func play(t *testing.T, cfg gate.Config, steps []step, requests []request) (fates []fate, stats gate.Stats, wrong error) {
	fates = make([]fate, len(requests))
	errs := make([]error, len(requests))
	gone := errors.New("gone")
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		cfg.Fault = &schedule{begin: begin, steps: steps}
		g := gate.New("model", cfg)
		var wg sync.WaitGroup
		for i, r := range requests {
			wg.Go(func() {
				time.Sleep(r.arrives)
				ctx := t.Context()
				if r.patience > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeoutCause(ctx, r.patience, gone)
					defer cancel()
				}
				err := g.Run(ctx, gate.Key{Arrival: uint64(i)}, func(ctx context.Context) error {
					fates[i].begun, fates[i].began = true, time.Since(begin)
					return ctx.Err()
				})
				fates[i].over = time.Since(begin)
				if fates[i].begun && err != nil || !fates[i].begun && !errors.Is(err, gone) {
					errs[i] = fmt.Errorf("request %d: %v, error %w", i, fates[i], err)
				}
			})
		}
		wg.Wait()
		stats = g.Stats()
	})
	return fates, stats, errors.Join(errs...)
}

// differ plays the requests and returns the first difference between their fates and the model's.
func differ(t *testing.T, cfg gate.Config, steps []step, requests []request) error {
	got, stats, wrong := play(t, cfg, steps, requests)
	if wrong != nil {
		return wrong
	}
	draws := cfg.Draws.Stream("service/model")
	service := func(i int) float64 { return draws.LogNormal(float64(cfg.Mean), max(cfg.Sigma, 0), uint64(i), 0) }
	want := model(cfg, service, steps, requests)
	expected := gate.Stats{Workers: stats.Workers}
	for i := range want {
		if want[i].begun {
			expected.Served++
		} else {
			expected.Abandoned++
		}
		// To the microsecond: the two multiply the same factors in different orders.
		if got[i].begun != want[i].begun || (got[i].began-want[i].began).Abs() > time.Microsecond ||
			(got[i].over-want[i].over).Abs() > time.Microsecond {
			return fmt.Errorf("request %d: %v, want %v", i, got[i], want[i])
		}
	}
	if stats != expected {
		return fmt.Errorf("stats %+v, want %+v", stats, expected)
	}
	return nil
}

// compare fails the test if a request's fate differs from the model's, with as few requests as show it.
func compare(t *testing.T, cfg gate.Config, steps []step, requests []request) {
	t.Helper()
	err := differ(t, cfg, steps, requests)
	if err == nil {
		return
	}
	for i := 0; i < len(requests); {
		fewer := slices.Delete(slices.Clone(requests), i, i+1)
		if e := differ(t, cfg, steps, fewer); e != nil {
			requests, err = fewer, e
		} else {
			i++
		}
	}
	t.Fatalf("%v\n%+v\nsteps %+v\nrequests %+v", err, cfg, steps, requests)
}

func sortSteps(steps []step) {
	slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
}
