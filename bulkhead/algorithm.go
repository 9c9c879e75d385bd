package bulkhead

import (
	"fmt"
	"math"
	"time"
)

// Algorithm says how an [Adaptive] finds its limit.
type Algorithm uint8

const (
	// Knee looks for the knee of the curve of latency over concurrency: the point from which on more calls at once only
	// wait for each other. It is the default. See [KneeConfig].
	Knee Algorithm = iota + 1
	// AIMD raises the limit by one as long as calls succeed, and lowers it by a factor when they are dropped or too slow,
	// as TCP does (Chiu and Jain, 1989). It finds the limit of a dependency that rejects, or fails, what is too much for
	// it, and not that of one that queues. See [AIMDConfig].
	AIMD
)

var algorithmNames = [...]string{"", "knee", "aimd"}

// Valid reports whether a is 0, which is the default, or one of the algorithms.
func (a Algorithm) Valid() bool { return int(a) < len(algorithmNames) }

// String returns "knee" or "aimd", or "" for 0.
func (a Algorithm) String() string {
	if a.Valid() {
		return algorithmNames[a]
	}
	return fmt.Sprintf("Algorithm(%d)", uint8(a))
}

// MarshalText returns the form of String, for configuration files.
func (a Algorithm) MarshalText() ([]byte, error) {
	if !a.Valid() {
		return nil, fmt.Errorf("bulkhead: no such algorithm: %d", uint8(a))
	}
	return []byte(algorithmNames[a]), nil
}

// UnmarshalText reads the form of String.
func (a *Algorithm) UnmarshalText(text []byte) error {
	for i, name := range algorithmNames {
		if string(text) == name {
			*a = Algorithm(i)
			return nil
		}
	}
	return fmt.Errorf("bulkhead: no such algorithm: %q, want one of %q", text, algorithmNames[1:])
}

// algorithm finds a limit. It sees the calls in periods, reads no clock, and is used by one goroutine at a time.
type algorithm interface {
	// tune puts a configuration in force; what was learned stays, within the new bounds.
	tune(cfg AdaptiveConfig)
	// begin starts a period, in the place of one that may have been running.
	begin(now time.Duration) plan
	// learn is told how a period went, and starts the next.
	learn(p period) plan
	// learned returns the limit that was found, also while the plan has another one for a measurement.
	learned() int
	// baseline returns the latency without waiting, as far as it is known, or 0.
	baseline() time.Duration
}

// newAlgorithm makes the algorithm of a configuration with its defaults filled in.
func newAlgorithm(cfg AdaptiveConfig, limit int) algorithm {
	if cfg.Algorithm == AIMD {
		return newAIMD(cfg, limit)
	}
	return newKnee(cfg, limit)
}

// plan is what holds in a period. A period ends with the first call to end when its time is over and it has seen enough
// calls.
type plan struct {
	limit int
	until time.Duration // reading of the clock
	// floor lies far enough before the period that no call was held up for so long. At an earlier time the clock has gone
	// back, at the border of a testing/synctest bubble, and the period begins anew.
	floor time.Duration
	calls int64 // how many have to have ended that teach something

	clip time.Duration // a latency counts as no more than this
	late time.Duration // a success that took longer counts as dropped
	slow time.Duration // a failure that took longer counts as dropped
	vain time.Duration // a timeout that took no longer says nothing: the call had waited until it had no time left
}

// period is what became of the calls that ended in it.
type period struct {
	begin, end time.Duration
	succeeded  int64
	latency    time.Duration // of those that succeeded, each clipped, in sum
	failed     int64         // quickly, which says nothing about the load
	dropped    int64         // pushed back, timed out, or failed slowly
	full       bool          // the limit was reached
}

func (p *period) calls() int64 { return p.succeeded + p.failed + p.dropped }

// elapsed is in nanoseconds, and never 0.
func (p *period) elapsed() float64 { return float64(max(1, p.end-p.begin)) }

// mean is the latency of a success, in nanoseconds, and never 0. There must be one.
func (p *period) mean() float64 { return max(1, float64(p.latency)/float64(p.succeeded)) }

// rate is of successes, per nanosecond.
func (p *period) rate() float64 { return float64(p.succeeded) / p.elapsed() }

// served is how many successful calls were running on average, by Little's law.
func (p *period) served() float64 { return float64(p.latency) / p.elapsed() }

// collapsed reports that more calls were dropped than succeeded.
func (p *period) collapsed() bool { return p.dropped > p.succeeded }

// lacksSuccess reports that a tenth of the calls or more came to nothing. Then a limit that is used up is no reason for a
// higher one.
func (p *period) lacksSuccess() bool { return 10*(p.failed+p.dropped) >= p.calls() }

// never is longer than any call.
const never time.Duration = math.MaxInt64

// span converts nanoseconds, of which there may be too many for a Duration.
func span(ns float64) time.Duration { return time.Duration(min(ns, math.MaxInt64/2)) }
