package draw

import "math"

// Source is a seed, from which streams are made. The zero value is the source of seed 0. It is immutable.
type Source struct{ seed uint64 }

// New returns the source of a seed. Every seed is as good as any other.
func New(seed uint64) Source { return Source{seed: seed} }

// Stream returns the stream of draws with this name. Streams with different names are independent of each other, and so
// are equally named ones of different sources. It allocates nothing.
func (s Source) Stream(name string) Stream {
	h := uint64(fnvOffset)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * fnvPrime
	}
	return Stream{state: mix(mix(s.seed+golden) ^ h)}
}

// Stream is a named family of random values, addressed by keys. It is a small immutable value, safe for concurrent use.
// A draw allocates nothing and costs a few nanoseconds for each key.
type Stream struct{ state uint64 }

// Uint64 returns the 64 bits that belong to the keys. Their order and their number count: (1, 2), (2, 1) and (1, 2, 0)
// are three different draws.
func (s Stream) Uint64(keys ...uint64) uint64 {
	h := s.state
	for _, key := range keys {
		h = mix((h ^ key) + golden)
	}
	return mix(h + golden)
}

// Float64 returns a value that is uniform in the open interval from 0 to 1. Neither end is ever drawn, so that every
// inverse distribution function is finite on it.
func (s Stream) Float64(keys ...uint64) float64 {
	// The middle of one of 2^52 equal cells: with 53 bits the sum would be rounded up to 1 in the last cell.
	return (float64(s.Uint64(keys...)>>12) + 0.5) / (1 << 52)
}

// Exp returns an exponentially distributed value with the given mean, in the mean's unit: the gap between two arrivals
// of a Poisson process, for one. It is at least 0.
func (s Stream) Exp(mean float64, keys ...uint64) float64 {
	return -mean * math.Log1p(-s.Float64(keys...))
}

// LogNormal returns a log-normally distributed value with the given mean, in the mean's unit, and the given standard
// deviation of its logarithm. It is above 0 for a mean above 0; a sigma of 0 always gives the mean.
//
// The mean is that of the value itself, not of its logarithm, so the location is mu = ln(mean) - sigma^2/2. The normal
// deviate comes from the inverse distribution function, which needs one uniform value where Box and Muller need two.
func (s Stream) LogNormal(mean, sigma float64, keys ...uint64) float64 {
	z := math.Sqrt2 * math.Erfinv(2*s.Float64(keys...)-1)
	return mean * math.Exp(sigma*z-sigma*sigma/2)
}

// golden is 2^64 divided by the golden ratio, made odd: the increment of SplitMix64.
const golden = 0x9e3779b97f4a7c15

// The parameters of FNV-1a with 64 bits, which turns a name into a number.
const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

// mix is the output function of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
// OOPSLA 2014, with the constants of Stafford's variant 13). It is a bijection in which each bit of the input flips
// each bit of the output with a probability near one half.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
