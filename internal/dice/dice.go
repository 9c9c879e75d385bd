// Package dice is where the policies get their randomness: jitter, sampling, shares. It is that of math/rand/v2, until a
// simulation loads the dice, so that the same seed gives the same run.
package dice

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// loaded is the source of a simulation; nil outside of one.
var loaded atomic.Pointer[source]

// source is a generator that many goroutines share.
type source struct {
	mu   sync.Mutex // guards rand
	rand *rand.Rand
}

// Uint64N returns a random number in [0, n). It panics if n is 0.
func Uint64N(n uint64) uint64 {
	if s := loaded.Load(); s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.rand.Uint64N(n)
	}
	return rand.Uint64N(n)
}

// Uint64 returns a random number.
func Uint64() uint64 {
	if s := loaded.Load(); s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.rand.Uint64()
	}
	return rand.Uint64()
}

// Float64 returns a random number in [0, 1).
func Float64() float64 {
	if s := loaded.Load(); s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.rand.Float64()
	}
	return rand.Float64()
}

// one is held by the simulation that has loaded the dice: another one waits.
var one sync.Mutex

// Load makes all draws of the program those of a seed, until unload is called. A second Load waits for the unload of the
// first. It is for simulations in tests: seawalltest loads the dice, and so do the experiments in benchmarks/papers.
func Load(seed uint64) (unload func()) {
	one.Lock()
	loaded.Store(&source{rand: rand.New(rand.NewPCG(seed, 0x5ea3a11))})
	return func() {
		loaded.Store(nil)
		one.Unlock()
	}
}
