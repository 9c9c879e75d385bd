package ratelimit

import (
	"hash/maphash"
	"sync"
)

// shards is into how many parts an index is divided, so that calls of different keys rarely meet.
const shards = 32

// index finds the entry of a key. It is a plain map in parts, because a sync.Map allocates at each lookup of a string.
type index[K comparable] struct {
	seed  maphash.Seed
	shard [shards]shard[K]
}

type shard[K comparable] struct {
	mu      sync.RWMutex // guards entries; the last to be taken
	entries map[K]*KeyLimiter[K]
	_       [64]byte
}

func newIndex[K comparable]() *index[K] {
	x := &index[K]{seed: maphash.MakeSeed()}
	for i := range x.shard {
		x.shard[i].entries = map[K]*KeyLimiter[K]{}
	}
	return x
}

func (x *index[K]) of(key K) *shard[K] {
	return &x.shard[maphash.Comparable(x.seed, key)%shards]
}

func (x *index[K]) find(key K) *KeyLimiter[K] {
	s := x.of(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.entries[key]
}

func (x *index[K]) add(e *KeyLimiter[K]) {
	s := x.of(e.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[e.key] = e
}

func (x *index[K]) drop(e *KeyLimiter[K]) {
	s := x.of(e.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, e.key)
}
