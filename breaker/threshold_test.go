package breaker_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seawall-go/seawall/breaker"
)

// T7
func TestBreakerTripsExactlyAtItsThreshold(t *testing.T) {
	shapes := map[string]func(volume int64) breaker.Window{
		"calls": func(volume int64) breaker.Window { return breaker.Window{Calls: int(volume)} },
		"time":  func(int64) breaker.Window { return breaker.Window{Time: time.Hour} },
	}
	for _, ppm := range []int64{1_000, 10_000, 330_000, 500_000, 570_000, 1_000_000} {
		for _, volume := range []int64{1, 2, 3, 7, 10, 99, 100, 400, 1_000, 4_000, 100_000} {
			if (testing.Short() || raceEnabled) && volume > 1_000 { // it runs in one goroutine
				continue
			}
			at := (ppm*volume + 999_999) / 1_000_000 // the fewest failures that reach the rate
			for failures := at - 1; failures <= min(at+1, volume); failures++ {
				for kind, shape := range shapes {
					t.Run(fmt.Sprintf("%v%%/%d of %d/%s", float64(ppm)/10_000, failures, volume, kind), func(t *testing.T) {
						b := newBreaker(breaker.Config{
							FailureRate: float64(ppm) / 1_000_000, MinCalls: int(volume), Window: shape(volume),
						})
						for i := range volume {
							wantState(t, b, breaker.Closed)
							if i < failures {
								_ = b.Do(context.Background(), fail)
							} else {
								_ = b.Do(context.Background(), succeed) // a success can complete the minimum
							}
						}
						want := breaker.Closed
						if failures*1_000_000 >= ppm*volume {
							want = breaker.Open
						}
						wantState(t, b, want)
					})
				}
			}
		}
	}
}

// T50
func TestBreakerWithZeroConfigDoesNotTripOnAFewFailures(t *testing.T) {
	b := newBreaker(breaker.Config{})
	for range 19 {
		_ = b.Do(t.Context(), fail)
		wantState(t, b, breaker.Closed)
	}
	_ = b.Do(t.Context(), fail)
	wantState(t, b, breaker.Open)
	if got := b.Config().MinCalls; got != 20 {
		t.Errorf("the documented minimum is 20, and the real one %d", got)
	}
}

func TestBreakerLooksOnlyAtTheLatestCalls(t *testing.T) {
	b := newBreaker(breaker.Config{Window: breaker.Window{Calls: 10}, MinCalls: 10})
	for range 1000 { // 40 % for ever
		for range 4 {
			_ = b.Do(t.Context(), fail)
		}
		for range 6 {
			_ = b.Do(t.Context(), succeed)
		}
	}
	wantState(t, b, breaker.Closed)
	for range 5 {
		wantState(t, b, breaker.Closed)
		_ = b.Do(t.Context(), fail) // pushes failures out at first
	}
	wantState(t, b, breaker.Open)
}

// T7: no rate is off by one because of its binary fraction.
func TestEveryRateIsTheOneThatIsWritten(t *testing.T) {
	for ppm := int64(1); ppm <= 1_000_000; ppm++ {
		if got := breaker.PartsPerMillion(breaker.Config{FailureRate: float64(ppm) / 1_000_000}); got != ppm {
			t.Fatalf("%d parts per million are taken for %d", ppm, got)
		}
	}
}
