package keyed

import (
	"cmp"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// Places chooses the members of a family that are shown one by one, where not all can be: first those that are out of
// order, then the busiest. Who has a place keeps it while it is in use, so that series, and the lines of a page, do not come
// and go with each look. The zero Places is ready for use, and safe for concurrent use.
//
// It remembers a few words for each key that was there at the latest look, and holds no member.
type Places[K comparable, V any] struct {
	mu    sync.Mutex // guards the fields below; held while the members are asked
	known map[K]use
	began time.Duration // reading of mono.Now at which the period began; only if a key is known
	keys  int64         // that were ever seen
}

// Claim is what a member has to say for itself.
type Claim struct {
	First bool  // it is out of order: open, or in a mode that was set by hand
	Calls int64 // that it has had; what they grow by is how busy it is
}

const (
	// countedFor is the least time over which it is counted how busy a key is.
	countedFor = 10 * time.Second
	// idleAfter is how long a key keeps its place without a call.
	idleAfter = time.Minute
)

// use is what is remembered of a key.
type use struct {
	number int64         // in the order in which the keys were first seen
	calls  int64         // at the latest look
	base   int64         // calls when the period began
	busy   int64         // calls of the last whole period; in the first one, all
	whole  bool          // it has seen a period from its begin
	active time.Duration // reading of mono.Now at the latest look that found more calls than the one before
	placed bool
}

type candidate[K comparable, V any] struct {
	key K
	v   V
	use
	first, idle bool
}

// Choose returns at most n of the members, the foremost first. It asks each once for its claim. members and claim run
// under the lock of p: they must not call it, and must tell nobody anything.
func (p *Places[K, V]) Choose(members iter.Seq2[K, V], n int, claim func(V) Claim) []V {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := mono.Now()
	over := now-p.began >= countedFor
	if over || len(p.known) == 0 {
		p.began = now
	}
	known := make(map[K]use, len(p.known))
	best := make([]candidate[K, V], 0, n+1)
	for key, v := range members {
		said := claim(v)
		u := p.lookLocked(key, said.Calls, now, over)
		c := candidate[K, V]{key, v, u, said.First, now-u.active >= idleAfter}
		u.placed = false
		known[key] = u
		if len(best) == n && c.compare(best[n-1]) > 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, c, candidate[K, V].compare)
		best = slices.Insert(best, at, c)
		best = best[:min(len(best), n)]
	}
	chosen := make([]V, len(best))
	for i, c := range best {
		chosen[i] = c.v
		c.placed = true
		known[c.key] = c.use
	}
	p.known = known
	return chosen
}

// lookLocked returns what is now known of a key.
func (p *Places[K, V]) lookLocked(key K, calls int64, now time.Duration, over bool) use {
	u, ok := p.known[key]
	if !ok {
		p.keys++
		u = use{number: p.keys, active: now}
	}
	if calls < u.calls { // it was forgotten, and made anew
		u.base, u.whole = 0, false
	}
	if calls != u.calls {
		u.calls, u.active = calls, now
	}
	switch {
	case over && ok:
		u.busy, u.base, u.whole = calls-u.base, calls, true
	case !u.whole:
		u.busy = calls - u.base
	}
	return u
}

// compare is negative if c comes before other.
func (c candidate[K, V]) compare(other candidate[K, V]) int {
	holds := func(c candidate[K, V]) bool { return c.placed && !c.idle }
	return cmp.Or(
		before(c.first, other.first),
		before(holds(c), holds(other)),
		cmp.Compare(other.busy, c.busy),
		before(c.placed, other.placed), // of the idle ones
		cmp.Compare(c.number, other.number),
	)
}

// before compares such that who is comes before who is not.
func before(is, other bool) int {
	switch {
	case is == other:
		return 0
	case is:
		return -1
	}
	return 1
}
