package breaker_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// T8
func TestWindowExpiresWithoutTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 100})
		for range 99 {
			_ = b.Do(t.Context(), fail)
		}
		if got := b.Stats().Window; got != (breaker.WindowCounts{Calls: 99, Failures: 99}) {
			t.Fatalf("the window holds %+v", got)
		}
		time.Sleep(b.Config().Window.Time - 1)
		if got := b.Stats().Window; got != (breaker.WindowCounts{Calls: 99, Failures: 99}) {
			t.Errorf("just before its time was over, the window holds %+v", got)
		}
		time.Sleep(time.Nanosecond)
		if got := b.Stats().Window; got != (breaker.WindowCounts{}) {
			t.Errorf("after its time the window holds %+v", got)
		}
		time.Sleep(time.Hour)
		_ = b.Do(t.Context(), fail) // the hundredth failure, and the first of this window
		wantState(t, b, breaker.Closed)
		if got := b.Stats().Window; got != (breaker.WindowCounts{Calls: 1, Failures: 1}) {
			t.Errorf("the window holds %+v", got)
		}
	})
}

// T9
func TestWindowLosesNothingAtARollover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 1_000_000})
		width := b.Config().Window.Time
		for i := range 100 {
			gap := width / 10 * time.Duration(i)
			time.Sleep(gap)
			var all sync.WaitGroup
			at := make(chan struct{})
			for i := range 100 {
				all.Go(func() {
					<-at // all move the window on at once
					if i%4 == 0 {
						_ = b.Do(t.Context(), fail)
					} else {
						_ = b.Do(t.Context(), succeed)
					}
				})
			}
			synctest.Wait()
			close(at)
			all.Wait()
			for _, wait := range []time.Duration{0, width - 1} {
				time.Sleep(wait)
				if got := b.Stats().Window; got != (breaker.WindowCounts{Calls: 100, Failures: 25}) {
					t.Fatalf("%v after a gap of %v the window holds %+v", wait, gap, got)
				}
			}
			time.Sleep(time.Nanosecond)
			if got := b.Stats().Window; got != (breaker.WindowCounts{}) {
				t.Fatalf("%v after a gap of %v the window holds %+v", width, gap, got)
			}
		}
	})
}

// T9: with a real clock, at steps of a millisecond.
func TestTimeWindowLosesNothingUnderLoad(t *testing.T) {
	b := newBreaker(breaker.Config{MinCalls: 1_000_000, FailureRate: 1, Window: breaker.Window{Time: 10 * time.Millisecond}})
	const workers, calls = 20, 3000
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := range calls {
				if i%100 == 0 {
					time.Sleep(time.Duration(i) * time.Microsecond) // 0 to 3 steps
				}
				if i%3 == 0 {
					_ = b.Do(context.Background(), fail)
				} else {
					_ = b.Do(context.Background(), succeed)
				}
			}
		})
	}
	all.Wait()
	want := breaker.Counts{Successes: workers * calls / 3 * 2, Failures: workers * calls / 3}
	if got := b.Stats().Calls; got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	time.Sleep(11 * time.Millisecond)
	if got := b.Stats().Window; got != (breaker.WindowCounts{}) {
		t.Errorf("the window holds %+v after its time", got)
	}
}

// Each outcome is either in the sum of the sealed window, or told to have come too late.
func TestSealedWindowNeitherLosesNorDoubles(t *testing.T) {
	for _, shape := range []breaker.Window{{Time: 10 * time.Millisecond}, {Calls: 8}} {
		for range 500 {
			now := time.Duration(0)
			w := breaker.NewWindow(shape, now)
			var counted, failed atomic.Int64
			var all sync.WaitGroup
			ready := make(chan struct{})
			for i := range 4 {
				all.Go(func() {
					<-ready
					for j := range 200 {
						failure := (i+j)%2 == 0
						_, ok := w.Record(now+time.Duration(j)*10*time.Microsecond, failure, false)
						if !ok {
							return
						}
						counted.Add(1)
						if failure {
							failed.Add(1)
						}
					}
				})
			}
			var calls, failures int64
			all.Go(func() {
				<-ready
				for counted.Load() < 50 {
					runtime.Gosched()
				}
				calls, failures = w.Seal()
			})
			close(ready)
			all.Wait()
			if calls != counted.Load() || failures != failed.Load() {
				t.Fatalf("%+v: sealed with %d calls, %d failures; recorded %d, %d",
					shape, calls, failures, counted.Load(), failed.Load())
			}
			if _, ok := w.Record(now, true, false); ok {
				t.Fatal("a sealed window took an outcome")
			}
		}
	}
}

// The sum of a count window is that of its ring as soon as nobody records.
func TestCountWindowAgreesWithItsRing(t *testing.T) {
	for _, size := range []int{1, 2, 3, 10, 1000} {
		const workers = 4
		each := 300_000
		if raceEnabled {
			each = 30_000
		}
		w := breaker.NewWindow(breaker.Window{Calls: size}, 0)
		var all sync.WaitGroup
		for i := range workers {
			all.Go(func() {
				for j := range each {
					if in, _ := w.Record(0, (i+j)%3 == 0, (i+j)%5 == 0); in.Calls > int64(size) {
						t.Errorf("a window of %d holds %d", size, in.Calls)
						return
					}
				}
			})
		}
		all.Wait()
		if in, ring := w.In(0), w.Ring(); in != ring || in.Calls != int64(size) {
			t.Errorf("size %d: the sum is %+v, the ring holds %+v", size, in, ring)
		}
		if total, _ := w.Counted(); total != int64(workers*each) {
			t.Errorf("size %d: counted %d", size, total)
		}
	}
}

// The word that counts is brought down long before it could overflow. Nobody may see that, neither in the totals nor,
// which would open a healthy breaker, as failures that never were.
func TestWindowIsBroughtDownUnseenUnderLoad(t *testing.T) {
	for range 50 {
		const step = time.Millisecond
		w := breaker.NewWindow(breaker.Window{Time: 10 * step}, 0)
		w.Lift(breaker.RebaseAt - 1)
		const workers, each = 4, 500
		var clock atomic.Int64
		var all sync.WaitGroup
		for range workers {
			all.Go(func() {
				for j := range each {
					now := time.Duration(clock.Add(int64(step) / 100))
					in, ok := w.Record(now, j%2 == 0, false)
					if !ok || in.Failures > workers*each/2 {
						t.Errorf("the window tells %d failures, ok %v", in.Failures, ok)
						return
					}
				}
			})
		}
		all.Wait()
		if w.Lifted() {
			t.Fatal("the word was not brought down: nothing was tested")
		}
		if calls, failures := w.Counted(); calls != workers*each || failures != workers*each/2 {
			t.Fatalf("counted %d calls and %d failures", calls, failures)
		}
	}
}

// The same for the totals, with many falls.
func TestWindowThatIsBroughtDownLosesNothing(t *testing.T) {
	const step = time.Millisecond
	w := breaker.NewWindow(breaker.Window{Time: 10 * step}, 0)
	const workers = 4
	each := 300_000
	if raceEnabled {
		each = 100_000
	}
	var clock, falls atomic.Int64
	var lifting atomic.Bool
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for j := range each {
				if lifting.CompareAndSwap(false, true) {
					if !w.Lifted() {
						w.Lift(breaker.RebaseAt - int64(workers*each))
						falls.Add(1)
					}
					lifting.Store(false)
				}
				w.Record(time.Duration(clock.Add(int64(step)/10)), j%2 == 0, false)
			}
		})
	}
	all.Wait()
	if calls, failures := w.Counted(); calls != int64(workers*each) || failures != int64(workers*each/2) {
		t.Errorf("counted %d calls and %d failures after %d falls", calls, failures, falls.Load())
	}
	if falls.Load() < 100 {
		t.Errorf("only %d falls", falls.Load())
	}
}

// T10: readings are negative in a bubble, and in a test of long uptimes they may cross 0. Only differences matter.
func TestTimeWindowDoesNotCareWhereTheClockStands(t *testing.T) {
	const step = time.Second
	for _, start := range []time.Duration{-1 << 62, -time.Hour, -5 * step, -1, 0, 1, time.Hour, 1 << 61} {
		w := breaker.NewWindow(breaker.Window{Time: 10 * step}, start)
		for i := range 40 { // one failure a step
			in, _ := w.Record(start+time.Duration(i)*step, true, true)
			if want := int64(min(i+1, 10)); in.Failures != want || in.Slow != want {
				t.Fatalf("started at %v: %+v after %d steps, want %d", start, in, i, want)
			}
		}
		if in := w.In(start + 39*step + 10*step); in != (breaker.WindowCounts{}) {
			t.Errorf("started at %v: %+v left after the window", start, in)
		}
	}
}

// A call that is held up between reading the clock and counting sees outcomes that have expired. They must not trip.
func TestBreakerDoesNotTripOnWhatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 20})
		w := b.ClosedWindow()
		for range 19 {
			_ = b.Do(t.Context(), fail)
		}
		time.Sleep(11 * time.Second)
		b.TripOn(w, 1, 1)
		wantState(t, b, breaker.Closed)
	})
}

// Of more hanging calls than a count window holds, only the latest are in it, and only their failures count.
func TestCountWindowForgetsTheOldestOfTheCallsThatHang(t *testing.T) {
	w := breaker.NewWindow(breaker.Window{Calls: 4}, 0)
	w.Hang(0, 6)
	for i, failures := range []int64{0, 0, 1, 2, 3, 4} {
		w.Unhang(0, seawall.Failure)
		if got, want := w.In(0), (breaker.WindowCounts{Calls: 4, Failures: failures, Slow: 4}); got != want || got != w.Ring() {
			t.Errorf("after %d have failed it holds %+v, want %+v; the ring %+v", i+1, got, want, w.Ring())
		}
	}
}

// T43: no step moves a count window on, so its position does: long before 2³¹ calls lie between two folds.
func TestCountWindowIsFoldedLongBeforeItsWordOverflows(t *testing.T) {
	const calls = 1 << 20
	w := breaker.NewWindow(breaker.Window{Calls: 10}, 0)
	for i := range calls {
		w.Record(0, i%2 == 0, false)
	}
	if got, failures := w.Folded(); got != calls || failures != calls/2 {
		t.Errorf("%d calls and %d failures are folded of %d", got, failures, calls)
	}
	if got, failures := w.Counted(); got != calls || failures != calls/2 {
		t.Errorf("%d calls and %d failures are counted of %d", got, failures, calls)
	}
}
