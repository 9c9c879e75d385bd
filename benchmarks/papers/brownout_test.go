package papers_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	failsafebreaker "github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/dice"
)

// brownout is what a breaker makes of calls that fail with some probability.
type brownout struct {
	availability float64 // share of the demand that succeeded
	sent         float64 // share of the demand that reached the dependency
	outage       float64 // mean time without a success, of at least a second, in seconds
}

const brownoutEvery = 10 * time.Millisecond

// brownOut offers 100 calls a second.
func brownOut(seed uint64, failing float64, long time.Duration, ask throttle) (b brownout) {
	random := rand.New(rand.NewPCG(seed, 37))
	demand, outages, dark := int(long/brownoutEvery), 0, time.Duration(0)
	latest := time.Now() // success
	for range demand {
		time.Sleep(brownoutEvery)
		fails := random.Float64() < failing
		done := ask()
		if done == nil {
			continue
		}
		b.sent++
		if fails {
			done(errDown)
			continue
		}
		done(nil)
		b.availability++
		if gap := time.Since(latest); gap >= time.Second {
			outages++
			dark += gap
		}
		latest = time.Now()
	}
	b.availability /= float64(demand)
	b.sent /= float64(demand)
	b.outage = dark.Seconds() / float64(max(1, outages))
	return b
}

func seawallAsk(t *testing.T, cfg breaker.Config) throttle {
	cfg.Registry = silent()
	ours := breaker.New("brownout", cfg)
	return func() func(error) {
		permit, err := ours.Acquire(t.Context())
		if err != nil {
			return nil
		}
		return func(err error) { permit.Done(err) }
	}
}

// likeMicrosoft are Microsoft's numbers as far as ours have them: the open time is jittered downwards, from 4 to 5 s.
var likeMicrosoft = breaker.Config{
	FailureRate: microsoftRate, MinCalls: microsoftCalls, Window: breaker.Window{Time: microsoftWindow},
	OpenFor: microsoftBreak, MaxOpenFor: microsoftBreak, Probes: breaker.Probes{Calls: 1}, Ramp: breaker.Ramp{Start: breaker.NoRamp},
}

func gobreakerAsk() throttle {
	peer := gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Interval: microsoftWindow, BucketPeriod: microsoftWindow / 10, Timeout: microsoftBreak, MaxRequests: 1,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return c.Requests >= microsoftCalls && float64(c.TotalFailures) >= microsoftRate*float64(c.Requests)
		},
	})
	return func() func(error) {
		done, err := peer.Allow()
		if err != nil {
			return nil
		}
		return done
	}
}

func failsafeAsk() throttle {
	peer := failsafebreaker.NewBuilder[any]().
		WithFailureRateThreshold(microsoftRate, microsoftCalls, microsoftWindow).
		WithDelay(microsoftBreak).WithSuccessThreshold(1).Build()
	return func() func(error) {
		if !peer.TryAcquirePermit() {
			return nil
		}
		return func(err error) {
			if err != nil {
				peer.RecordError(err)
			} else {
				peer.RecordSuccess()
			}
		}
	}
}

// breakersInBrownOut shows how a low threshold makes an outage of a partial failure.
func breakersInBrownOut(t *testing.T, b *book) {
	const seed = 1
	long := brief(20*time.Minute, time.Hour)
	b.given(seed, "100 calls/s for %v, each fails with probability f; Microsoft's default is 10 %% of at least 100 calls in 30 s, open 5 s, one probe",
		long)
	defer dice.Load(seed)()
	synctest.Test(t, func(t *testing.T) {
		firstTrips(t, b, seed)
		near := brief(0.15, 0.05)
		for _, c := range []struct{ failing, published float64 }{{0.15, 0.12}, {0.20, 0.11}} {
			got := brownOut(seed, c.failing, long, (&microsoft{}).ask)
			f := fmt.Sprintf("f = %.2f: ", c.failing)
			b.near(f+"Microsoft's default, a model: availability", microsoftAvailability(c.failing), got.availability, near)
			b.note(fmt.Sprintf("about %.2f if it always tripped at the 100th call, but it waits for a failure from then on",
				c.published))
			b.near(f+"Microsoft's default, a model: outage, s", microsoftBreak.Seconds()/(1-c.failing), got.outage, near)
			b.beside(f+"gobreaker with these numbers: availability", number(brownOut(seed, c.failing, long, gobreakerAsk()).availability), "")
			b.beside(f+"failsafe-go with these numbers: availability", number(brownOut(seed, c.failing, long, failsafeAsk()).availability), "")
			b.beside(f+"Seawall with these numbers: availability",
				number(brownOut(seed, c.failing, long, seawallAsk(t, likeMicrosoft)).availability), "it is the numbers, not the code")
			got = brownOut(seed, c.failing, long, seawallAsk(t, breaker.Config{}))
			b.atLeast(f+"Seawall's default: availability", 1-c.failing-0.01, got.availability)
		}
		got := brownOut(seed, 1, long, seawallAsk(t, breaker.Config{}))
		b.atMost("f = 1: Seawall's default: sent by demand", 0.02, got.sent)
		got = brownOut(seed, 1, long, (&microsoft{}).ask)
		b.beside("f = 1: Microsoft's default, a model: sent by demand", number(got.sent), "")
		for _, failing := range []float64{0.15, 0.45} {
			ask := seawallAsk(t, breaker.Config{})
			brownOut(seed, 1, time.Minute, ask)
			soon := brownOut(seed, failing, 30*time.Second, ask).availability
			later := brownOut(seed, failing, 10*time.Minute, ask).availability
			b.beside(fmt.Sprintf("f = 1 for 1 min, then f = %.2f: Seawall's default: availability of the first 30 s; of 10 min from then on", failing),
				fmt.Sprintf("%.2f; %.2f", soon, later), "the open time has grown to half a minute by then; close to the threshold, probes and ramp fail often")
		}
		brownoutPlot(t, b, seed)
	})
}

// microsoftAvailability is what of the demand succeeds under the model, in the long run: from one closing to the next,
// the calls of a closed period and its probe, by those and the calls that are refused in between.
func microsoftAvailability(failing float64) float64 {
	alive := []float64{1} // by failures so far: the probability that it has not tripped
	closed := 0.0         // expected calls of a closed period
	for n := 1; n < 3000; n++ {
		next := make([]float64, n+1)
		for failures, p := range alive {
			closed += p
			next[failures] += p * (1 - failing)
			if n < microsoftCalls || float64(failures+1) < microsoftRate*float64(n) {
				next[failures+1] += p * failing
			}
		}
		alive = next
	}
	openings := 1 / (1 - failing)
	return (closed*(1-failing) + 1) / (closed + openings*float64(microsoftBreak/brownoutEvery))
}

// brownoutPlot draws availability over the probability of a failure.
func brownoutPlot(t *testing.T, b *book, seed uint64) {
	if *reportDir == "" {
		return
	}
	all := curve{name: "no breaker"}
	theirs, ours := curve{name: "Microsoft's default"}, curve{name: "Seawall's default"}
	for f := 0.0; f < 0.7; f += 0.025 {
		all.points = append(all.points, point{f, 1 - f})
		got := brownOut(seed, f, 10*time.Minute, (&microsoft{}).ask)
		theirs.points = append(theirs.points, point{f, got.availability})
		got = brownOut(seed, f, 10*time.Minute, seawallAsk(t, breaker.Config{}))
		ours.points = append(ours.points, point{f, got.availability})
	}
	b.plot("brownout.svg", chart{title: "availability", x: "probability that a call fails", curves: []curve{all, theirs, ours}}.svg)
}

// firstTrips counts how many fresh breakers are open after 100 calls. Ours judges every outcome, so that is the binomial
// probability of at least 10 failures.
func firstTrips(t *testing.T, b *book, seed uint64) {
	breakers := brief(1000, 10_000)
	random := rand.New(rand.NewPCG(seed, 38))
	for _, c := range []struct{ failing, published float64 }{{0.10, 0.549}, {0.15, 0.945}, {0.20, 0.998}} {
		threeErrors := 3 * math.Sqrt((1-c.published)/c.published/float64(breakers))
		tripped := 0.0
		for range breakers {
			ask := seawallAsk(t, likeMicrosoft)
			for range microsoftCalls {
				var err error
				if random.Float64() < c.failing {
					err = errDown
				}
				ask()(err)
			}
			if ask() == nil {
				tripped++
			}
		}
		b.near(fmt.Sprintf("f = %.2f: P(10 %% of 100 trips at the 100th call)", c.failing), c.published,
			tripped/float64(breakers), threeErrors)
	}
}
