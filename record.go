package seawall

import (
	"context"
	"sync"
	"time"
)

// Record collects what happened to one call, and what its result alone does not tell. Policies write it on their rare
// paths only. It is safe for concurrent use; a nil Record takes everything and keeps nothing.
type Record struct {
	mu    sync.Mutex // guards facts
	facts Facts
}

// Facts is what a [Record] has collected.
type Facts struct {
	Retries     int           // attempts after the first, one after the other
	Hedges      int           // attempts beside the first
	Winner      int           // number of the attempt that won a race; 0 if there was none, or it was lost
	Waited      time.Duration // time between attempts
	ServerDelay time.Duration // the longest wait that the dependency asked for
	Replaced    bool          // the result is a fallback's
	Source      string        // where it comes from then: func, static, stale or partial, as in seawall.degrade.served
	Stale       time.Duration // age of a result that is a copy; 0 if it is fresh
	Cache       CacheResult   // what caches had for the call; of several, the worst
	DecidedBy   string        // the policy that decided the end, such as: breaker "payments"
	Reason      Reason        // why, if it was a rejection or a refused retry
}

// CacheResult is what a cache had for a call.
type CacheResult uint8

// The results, from the best to the worst.
const (
	NoCache    CacheResult = iota // no cache was asked
	CacheFresh                    // a copy that is fresh
	CacheMiss                     // nothing that could be used: the source was asked, or is known to have nothing
	CacheStale                    // a copy that is no longer fresh
	CacheError                    // nothing, and the source could not be asked
)

var cacheResultNames = [...]string{"", "fresh", "miss", "stale", "error"}

// String returns "fresh", "miss", "stale" or "error", and "" for NoCache.
func (c CacheResult) String() string {
	if int(c) < len(cacheResultNames) {
		return cacheResultNames[c]
	}
	return "unknown"
}

type recordKey struct{}

// WithRecord returns a context whose calls are recorded in the Record. One context records one call.
func WithRecord(ctx context.Context) (context.Context, *Record) {
	r := &Record{}
	return context.WithValue(ctx, recordKey{}, r), r
}

// RecordOf returns the Record of ctx, or nil, which may be used as well.
func RecordOf(ctx context.Context) *Record {
	r, _ := ctx.Value(recordKey{}).(*Record)
	return r
}

// Facts returns what has been collected so far.
func (r *Record) Facts() Facts {
	if r == nil {
		return Facts{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.facts
}

// Note changes the facts. change must not call the Record.
func (r *Record) Note(change func(*Facts)) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.facts)
}

// NoteCache notes what a cache had.
func (r *Record) NoteCache(result CacheResult) {
	r.Note(func(f *Facts) { f.Cache = max(f.Cache, result) })
}
