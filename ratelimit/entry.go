package ratelimit

import (
	"context"
	"time"

	"github.com/seawall-go/seawall"
)

// entry is one key of a [Group]. It is also what [Group.For] hands out; then it may be forgotten, or never have been there.
type entry[K comparable] struct {
	group   *Group[K]
	key     K
	limiter *Limiter      // nil if it never was there
	idleAt  time.Duration // reading of mono.Now before which it is not idle; guarded by the group's lock
}

// Do runs op when the key has tokens for it.
func (e *entry[K]) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, e, op)
}

// Acquire asks for one call of the key.
func (e *entry[K]) Acquire(ctx context.Context) (seawall.Permit, error) {
	if e.limiter == nil {
		return e.group.Acquire(ctx, e.key)
	}
	return e.group.acquire(ctx, e.key, e)
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
