package papers_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seawall-go/seawall/internal/xfetch"
)

// earlyExpiration is what the paper's law says about recomputations before an expiry.
func earlyExpiration(_ *testing.T, b *book) {
	const seed, delta, rate = 1, 300 * time.Millisecond, 1000.0 // requests a second
	expiries := brief(2000, 20_000)
	b.given(seed, "%d expiries; a recomputation takes δ = %v, requests come %v times a second", expiries, delta, rate)
	tolerance := func(full float64) float64 { // three standard errors with fewer expiries
		return full * math.Sqrt(20_000/float64(expiries))
	}
	for _, beta := range []float64{1, 1.5} {
		r := rand.New(rand.NewPCG(seed, uint64(1000*beta)))
		begun, alone, gap := 0, 0, 0.0
		for range expiries {
			n, early := expiry(r, delta, beta, rate)
			begun += n
			if n == 1 {
				alone++
			}
			gap += early.Seconds()
		}
		mean := float64(begun) / float64(expiries)
		scale := beta * delta.Seconds()
		name := fmt.Sprintf("β = %v: ", beta)
		b.near(name+"recomputations begun before the first one ends, mean", math.Exp(1/beta), mean, tolerance(0.02))
		b.near(name+"share with one only", math.Exp(-1/beta), float64(alone)/float64(expiries), tolerance(0.03))
		b.near(name+"time before the expiry, mean, s", scale*(math.Log(rate*scale)+0.5772), gap/float64(expiries), tolerance(0.01))
		if beta == 1.5 {
			b.atMost(name+"the paper's own bound for the mean", 2, mean)
		}
	}
}

// expiry plays the requests before one expiry: each decides for itself, by the function that package cache asks, and none
// knows of the others. It returns how many recomputations began before the first of them ended, and how early that began.
func expiry(r *rand.Rand, delta time.Duration, beta, rate float64) (begun int, early time.Duration) {
	between := time.Duration(float64(time.Second) / rate)
	// That one of them begins before this has a probability of a thousandth of a percent.
	left := time.Duration(17*beta*float64(delta)) + time.Duration(r.Int64N(int64(between)))
	for ; begun == 0 || early-left < delta; left -= between {
		if !xfetch.Early(left, delta, beta, r.Float64()) {
			continue
		}
		if begun++; begun == 1 {
			early = left
		}
	}
	return begun, early
}
