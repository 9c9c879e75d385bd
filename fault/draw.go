package fault

import (
	"context"
	"math"
	"time"

	"github.com/seawall-go/seawall"
)

type keyKey struct{}

// WithKey returns a context whose call draws by key and not by its place in the order of calls: a fault hits it or
// spares it whatever other calls do, also in another process with the same plan. The number of the attempt
// ([seawall.Attempt]) is part of the draw, so a retry draws anew. A call that passes one point twice in an attempt
// draws the same twice; give each passage a key of its own if that matters.
func WithKey(ctx context.Context, key uint64) context.Context {
	return context.WithValue(ctx, keyKey{}, key)
}

// golden is 2^64 divided by the golden ratio, odd: the step of SplitMix64.
const golden = 0x9e3779b97f4a7c15

// mix is the output function of SplitMix64: a bijection in which each bit of x changes about half of the result's.
//
// Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014; the constants are
// David Stafford's "Mix13" (2011), as in java.util.SplittableRandom and Sebastiano Vigna's splitmix64.c.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// streamOf is the state from which the draws of one fault start: a function of the seed and of its place in the plan.
func streamOf(seed uint64, index int) uint64 {
	return mix(mix(seed+golden) + (uint64(index)+1)*golden)
}

// draw is the n-th output, from 1, of the SplitMix64 generator that starts from stream. It is computed from n and so
// needs no order of the calls.
func draw(stream, n uint64) uint64 { return mix(stream + n*golden) }

// drawKeyed is a draw that depends on nothing but the call itself. The complement keeps it apart from the numbered
// draws of the same fault.
func drawKeyed(stream, key uint64, attempt int) uint64 {
	return draw(draw(^stream, key), uint64(attempt))
}

// thresholdOf is the number below which the upper 53 bits of a draw are a hit. It is exact to 2^-53: a float64 times
// 2^53 loses nothing, and for a whole number n, n < x is n < ceil(x). A rate of 0 hits never, and 1 always.
func thresholdOf(rate float64) uint64 { return uint64(math.Ceil(rate * (1 << 53))) }

func hits(drawn, threshold uint64) bool { return drawn>>11 < threshold }

// drawFor decides about one call.
func (r *run) drawFor(ctx context.Context) bool {
	if key, ok := ctx.Value(keyKey{}).(uint64); ok {
		return hits(drawKeyed(r.stream, key, seawall.Attempt(ctx)), r.threshold)
	}
	return hits(draw(r.stream, r.draws.Add(1)), r.threshold)
}

// meets decides about one connection, or one dial.
func (r *run) meets(number uint64) bool { return hits(draw(r.stream, number), r.threshold) }

// delay is how long a fault of latency holds back the n-th chunk of bytes in one direction of a connection. What it draws
// depends on nothing but these numbers, so connections do not change each other's times.
func (r *run) delay(number, n uint64) time.Duration {
	f := r.fault
	if f.Jitter == 0 {
		return f.Latency
	}
	// From -1 to just below 1, in steps of 2^-52.
	u := float64(draw(draw(^r.stream, number), n)>>11)/(1<<52) - 1
	return f.Latency + time.Duration(u*float64(f.Jitter))
}
