package retry

import (
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Remembered is how many of the latest errors an Error keeps beside the first one.
const Remembered = remembered

// Seeded is New with random numbers of its own.
func (b Backoff) Seeded(seed uint64) backoff.BackOff {
	s := b.withDefaults().schedule(rand.New(rand.NewPCG(seed, seed)).Uint64N)
	return &s
}

// SeededAt is Seeded as it is before its n-th wait.
func (b Backoff) SeededAt(seed uint64, n int64) backoff.BackOff {
	s := b.withDefaults().schedule(rand.New(rand.NewPCG(seed, seed)).Uint64N)
	s.n, s.latest = n-1, b.withDefaults().Max
	return &s
}

// Ceiling is the v of the n-th wait.
func (b Backoff) Ceiling(n int64) time.Duration { return b.withDefaults().ceiling(n) }
