package ratelimit

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
)

// entry is one key of a [Group]. It is also what [Group.For] hands out; then it may be gone, or never have been there.
type entry[K comparable] struct {
	group   *Group[K]
	key     K
	limiter *Limiter      // nil if it never was there
	pins    atomic.Int64  // calls inside of limiter.Acquire; below 0 if the entry is gone, or about to be
	idleAt  time.Duration // reading of mono.Now before which it is not idle; guarded by the group's lock
}

// gone as the number of pins keeps new calls out. No number of calls makes up for it.
const gone = math.MinInt64 / 2

func newEntry[K comparable](g *Group[K], key K, l *Limiter, pins int64) *entry[K] {
	e := &entry[K]{group: g, key: key, limiter: l}
	e.pins.Store(pins)
	return e
}

// pin keeps an entry from being forgotten, unless it is already. A token is taken from a bucket only under a pin:
// else two callers could take the burst of the same key twice, one from the old bucket and one from the new.
func (e *entry[K]) pin() bool {
	if e.pins.Add(1) > 0 {
		return true
	}
	e.pins.Add(-1)
	return false
}

func (e *entry[K]) unpin() { e.pins.Add(-1) }

// letGo ends an entry that is idle. If it is not, it notes from when on it could be.
func (e *entry[K]) letGo(now time.Duration) bool {
	if !e.pins.CompareAndSwap(0, gone) {
		e.idleAt = max(e.limiter.idleAt(now), now+minRest)
		return false
	}
	// Whoever had a pin has taken its tokens by now, and nobody comes any more.
	if e.idleAt = e.limiter.idleAt(now); e.idleAt <= now {
		return true
	}
	e.idleAt = max(e.idleAt, now+minRest)
	e.pins.Add(-gone)
	return false
}

// Do runs op when the key has tokens for it.
func (e *entry[K]) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, e, op)
}

// Acquire asks for one call of the key.
func (e *entry[K]) Acquire(ctx context.Context) (seawall.Permit, error) {
	if !e.pin() {
		return e.group.Acquire(ctx, e.key)
	}
	defer e.unpin()
	return e.limiter.Acquire(ctx)
}

// String returns such as: ratelimit "tenants".
func (e *entry[K]) String() string { return e.group.String() }

// Traits returns the kind, and how long a call may wait.
func (e *entry[K]) Traits() seawall.Traits { return e.group.settings.Load().member.traits() }

// entryHeap has the entry first whose idleAt is the earliest.
type entryHeap[K comparable] []*entry[K]

func (h *entryHeap[K]) push(e *entry[K]) {
	*h = append(*h, e)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if s[parent].idleAt <= s[i].idleAt {
			return
		}
		s[parent], s[i] = s[i], s[parent]
		i = parent
	}
}

// pop takes the first one out.
func (h *entryHeap[K]) pop() {
	s := *h
	last := len(s) - 1
	s[0], s[last] = s[last], nil
	*h = s[:last]
	h.sink(0)
}

// sink moves an entry to its place whose idleAt has become later.
func (h *entryHeap[K]) sink(i int) {
	s := *h
	for {
		child := 2*i + 1
		if child >= len(s) {
			return
		}
		if right := child + 1; right < len(s) && s[right].idleAt < s[child].idleAt {
			child = right
		}
		if s[i].idleAt <= s[child].idleAt {
			return
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
}
