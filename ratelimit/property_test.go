package ratelimit_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/shrink"
	"github.com/seawall-go/seawall/ratelimit"
)

// T35, T12, T34, T44, T75, T79: any list of operations agrees with a naive reference at each quiet moment: who is in, who
// waits, who was rejected, why and until when, how many tokens are left, and every count.
func TestLimiterDoesNotDifferFromABucketOnPaper(t *testing.T) {
	lists, length := 400, 300
	if raceEnabled || testing.Short() {
		lists = 30
	}
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(lists) {
			ops := randomOps(rand.New(rand.NewPCG(seed, 35)), length)
			if err := runOps(t.Context(), ops); err != nil {
				ops = shortest(t.Context(), ops)
				t.Fatalf("seed %d: %v\nshortest list: %v\nwhich ends so: %v", seed, err, ops, runOps(t.Context(), ops))
			}
		}
	})
}

func randomOps(rng *rand.Rand, length int) []byte {
	ops := make([]byte, opSize*length)
	for i := range ops {
		ops[i] = byte(rng.Uint32())
	}
	return ops
}

func shortest(ctx context.Context, ops []byte) []byte {
	return shrink.List(ops, opSize, func(ops []byte) bool { return runOps(ctx, ops) != nil })
}

// T35: never more than burst + rate·t in any interval, for the calls that were made: with waits, cancels, and calls that
// end at any time as rejected further in and give their tokens back.
func TestLimiterKeepsTheLawInEveryInterval(t *testing.T) {
	rounds := 60
	if raceEnabled || testing.Short() {
		rounds = 15
	}
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(rounds) {
			rng := rand.New(rand.NewPCG(seed, 1))
			burst, rate := 1+rng.IntN(8), float64(1+rng.IntN(50))
			l := newLimiter(ratelimit.Config{Rate: rate, Burst: burst, MaxWait: time.Duration(rng.IntN(2)) * time.Second})
			var made []time.Time
			var open []*seawall.Permit
			var waiting []*attempt
			ctx, cancel := context.WithCancel(t.Context())
			for range 600 {
				time.Sleep(time.Duration(rng.Int64N(int64(40 * time.Millisecond))))
				open = slices.DeleteFunc(open, func(p *seawall.Permit) bool {
					return rng.IntN(4) == 0 && p.Done(seawall.ErrRejected) // it was not made after all
				})
				for range rng.IntN(4) {
					a := start(ctx, l)
					waiting = append(waiting, a)
				}
				if rng.IntN(50) == 0 {
					cancel()
					ctx, cancel = context.WithCancel(t.Context())
				}
				synctest.Wait()
				waiting = slices.DeleteFunc(waiting, func(a *attempt) bool {
					if a.ended() && a.err == nil {
						if rng.IntN(3) == 0 {
							open = append(open, a.permit)
						} else {
							made = append(made, time.Now()) // late by a step at the most, which the slices below allow for
						}
					}
					return a.ended()
				})
			}
			cancel()
			synctest.Wait()
			// A start is seen up to 40 ms after it was, so an interval may seem that much shorter.
			if first, last, found := tooMany(made, float64(burst)+rate*0.04, rate); found {
				t.Fatalf("seed %d: %d calls within %v at %v + %v/s", seed, last-first+1, made[last].Sub(made[first]), burst, rate)
			}
		}
	})
}
