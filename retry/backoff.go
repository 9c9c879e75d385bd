package retry

import (
	"fmt"
	"math"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/seawall-go/seawall/internal/dice"
)

// Kind is a law of waits. With v = min(Max, Base·Factorⁿ⁻¹) before the n-th wait and U(a, b) a random time between a
// and b, they are those of Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015; his first wait
// grows from twice the base, ours from the base.
type Kind uint8

const (
	// FullJitter is U(0, v), the default: the least work, and the flattest arrivals.
	FullJitter Kind = iota
	// EqualJitter is v/2 + U(0, v/2): never less than half of the exponential wait.
	EqualJitter
	// DecorrelatedJitter is s = min(Max, U(Base, 3s)) with s the one before it, Base at first; Factor means nothing to
	// it. In the article s is also the wait, so that of waits that have grown a quarter to two fifths are Max itself,
	// and callers who failed together meet there. Here a wait that would be cut off at Max is U(Base, Max) instead; s
	// goes on as it does in the article, so that the waits grow as fast and shrink as seldom. The work in the article's
	// experiment is the same within 1 %.
	DecorrelatedJitter
	// Exponential is v, without jitter: for one caller alone. Callers that failed together come back together.
	Exponential
	// Constant is Base, without jitter.
	Constant
	// Immediate is no wait at all.
	Immediate
)

var kindNames = [...]string{
	"full_jitter", "equal_jitter", "decorrelated_jitter", "exponential", "constant", "immediate",
}

// String returns "full_jitter", "equal_jitter", "decorrelated_jitter", "exponential", "constant" or "immediate".
func (k Kind) String() string { return nameOf(kindNames[:], uint8(k), "Kind") }

// MarshalText returns the form of String, for configuration files.
func (k Kind) MarshalText() ([]byte, error) {
	return marshalName(kindNames[:], uint8(k), "kind of backoff")
}

// UnmarshalText reads the form of String.
func (k *Kind) UnmarshalText(text []byte) error {
	i, err := indexOf(kindNames[:], text, "kind of backoff")
	if err == nil {
		*k = Kind(i)
	}
	return err
}

// Backoff is a schedule of waits, as data: it compares, prints and loads. It has no state; New makes one for a call.
type Backoff struct {
	// Kind is the law of the waits. Default [FullJitter]. Without jitter callers that failed together come back together.
	Kind Kind `json:"kind" yaml:"kind"`
	// Base is what the first wait is made of, and what the waits grow from. Default 50 ms; at least 1 ns. Far below the
	// time of a call the first retries meet the fault that they are to outlast; far above it they cost the caller's time.
	Base time.Duration `json:"base" yaml:"base"`
	// Max is the longest wait, jitter included. Default 5 s, or Base if that is longer; at least Base. A short one lets
	// callers with many attempts go on asking often through a long outage; a long one delays what has healed by as much.
	// The time that a dependency asks for comes before it, and is not cut by it; see Config.MaxRetryAfter.
	Max time.Duration `json:"max" yaml:"max"`
	// Factor is by how much waits grow from one to the next. Default 2; 1 to 100. With 1 they do not grow, with 100 the
	// second or third is Max.
	Factor float64 `json:"factor" yaml:"factor"`
}

func (b Backoff) withDefaults() Backoff {
	if b.Base == 0 {
		b.Base = 50 * time.Millisecond
	}
	if b.Max == 0 {
		b.Max = max(5*time.Second, b.Base)
	}
	if b.Factor == 0 {
		b.Factor = 2
	}
	return b
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (b Backoff) Validate() error {
	given := b
	switch b = b.withDefaults(); {
	case int(b.Kind) >= len(kindNames):
		return fmt.Errorf("retry: Backoff.Kind is %v, want one of %v", b.Kind, kindNames)
	case b.Base < 0:
		return fmt.Errorf("retry: Backoff.Base is %v, want at least 1ns", b.Base)
	case b.Max < b.Base:
		return fmt.Errorf("retry: Backoff.Max is %v, want at least Base, which is %v", given.Max, b.Base)
	case math.IsNaN(b.Factor) || b.Factor < 1 || b.Factor > 100:
		return fmt.Errorf("retry: Backoff.Factor is %v, want 1 to 100", b.Factor)
	}
	return nil
}

// New makes a schedule at its beginning, for one call: it is not safe for concurrent use. It never ends. New panics if
// b is not valid.
func (b Backoff) New() backoff.BackOff {
	if err := b.Validate(); err != nil {
		panic(err.Error())
	}
	s := b.withDefaults().schedule(dice.Uint64N)
	return &s
}

// schedule makes a schedule of a Backoff without zero fields. uint64n is uniform in [0, n).
func (b Backoff) schedule(uint64n func(n uint64) uint64) schedule {
	return schedule{Backoff: b, latest: b.Base, uint64n: uint64n}
}

// schedule is a Backoff with the state of one call.
type schedule struct {
	Backoff
	n       int64         // waits so far
	latest  time.Duration // decorrelated jitter: the s of the wait before
	uint64n func(uint64) uint64
}

// NextBackOff returns the next wait.
func (s *schedule) NextBackOff() time.Duration {
	s.n++
	switch s.Kind {
	case FullJitter:
		return s.between(0, s.ceiling(s.n))
	case EqualJitter:
		v := s.ceiling(s.n)
		return s.between(v/2, v)
	case DecorrelatedJitter:
		high := time.Duration(math.MaxInt64)
		if s.latest < high/3 {
			high = 3 * s.latest
		}
		if s.latest = s.between(s.Base, high); s.latest > s.Max {
			s.latest = s.Max
			return s.between(s.Base, s.Max)
		}
		return s.latest
	case Exponential:
		return s.ceiling(s.n)
	case Constant:
		return s.Base
	}
	return 0
}

// Reset goes back to the beginning.
func (s *schedule) Reset() { s.n, s.latest = 0, s.Base }

// ceiling returns min(Max, Base·Factorⁿ⁻¹). The power may be infinite; it is compared before it is converted, because
// what does not fit into a Duration converts to anything.
func (b Backoff) ceiling(n int64) time.Duration {
	v := float64(b.Base) * math.Pow(b.Factor, float64(n-1))
	if v >= float64(b.Max) {
		return b.Max
	}
	return time.Duration(v)
}

// between returns a random time from low to high, both included.
func (s *schedule) between(low, high time.Duration) time.Duration {
	return low + time.Duration(s.uint64n(uint64(high-low)+1))
}
