package gate_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/draw"
	"github.com/seawall-go/seawall/demo/internal/gate"
	"github.com/seawall-go/seawall/fault"
)

var _ gate.Fault = (*fault.Point)(nil)

func nothing(context.Context) error { return nil }

// backlog sends n requests at once and returns how long the gate needs for them.
func backlog(t *testing.T, cfg gate.Config, n int) (took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New("inventory", cfg)
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				if err := g.Run(t.Context(), gate.Key{Arrival: uint64(i)}, nothing); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		took = time.Since(begin)
	})
	return took
}

// constant is a fault that does not change.
type constant struct{ slow, capacity float64 }

func (c constant) Slow() float64     { return c.slow }
func (c constant) Capacity() float64 { return c.capacity }

func TestThroughputDoesNotDifferFromWorkersOverMean(t *testing.T) {
	const mean = 40 * time.Millisecond
	for _, row := range []struct {
		name    string
		workers int
		fault   gate.Fault
		rate    float64 // requests per second
	}{
		{"inventory", 8, nil, 200},
		{"orders", 16, nil, 400},
		{"one", 1, nil, 25},
		{"no fault", 8, constant{1, 1}, 200},
		{"nil point", 8, (*fault.Point)(nil), 200},
		{"brownout", 8, constant{40, 1}, 5},
		{"dip to 3.2 workers", 8, constant{1, 0.4}, 80},
		{"dip to 3.6 workers", 8, constant{1, 0.45}, 90},
		{"dip to 0.4 workers", 8, constant{1, 0.05}, 10},
		{"both", 8, constant{2, 0.5}, 50},
		{"nonsense", 8, constant{0, 7}, 200},
		{"starved", 10, constant{1, 0.1}, 25},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := gate.Config{Workers: row.workers, Mean: mean, Sigma: gate.NoSpread, Fault: row.fault}
			// A whole number of rounds for any number of workers that the rows leave.
			took := backlog(t, cfg, 720)
			if rate := 720 / took.Seconds(); math.Abs(rate/row.rate-1) > 0.001 {
				t.Errorf("%.2f/s, want %.2f/s", rate, row.rate)
			}
			// With a spread the rate is that of the draws, whose mean over 4,000 has a standard error below 1 %.
			cfg.Sigma = 0
			took = backlog(t, cfg, 4000)
			if rate := 4000 / took.Seconds(); math.Abs(rate/row.rate-1) > 0.04 {
				t.Errorf("with spread: %.2f/s, want %.2f/s", rate, row.rate)
			}
		})
	}
}

func TestServiceTimesDoNotTravelBetweenArms(t *testing.T) {
	service := func(seed uint64, name string, key gate.Key, before int) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			g := gate.New(name, gate.Config{Draws: draw.New(seed)})
			for i := range before { // what one arm has done before
				if err := g.Run(t.Context(), gate.Key{Arrival: uint64(1000 + i)}, nothing); err != nil {
					t.Error(err)
				}
			}
			begin := time.Now()
			if err := g.Run(t.Context(), key, nothing); err != nil {
				t.Error(err)
			}
			took = time.Since(begin)
		})
		return took
	}
	key := gate.Key{Arrival: 7, Attempt: 1}
	want := service(1, "inventory", key, 0)
	if got := service(1, "inventory", key, 5); got != want {
		t.Errorf("the same key takes %v and then %v", want, got)
	}
	if mean, sigma := 40*float64(time.Millisecond), 0.5; want != time.Duration(
		draw.New(1).Stream("service/inventory").LogNormal(mean, sigma, 7, 1)) {
		t.Errorf("%v is not the documented draw", want)
	}
	for what, other := range map[string]time.Duration{
		"attempt": service(1, "inventory", gate.Key{Arrival: 7, Attempt: 2}, 0),
		"arrival": service(1, "inventory", gate.Key{Arrival: 8, Attempt: 1}, 0),
		"seed":    service(2, "inventory", key, 0),
		"gate":    service(1, "payments", key, 0),
	} {
		if other == want {
			t.Errorf("another %s takes the same time", what)
		}
	}
}

func TestRealWorkIsNotAddedToItsServiceTime(t *testing.T) {
	for _, row := range []struct {
		work, took time.Duration
		short      uint64
	}{
		{0, 40 * time.Millisecond, 0},
		{30 * time.Millisecond, 40 * time.Millisecond, 0},
		{40 * time.Millisecond, 40 * time.Millisecond, 0},
		{50 * time.Millisecond, 50 * time.Millisecond, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := gate.New("inventory", gate.Config{Sigma: gate.NoSpread})
			wrong := errors.New("wrong")
			begin := time.Now()
			err := g.Run(t.Context(), gate.Key{}, func(context.Context) error {
				time.Sleep(row.work)
				return wrong
			})
			if took := time.Since(begin); took != row.took || !errors.Is(err, wrong) {
				t.Errorf("work of %v: took %v, want %v; error %v", row.work, took, row.took, err)
			}
			if s := g.Stats(); s.Short != row.short || s.Served != 1 || s.InService != 0 {
				t.Errorf("work of %v: %+v", row.work, s)
			}
		})
	}
}

func TestBegunWorkIsNotCutShortWhenItsClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		g := gate.New("inventory", gate.Config{Workers: 1, Sigma: gate.NoSpread})
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "kept"), 10*time.Millisecond)
		defer cancel()
		begin := time.Now()
		err := g.Run(ctx, gate.Key{}, func(work context.Context) error {
			time.Sleep(20 * time.Millisecond)
			if work.Err() != nil || work.Done() != nil || work.Value(key{}) != "kept" {
				t.Errorf("the work's context: error %v, value %v", work.Err(), work.Value(key{}))
			}
			return nil
		})
		if took := time.Since(begin); took != 40*time.Millisecond || err != nil {
			t.Errorf("took %v, error %v; want the whole service time and the work's own answer", took, err)
		}
	})
}

func TestAGoneClientDoesNotReachAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New("inventory", gate.Config{Workers: 1, Sigma: gate.NoSpread})
		cause := errors.New("gone before it came")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		err := g.Run(ctx, gate.Key{}, func(context.Context) error { t.Error("was served"); return nil })
		if !errors.Is(err, cause) {
			t.Errorf("error %v, want the cause", err)
		}
		if s := g.Stats(); s != (gate.Stats{Workers: 1, Abandoned: 1}) {
			t.Errorf("%+v", s)
		}
	})
}

// The turn comes and the client goes in the same instant: the worker must pass to the next in line, and not be lost.
func TestAGrantThatMeetsACancelIsNotLost(t *testing.T) {
	for range 50 { // the scheduler decides which one comes first
		synctest.Test(t, func(t *testing.T) {
			g := gate.New("inventory", gate.Config{Workers: 1, Sigma: gate.NoSpread})
			var wg sync.WaitGroup
			wg.Go(func() { _ = g.Run(t.Context(), gate.Key{}, nothing) })
			synctest.Wait()
			for range 4 {
				ctx, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond)
				wg.Go(func() {
					defer cancel()
					_ = g.Run(ctx, gate.Key{}, nothing)
				})
				synctest.Wait()
			}
			wg.Go(func() {
				if err := g.Run(t.Context(), gate.Key{}, nothing); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			s := g.Stats()
			if s.InService != 0 || s.Waiting != 0 || s.Served+s.Abandoned != 6 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// late is a context whose end shows in Err at once and in Done never: that of a client that goes just as its turn
// comes.
type late struct {
	context.Context
	gone atomic.Bool
}

func (l *late) Err() error {
	if l.gone.Load() {
		return context.Canceled
	}
	return nil
}

func TestAClientThatGoesAsItsTurnComesIsNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New("inventory", gate.Config{Workers: 1, Sigma: gate.NoSpread})
		client := &late{Context: t.Context()}
		var wg sync.WaitGroup
		wg.Go(func() { _ = g.Run(t.Context(), gate.Key{}, nothing) })
		synctest.Wait()
		wg.Go(func() {
			err := g.Run(client, gate.Key{}, func(context.Context) error { t.Error("was served"); return nil })
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want the client's", err)
			}
		})
		synctest.Wait()
		wg.Go(func() { _ = g.Run(t.Context(), gate.Key{}, nothing) })
		synctest.Wait()
		client.gone.Store(true)
		wg.Wait()
		if s := g.Stats(); s != (gate.Stats{Workers: 1, Served: 2, Abandoned: 1}) {
			t.Errorf("%+v", s)
		}
	})
}

func TestAWorkerIsNotLostToAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New("inventory", gate.Config{Workers: 1, Sigma: gate.NoSpread})
		func() {
			defer func() {
				if v := recover(); v != "boom" {
					t.Errorf("recovered %v", v)
				}
			}()
			_ = g.Run(t.Context(), gate.Key{}, func(context.Context) error { panic("boom") })
		}()
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = g.Run(t.Context(), gate.Key{}, func(context.Context) error { runtime.Goexit(); return nil })
		})
		wg.Wait()
		if err := g.Run(t.Context(), gate.Key{}, nothing); err != nil {
			t.Error(err)
		}
		if s := g.Stats(); s != (gate.Stats{Workers: 1, Served: 3}) {
			t.Errorf("%+v", s)
		}
	})
}

// After a dip there is a line, and fewer requests in service than workers: the first event must fill them all up.
func TestWorkersThatComeBackDoNotStayIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := &schedule{begin: time.Now(), steps: []step{{0, 1, 0.125}, {100 * time.Millisecond, 1, 1}}}
		g := gate.New("inventory", gate.Config{Workers: 8, Sigma: gate.NoSpread, Fault: fault})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { _ = g.Run(t.Context(), gate.Key{}, nothing) })
		}
		synctest.Wait()
		if s := g.Stats(); s.Workers != 1 || s.InService != 1 || s.Waiting != 19 {
			t.Errorf("during the dip: %+v", s)
		}
		time.Sleep(121 * time.Millisecond) // the completion at 120 ms is the first event after it
		synctest.Wait()
		if s := g.Stats(); s.Workers != 8 || s.InService != 8 || s.Waiting != 9 {
			t.Errorf("after the dip: %+v", s)
		}
		wg.Wait()
	})
}

func TestABusyWorkerIsNotSentHomeByAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := &schedule{begin: time.Now(), steps: []step{{10 * time.Millisecond, 1, 0.25}}}
		g := gate.New("inventory", gate.Config{Workers: 8, Sigma: gate.NoSpread, Fault: fault})
		begin := time.Now()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { _ = g.Run(t.Context(), gate.Key{}, nothing) })
		}
		time.Sleep(20 * time.Millisecond)
		if s := g.Stats(); s.Workers != 2 || s.InService != 8 || s.Waiting != 2 {
			t.Errorf("in the dip: %+v", s)
		}
		wg.Wait()
		if took := time.Since(begin); took != 80*time.Millisecond {
			t.Errorf("took %v, want one round of eight and one of two", took)
		}
	})
}

func TestNewRefusesAnImpossibleConfig(t *testing.T) {
	for _, row := range []struct {
		cfg  gate.Config
		want string
	}{
		{gate.Config{Workers: -1}, "gate: Config.Workers is -1, want 1 to 10000"},
		{gate.Config{Workers: 10_001}, "gate: Config.Workers is 10001, want 1 to 10000"},
		{gate.Config{Mean: -1}, "gate: Config.Mean is -1ns, want 1µs to 1m"},
		{gate.Config{Mean: 2 * time.Minute}, "gate: Config.Mean is 2m0s, want 1µs to 1m"},
		{gate.Config{Sigma: -0.5}, "gate: Config.Sigma is -0.5, want above 0 and at most 3, or NoSpread"},
		{gate.Config{Sigma: 3.1}, "gate: Config.Sigma is 3.1, want above 0 and at most 3, or NoSpread"},
		{gate.Config{Sigma: math.NaN()}, "gate: Config.Sigma is NaN, want above 0 and at most 3, or NoSpread"},
		{gate.Config{Sigma: math.Inf(1)}, "gate: Config.Sigma is +Inf, want above 0 and at most 3, or NoSpread"},
	} {
		if err := row.cfg.Validate(); err == nil || err.Error() != row.want {
			t.Errorf("%+v: error %v, want %s", row.cfg, err, row.want)
		}
		func() {
			defer func() {
				if v, _ := recover().(string); !strings.HasPrefix(v, `gate: New("inventory"): `) {
					t.Errorf("%+v: New panicked with %q", row.cfg, v)
				}
			}()
			gate.New("inventory", row.cfg)
		}()
	}
}

func TestTheZeroConfigIsNotUndocumented(t *testing.T) {
	g := gate.New("inventory", gate.Config{})
	got := g.Config()
	if got.Workers != 8 || got.Mean != 40*time.Millisecond || got.Sigma != 0.5 || g.Name() != "inventory" {
		t.Errorf("%q: %+v", g.Name(), got)
	}
}

// T43: neither the longest service nor the smallest share leaves the range of a duration.
func TestExtremeFaultsDoNotOverflow(t *testing.T) {
	cfg := gate.Config{Mean: time.Minute, Sigma: gate.NoSpread, Fault: constant{1e6, 0}}
	if took := backlog(t, cfg, 1); took != 24*time.Hour {
		t.Errorf("took %v", took)
	}
}

// T41: statistics are safe beside requests, and no request is in two of their places, or in none.
func TestStatsDoNotLoseARequest(t *testing.T) {
	g := gate.New("inventory", gate.Config{Workers: 4, Mean: 100 * time.Microsecond})
	stop := make(chan struct{})
	var readers, wg sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if s := g.Stats(); s.InService < 0 || s.InService > 4 || s.Served+s.Abandoned > 400 {
					t.Errorf("%+v", s)
					return
				}
			}
		}
	})
	for i := range 400 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%20)*time.Millisecond)
			defer cancel()
			_ = g.Run(ctx, gate.Key{Arrival: uint64(i)}, nothing)
		})
	}
	wg.Wait()
	close(stop)
	readers.Wait()
	if s := g.Stats(); s.Served+s.Abandoned != 400 || s.InService != 0 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}
