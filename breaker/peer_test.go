package breaker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// twins are pairs of configurations that mean the same. What the two breakers do not share is left out: gobreaker does
// not see that a success has completed the minimum, opens again at the first failed probe, counts an outcome in the
// bucket in which its call began, has no window of calls, and its time is over just after ours.
var twins = map[string]struct {
	ours   breaker.Config
	theirs gobreaker.Settings
	atOnce bool // each call ends as soon as it has begun
}{
	"consecutive failures": {
		ours:   breaker.Config{FailureRate: 1, MinCalls: 1_000_000, ConsecutiveFailures: 4, Probes: breaker.Probes{Calls: 1}},
		theirs: gobreaker.Settings{ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 4 }},
	},
	"failure rate over all calls": { // of one hour, which is longer than the test
		ours: breaker.Config{
			FailureRate: 0.3, MinCalls: 10, Window: breaker.Window{Time: time.Hour},
			Probes: breaker.Probes{Calls: 3},
		},
		theirs: gobreaker.Settings{
			MaxRequests: 3,
			ReadyToTrip: func(c gobreaker.Counts) bool {
				ended := c.TotalFailures + c.TotalSuccesses
				return ended >= 10 && 10*c.TotalFailures >= 3*ended
			},
		},
	},
	"failure rate over a window": {
		atOnce: true,
		ours: breaker.Config{
			FailureRate: 0.3, MinCalls: 5, Window: breaker.Window{Time: 10 * time.Second}, Probes: breaker.Probes{Calls: 2},
		},
		theirs: gobreaker.Settings{
			MaxRequests: 2, Interval: 10 * time.Second, BucketPeriod: time.Second,
			ReadyToTrip: func(c gobreaker.Counts) bool {
				ended := c.TotalFailures + c.TotalSuccesses
				return ended >= 5 && 10*c.TotalFailures >= 3*ended
			},
		},
	},
}

// The same operations on gobreaker and on ours: the same admissions and the same states.
func TestBreakerAgreesWithGobreakerWhereTheyMeanTheSame(t *testing.T) {
	seeds := uint64(200)
	if testing.Short() {
		seeds = 30
	}
	for name, twin := range twins {
		t.Run(name, func(t *testing.T) {
			opened := 0
			for seed := range seeds {
				r := rand.New(rand.NewPCG(seed, 7))
				steps := make([]step, 300)
				for i := range steps {
					kind := [...]stepKind{begin, finish, call, call, call, wait}[r.IntN(6)]
					if twin.atOnce && kind != wait {
						kind = call
					}
					steps[i] = step{kind, r.IntN(1 << 16)}
				}
				with := func(steps []step) (n int, err error) {
					synctest.Test(t, func(*testing.T) { n, err = beside(twin.ours, twin.theirs, steps) })
					return n, err
				}
				n, err := with(steps)
				if err != nil {
					few := shortest(func(s []step) bool { _, err := with(s); return err != nil }, steps)
					_, short := with(few)
					t.Fatalf("seed %d: %v\n\nfirst seen as: %v", seed, short, err)
				}
				opened += n
			}
			if opened < int(seeds) {
				t.Errorf("opened only %d times", opened)
			}
		})
	}
}

// beside runs the steps on both breakers, and returns how often they opened.
func beside(ours breaker.Config, theirs gobreaker.Settings, steps []step) (opened int, err error) {
	ours.Slow.Over, ours.OpenFor, ours.MaxOpenFor = breaker.NoSlowCalls, 5*time.Second, 5*time.Second
	ours.Probes.Timeout = 1 << 60 // gobreaker waits for ever
	theirs.Timeout = 5 * time.Second
	theirs.IsExcluded = breaker.GobreakerExcluded
	b, cb := newBreaker(ours), gobreaker.NewTwoStepCircuitBreaker[int](theirs)
	b.SetRandom(func() float64 { return 1 }) // the jitter is cut at MaxOpenFor
	peer := breaker.FromGobreaker("peer", cb, quiet())
	type pair struct{ ours, theirs *seawall.Permit }
	var out []pair
	acquire := func() (pair, bool, error) {
		our, err := b.Acquire(context.Background())
		their, terr := peer.Acquire(context.Background())
		if (err == nil) != (terr == nil) {
			return pair{}, false, fmt.Errorf("ours says %v, gobreaker %v", err, terr) //nolint:errorlint // text
		}
		return pair{&our, &their}, err == nil, nil
	}
	end := func(p pair, arg int) {
		with, state := outcomes[arg%len(outcomes)], b.State()
		switch {
		case state == breaker.HalfOpen && with.outcome == seawall.Failure && b.Config().Probes.Calls > 1:
			with.err = nil
		case state == breaker.Closed && with.outcome == seawall.Success && tripsOnSuccess(b):
			with.err = errDown
		}
		p.ours.Done(with.err)
		p.theirs.Done(with.err)
	}
	for i, s := range steps {
		switch s.kind {
		case begin, call:
			p, ok, err := acquire()
			if err != nil {
				return 0, fmt.Errorf("step %d of %v: %w", i, steps, err)
			}
			if ok && s.kind == call {
				end(p, s.arg)
			} else if ok {
				out = append(out, p)
			}
		case finish:
			if len(out) > 0 {
				n := s.arg / len(outcomes) % len(out)
				end(out[n], s.arg)
				out = append(out[:n], out[n+1:]...)
			}
		case wait:
			// Gobreaker's deadlines are passed, ours are reached.
			time.Sleep([...]time.Duration{time.Millisecond, 300 * time.Millisecond, 2 * time.Second, 5*time.Second + 1}[s.arg%4])
		case reload, kinds:
		}
		if got, want := b.State(), peer.State(); got != want {
			return 0, fmt.Errorf("step %d of %v: ours is %v, gobreaker %v", i, steps, got, want)
		}
	}
	return int(b.Stats().Entered.Open), nil
}

// tripsOnSuccess reports whether even a success opens the breaker, because the minimum was not full or other successes
// have expired.
func tripsOnSuccess(b *breaker.Breaker) bool {
	in, cfg := b.Stats().Window, b.Config()
	return in.Calls+1 >= int64(cfg.MinCalls) && in.Failures*10 >= int64(cfg.FailureRate*10)*(in.Calls+1)
}
