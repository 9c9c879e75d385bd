package policyfile

import (
	"fmt"
	"sync/atomic"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/keyed"
)

// Keyed is a keyed chain of a [Set]: a chain for each tenant, host or shard, made when its key is first used. Get it
// from [Set.Keyed] once, and keep it. It is safe for concurrent use.
//
// It is bounded: over max_keys it forgets the keys that have not been used for the longest time, except those with a
// policy that must be kept ([seawall.Keeper]), such as an open breaker, which do not count. With a ratelimit those are all
// keys whose bucket is not full. So where strangers choose the keys, and a bucket takes long to fill, use a
// ratelimit.Group instead, which fails closed.
type Keyed struct {
	name     string
	registry *seawall.Registry
	label    func(key string) string // nil is the key itself
	used     atomic.Bool             // the program has it, so the file must
	state    atomic.Pointer[family]
	views    map[id]*view // of the reload that is under way
}

// family is the chains of a Keyed for one content of the file. Families that differ in the policies only share the map.
type family struct {
	version int // grows with each content
	spec    *chainSpec
	members *keyed.Map[string, *keyedChain]
	from    *atomic.Pointer[family] // what members is filled from: the family before it, or none
}

func newKeyed(spec *chainSpec, opts *Options) *Keyed {
	k := &Keyed{name: spec.name, registry: opts.Registry, label: opts.Label}
	k.state.Store(k.newFamily(1, spec))
	k.show(spec)
	return k
}

func (k *Keyed) newFamily(version int, spec *chainSpec) *family {
	from := new(atomic.Pointer[family])
	return &family{version, spec, keyed.NewMap(spec.maxKeys, func(key string) *keyedChain {
		if before := from.Load(); before != nil {
			return before.members.Get(key)
		}
		return newKeyedChain(k.state.Load(), k.suffix(key))
	}, (*keyedChain).keep), from}
}

// suffix is what the names of a key's policies have behind that of the file.
func (k *Keyed) suffix(key string) string {
	if k.label != nil {
		key = k.label(key)
	}
	return fmt.Sprintf("[%.64s]", key)
}

// For returns the chain of a key, and makes it if there is none. Ask for each call anew: a chain that is kept misses
// policies that come and go, and may be forgotten while it is in use. For a key that is there For costs one lookup in a
// sync.Map and three atomic loads, and allocates nothing.
func (k *Keyed) For(key string) *seawall.Pipeline {
	f := k.state.Load()
	c := f.members.Get(key)
	for now := k.state.Load(); now != f; now = k.state.Load() {
		if now.members != f.members { // the key may have come into the old map after all had moved
			c = now.members.Get(key)
		}
		f = now
	}
	if s := c.current.Load(); s.version >= f.version {
		return s.pipeline
	}
	return c.follow(f, k.registry)
}

// Len returns how many chains there are.
func (k *Keyed) Len() int { return k.state.Load().members.Len() }

// Name returns the name that the chain has in the file.
func (k *Keyed) Name() string { return k.name }

// update takes over a chain of the file. The chains of the keys follow when they are next used.
func (k *Keyed) update(spec *chainSpec) {
	defer k.show(spec)
	before := k.state.Load()
	if before.spec.maxKeys == spec.maxKeys {
		k.state.Store(&family{before.version + 1, spec, before.members, before.from})
		return
	}
	// Keys move to a map of the new size, which until then asks the old one. What comes into the old one later is made
	// for a caller that then sees the new state, and asks again.
	next := k.newFamily(before.version+1, spec)
	next.from.Store(before)
	k.state.Store(next)
	for key := range before.members.All() {
		next.members.Get(key)
	}
	next.from.Store(nil)
}

// keyedChain is the chain of one key.
type keyedChain struct {
	suffix  string
	busy    atomic.Bool // one caller brings it up to date
	current atomic.Pointer[keyedState]
}

type keyedState struct {
	version  int
	roster   roster
	pipeline *seawall.Pipeline
}

func newKeyedChain(f *family, suffix string) *keyedChain {
	c := &keyedChain{suffix: suffix}
	made, err := roster{}.changeTo(f.spec.policies, c.suffix)
	if err != nil {
		panic(err.Error()) // the set has tried the same settings
	}
	c.current.Store(&keyedState{f.version, made.next, made.next.pipeline(f.spec)})
	return c
}

func (c *keyedChain) keep() bool { return c.current.Load().pipeline.Keep() }

// follow brings the chain up to date. There is no lock, because a listener that an update runs may use the key itself:
// it, and all others meanwhile, get the chain as it was.
func (c *keyedChain) follow(f *family, registry *seawall.Registry) *seawall.Pipeline {
	if !c.busy.CompareAndSwap(false, true) {
		return c.current.Load().pipeline
	}
	defer c.busy.Store(false)
	s := c.current.Load()
	if s.version >= f.version {
		return s.pipeline
	}
	next := &keyedState{f.version, s.roster, s.pipeline}
	change, err := s.roster.changeTo(f.spec.policies, c.suffix)
	if err == nil {
		err = change.apply()
	}
	if err == nil {
		next.roster, next.pipeline = change.next, change.next.pipeline(f.spec)
	} else {
		refused(registry, f.spec.name, err)
	}
	c.current.Store(next)
	return next.pipeline
}
