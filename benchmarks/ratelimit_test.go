package benchmarks_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"golang.org/x/time/rate"

	"github.com/seawall-go/seawall/ratelimit"
)

// A rate that no benchmark reaches, but that has to be counted.
const (
	plentyRate  = 1e9
	plentyBurst = 1_000_000
)

var errNoToken = errors.New("no token")

// limiter is one library's token bucket, or what it has in its place.
type limiter struct {
	library string
	build   func(perSecond float64, burst int) (call func(w work) error)
}

// limiters let a call in, or turn it away at once. failsafe-go has no token bucket: its bursty limiter counts in fixed
// periods, here of a second.
var limiters = []limiter{
	{"seawall", func(perSecond float64, burst int) func(work) error {
		ctx := context.Background()
		l := ratelimit.New("benchmark", ratelimit.Config{Rate: perSecond, Burst: burst, Registry: registry()})
		return func(w work) error { return l.Do(ctx, w.ctx) }
	}},
	{"xtime", func(perSecond float64, burst int) func(work) error {
		l := rate.NewLimiter(rate.Limit(perSecond), burst)
		return func(w work) error {
			if !l.Allow() {
				return errNoToken
			}
			return w.plain()
		}
	}},
	{"failsafe", func(perSecond float64, _ int) func(work) error {
		l := ratelimiter.NewBursty[struct{}](uint(perSecond), time.Second)
		return func(w work) error {
			if !l.TryAcquirePermit() {
				return ratelimiter.ErrExceeded
			}
			return w.plain()
		}
	}},
}

// BenchmarkRateLimit is a call for which there is a token.
func BenchmarkRateLimit(b *testing.B) {
	var subjects []subject
	for _, l := range limiters {
		subjects = append(subjects, subject{l.library, func(w work) func() error {
			call := l.build(plentyRate, plentyBurst)
			return func() error { return call(w) }
		}})
	}
	compare(b, subjects)
}

// BenchmarkRateLimitRejection is a call for which there is none.
func BenchmarkRateLimitRejection(b *testing.B) {
	var subjects []subject
	for _, l := range limiters {
		subjects = append(subjects, subject{l.library, func(w work) func() error {
			call := l.build(1, 1)
			_ = call(w)
			return func() error {
				_ = call(w) // now and then a token comes in
				return nil
			}
		}})
	}
	compare(b, subjects)
}

// BenchmarkRateLimitByKey is a call of a key that is known. x/time/rate and failsafe-go have no families.
func BenchmarkRateLimitByKey(b *testing.B) {
	compare(b, []subject{{"seawall", func(w work) func() error {
		ctx := context.Background()
		g := ratelimit.NewGroup("benchmark", ratelimit.GroupConfig[string]{
			Limiter: ratelimit.Config{Rate: plentyRate, Burst: plentyBurst}, Registry: registry(),
		})
		return func() error { return g.Do(ctx, "tenant", w.ctx) }
	}}})
}

// BenchmarkThrottle is a call through a throttle that rejects nothing. The ones of go-zero and aegis are beside the
// breakers.
func BenchmarkThrottle(b *testing.B) {
	compare(b, []subject{{"seawall", func(w work) func() error {
		ctx := context.Background()
		t := ratelimit.NewThrottle("benchmark", ratelimit.ThrottleConfig{Registry: registry()})
		return func() error { return t.Do(ctx, w.ctx) }
	}}})
}

func TestBenchmarkedLimitersAreNotEmptyPaths(t *testing.T) {
	for _, l := range limiters {
		t.Run(l.library, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				call := l.build(5, 5)
				ran := 0
				w := doing(func() error {
					ran++
					return nil
				})
				for range 20 {
					_ = call(w)
				}
				if ran != 5 {
					t.Errorf("%d calls ran, want 5", ran)
				}
				time.Sleep(2 * time.Second)
				if err := call(w); err != nil || ran != 6 {
					t.Errorf("after a pause: %v, %d calls ran", err, ran)
				}
			})
		})
	}
}
