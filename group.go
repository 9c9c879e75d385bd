package seawall

import (
	"fmt"
	"iter"

	"github.com/seawall-go/seawall/internal/keyed"
)

// Group is a family of chains, one for each key: a host, a tenant, a shard. What one key suffers does not touch another.
// Make it with [NewGroup]. It is safe for concurrent use.
//
// A Group is bounded: over its limit it forgets the keys that have not been used for the longest time, except those with
// a policy that must be kept ([Keeper]), such as an open breaker. A chain that was forgotten while somebody held it goes
// on working; the next For of its key makes another one.
type Group[K comparable] struct {
	chains *keyed.Map[K, *Pipeline]
}

// NewGroup makes a Group that holds at most maxKeys chains beside those that must be kept, which do not count. build makes
// the chain of a key when that is first used, once for all who ask for it at the same time; it runs outside of all locks.
// NewGroup panics if maxKeys is below 1 or build is nil, and For if build returns nil.
//
// Policies that are made for a key should enter no registry, or there will be thousands in it: give them
// [Registry.Detached] as their Registry.
func NewGroup[K comparable](maxKeys int, build func(K) *Pipeline) *Group[K] {
	if maxKeys < 1 {
		panic(fmt.Sprintf("seawall: NewGroup: maxKeys is %d, want at least 1", maxKeys))
	}
	if build == nil {
		panic("seawall: NewGroup: build is nil")
	}
	made := func(key K) *Pipeline {
		p := build(key)
		if p == nil {
			panic("seawall: Group: build returned nil, want a chain")
		}
		return p
	}
	return &Group[K]{keyed.NewMap(maxKeys, made, (*Pipeline).Keep)}
}

// For returns the chain of a key, and makes it if there is none. For a key that is there it costs one lookup in a
// sync.Map, and allocates nothing for keys that fit an interface without allocation.
func (g *Group[K]) For(key K) *Pipeline { return g.chains.Get(key) }

// Len returns how many chains there are.
func (g *Group[K]) Len() int { return g.chains.Len() }

// All returns the keys with their chains, in no particular order. It does not count as using them.
func (g *Group[K]) All() iter.Seq2[K, *Pipeline] { return g.chains.All() }

// Keep reports whether one of the members must be kept; see [Keeper].
func (p *Pipeline) Keep() bool {
	for i := range p.stages {
		if k, ok := p.stages[i].policy.(Keeper); ok && k.Keep() {
			return true
		}
	}
	return false
}
