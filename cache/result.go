package cache

import (
	"context"
	"errors"
	"time"

	"github.com/seawall-go/seawall"
)

// Result is an answer of a cache, with what it is.
type Result[V any] struct {
	Value V
	State State
	// Age is the time since the value was loaded, or since the source has last said that it is right. 0 for [Default].
	Age time.Duration
	// Why says why the value is stale or a default; empty if it is neither.
	Why Why
	// Cause is the error of the load that failed, if that is why; else nil.
	Cause error
}

// State is what an answer is.
type State uint8

// The states.
const (
	Miss    State = iota // there is no value
	Fresh                // a copy within its time to live
	Loaded               // loaded for this call, or for another one that it has joined
	Stale                // a copy past its time to live
	Default              // what Config.Default gave
)

// String returns such as: fresh.
func (s State) String() string {
	switch s {
	case Miss:
		return "miss"
	case Fresh:
		return "fresh"
	case Loaded:
		return "loaded"
	case Stale:
		return "stale"
	case Default:
		return "default"
	}
	return "unknown"
}

// Why says why an answer is not fresh. The list is closed.
type Why string

// The reasons.
const (
	LoadFailed  Why = "load_failed"  // the load has just failed
	RetryLater  Why = "retry_later"  // a load failed less than Config.RetryEvery ago
	SoftTimeout Why = "soft_timeout" // the load goes on in the background
	HardTimeout Why = "hard_timeout" // the load goes on in the background
	OutOfTime   Why = "out_of_time"  // the caller's deadline came first
	NoLoad      Why = "no_load"      // there is no function that loads
	AsFallback  Why = "fallback"     // asked for as a fallback, or by Peek
)

// whys are the reasons in the order of their counters.
var whys = [...]Why{LoadFailed, RetryLater, SoftTimeout, HardTimeout, OutOfTime, NoLoad, AsFallback}

// stale makes the answer of a copy past its time to live, and tells everybody.
func (c *Cache[K, V]) stale(ctx context.Context, e *entry[V], now time.Duration, why Why, cause error) Result[V] {
	r := Result[V]{Value: c.hand(e.value), State: Stale, Age: max(now-e.loaded, 1), Why: why, Cause: cause}
	c.counts.served(why)
	c.degradedAt(now)
	c.note(ctx, func(f *seawall.Facts) { f.Stale, f.Cache = r.Age, max(f.Cache, seawall.CacheStale) }, cause)
	c.ages.Tell(ctx, string(why), r.Age)
	return r
}

// note tells the record of a call that its answer is not the source's.
func (c *Cache[K, V]) note(ctx context.Context, change func(*seawall.Facts), cause error) {
	record := seawall.RecordOf(ctx)
	if record == nil {
		return
	}
	record.Note(func(f *seawall.Facts) {
		change(f)
		f.DecidedBy = c.String()
		if rejection, ok := errors.AsType[*seawall.RejectedError](cause); ok {
			f.Reason = rejection.Reason
		}
	})
}

// degradedAt remembers that an answer was not the source's, for health.
func (c *Cache[K, V]) degradedAt(now time.Duration) {
	c.degraded.Store(int64(now))
	c.everDegraded.Store(true)
}
