package fault

import (
	"context"
	"math"

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

// drawFor draws for one call.
func (r *run) drawFor(ctx context.Context) uint64 {
	if key, ok := ctx.Value(keyKey{}).(uint64); ok {
		return drawKeyed(r.stream, key, seawall.Attempt(ctx))
	}
	return draw(r.stream, r.draws.Add(1))
}

// meets decides about one connection, or one dial.
func (r *run) meets(number uint64) bool { return hits(draw(r.stream, number), r.threshold) }

// ofConn is the stream of draws that a fault has for one connection. They depend on nothing but its number, so
// connections do not change each other's.
func (r *run) ofConn(number uint64) uint64 { return draw(^r.stream, number) }
