// Package keyed is a bounded map of things that are made when their key is first used: a breaker per host, a limiter
// per tenant.
package keyed

import (
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/seawall-go/seawall/internal/dice"
)

// Map holds one V for each key in use. It is bounded: over its limit it forgets what has not been used for the longest
// time, except what is protected. It is safe for concurrent use.
//
// Which entry has not been used for the longest time is known approximately, by second chances: the CLOCK algorithm of
// Corbató, "A Paging Experiment with the Multics System" (1968). So a Get of a key that is there takes no lock, and
// writes nothing as long as the entry has been used since its last chance.
type Map[K comparable, V any] struct {
	limit int
	make  func(K) V
	keep  func(V) bool
	told  func(V)  // of what is forgotten; may be nil
	index sync.Map // from K to *entry[K, V]

	// recent is one of the entries that were used of late. Most programs use one key most of the time.
	recent atomic.Pointer[entry[K, V]]

	mu   sync.Mutex // guards the fields below, and that index holds what the lists hold
	free list[K, V] // what may be forgotten, the next to be looked at last
	kept list[K, V] // what was protected when it was looked at
}

// NewMap makes a Map that holds at most limit entries beside the protected ones, which do not count. It panics if limit
// is below 1.
//
// make makes the value of a key. It runs outside of the lock, once for an entry: who asks for the same key meanwhile
// waits. keep says whether a value is protected now; nil protects none. It runs under the Map's lock, and so must be
// quick and not call the Map.
func NewMap[K comparable, V any](limit int, make func(K) V, keep func(V) bool) *Map[K, V] {
	if limit < 1 {
		panic(fmt.Sprintf("keyed: the limit is %d, want at least 1", limit))
	}
	m := &Map[K, V]{limit: limit, make: make, keep: keep}
	m.free.init()
	m.kept.init()
	return m
}

// OnForget lets f know of each value that is forgotten, once, while All still lists it. It runs under the Map's lock, right
// after keep has let the value go, and so must be quick and not call the Map. OnForget is called before the first Get.
func (m *Map[K, V]) OnForget(f func(V)) { m.told = f }

// Get returns the value of k, which it makes if there is none. Two calls for one key get the same value, unless it was
// not used between them while more than limit other keys were. If make panics, the panic is the caller's, and the next
// Get tries again.
//
// For a key that is there Get costs one lookup in a sync.Map, or a comparison if it is the recent one, and allocates
// nothing.
func (m *Map[K, V]) Get(k K) V {
	if e := m.recent.Load(); e != nil && e.k == k && e.made.Load() {
		e.use()
		return e.v
	}
	for {
		e := m.entryOf(k)
		if e.made.Load() {
			return e.v
		}
		e.once.Do(func() { m.fill(e) })
		if e.made.Load() {
			return e.v
		}
		// make panicked for the one who came first; its entry is gone.
	}
}

// Len returns the number of entries, the protected ones included.
func (m *Map[K, V]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.free.len + m.kept.len
}

// All returns the entries in no particular order. It does not count as using them. The loop's body may call the Map;
// entries that come or go meanwhile may be seen or not.
func (m *Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		m.index.Range(func(_, value any) bool {
			e := value.(*entry[K, V])
			return !e.made.Load() || yield(e.k, e.v)
		})
	}
}

// entryOf finds the entry of k or adds one, and makes room for it.
func (m *Map[K, V]) entryOf(k K) *entry[K, V] {
	if found, ok := m.index.Load(k); ok {
		e := found.(*entry[K, V])
		e.use()
		if dice.Uint64()%16 == 0 { // to write down each one would cost those who use many keys more than it is worth
			m.recent.Store(e)
		}
		return e
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if found, ok := m.index.Load(k); ok { // another one came first
		return found.(*entry[K, V])
	}
	e := &entry[K, V]{k: k}
	m.index.Store(k, e)
	m.free.pushFront(e)
	m.reviewLocked()
	m.makeRoomLocked()
	return e
}

// reviewLocked looks at a few of the protected entries, and gives back what is not protected any more. Two for each
// newcomer are enough: at most one entry is protected for each, so every one is looked at again in time.
func (m *Map[K, V]) reviewLocked() {
	for range min(2, m.kept.len) {
		e := m.kept.last()
		m.kept.remove(e)
		if m.protected(e) {
			m.kept.pushFront(e)
		} else {
			e.kept = false
			m.free.pushBack(e)
		}
	}
}

// makeRoomLocked forgets entries until no more than the limit are left, never a newcomer, which is still being made. Each
// entry that it passes by has lost its chance or left the list, so it ends, and costs a constant for each use.
func (m *Map[K, V]) makeRoomLocked() {
	for m.free.len > m.limit {
		e := m.free.last()
		m.free.remove(e)
		switch {
		case e.used.Swap(false):
			m.free.pushFront(e)
		case m.protected(e):
			e.kept = true
			m.kept.pushFront(e)
		default:
			if m.told != nil {
				m.told(e.v)
			}
			m.index.CompareAndDelete(e.k, e)
			e.made.Store(false) // for those who still know it as the recent one
		}
	}
}

// protected also holds for an entry whose value is still being made.
func (m *Map[K, V]) protected(e *entry[K, V]) bool {
	return !e.made.Load() || m.keep != nil && m.keep(e.v)
}

// fill makes the value of e, or takes e out if that panics or exits the goroutine.
func (m *Map[K, V]) fill(e *entry[K, V]) {
	made := false // e.made may be false again by then
	defer func() {
		if !made {
			m.drop(e)
		}
	}()
	e.v = m.make(e.k)
	e.made.Store(true)
	made = true
}

func (m *Map[K, V]) drop(e *entry[K, V]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.kept {
		m.kept.remove(e)
	} else {
		m.free.remove(e)
	}
	m.index.CompareAndDelete(e.k, e)
}

// entry is one key with its value.
type entry[K comparable, V any] struct {
	k    K
	once sync.Once
	made atomic.Bool // orders v: it is written before, and read after; false again when the entry is forgotten
	v    V
	used atomic.Bool // since it was last looked at

	prev, next *entry[K, V] // in its list; guarded by the Map's lock, like kept
	kept       bool
}

// use notes that the entry was used.
func (e *entry[K, V]) use() {
	if !e.used.Load() { // a write would move the cache line between the processors on each call
		e.used.Store(true)
	}
}
