package httpcache

import (
	"math"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// Store is where answers are kept: in memory, and for one [Cache] only. It may forget any of them at any time. The one
// that is used by default is bounded in bytes, and forgets what is asked for least (W-TinyLFU). The methods are called
// concurrently.
type Store interface {
	// Load returns the answers under a key, or nil.
	Load(key string) *Answers
	// Update replaces the answers under a key, in one step: change gets what is there, or nil, and returns what is to be
	// there, or nil for nothing. change is quick, does not panic, and may be called several times.
	Update(key string, change func(*Answers) *Answers)
	// Usage says what is kept.
	Usage() Usage
}

// Usage is what a [Store] holds.
type Usage struct {
	Answers   int64 // keys, each with its variants
	Bytes     int64 // fields, bodies, keys and overhead
	Evictions int64 // keys that had to make room, since the beginning
}

// Answers are the answers to the requests for one URI by one user. They differ by what Vary names. They do not change.
type Answers struct {
	variants []*entry // the newest first
	bytes    int64
}

// Bytes returns how much memory they take.
func (a *Answers) Bytes() int64 { return a.bytes }

// maxVariants bounds how many answers of one URI are kept: the newest. Beyond that Vary hardly helps, and a lookup, which
// goes through them, costs more than it saves.
const maxVariants = 32

// find returns the newest answer that a request may get, or nil.
func (a *Answers) find(req http.Header) *entry {
	if a == nil {
		return nil
	}
	for _, e := range a.variants {
		if e.selector.matches(req) {
			return e
		}
	}
	return nil
}

// with returns the answers with one more, the answer to req, in place of those that req would have got, and without the
// oldest ones if that takes more than limit bytes. An answer that was asked for before one of those is too late.
func (a *Answers) with(e *entry, req http.Header, limit int64) *Answers {
	next := &Answers{variants: []*entry{e}, bytes: e.size()}
	if a == nil {
		return next
	}
	for _, old := range a.variants {
		if !old.selector.matches(req) {
			next.add(old, limit)
		} else if old.sent.After(e.sent) {
			return a
		}
	}
	return next
}

// without returns the answers without one, or nil if none is left.
func (a *Answers) without(e *entry) *Answers {
	if a == nil || !slices.Contains(a.variants, e) {
		return a
	}
	next := &Answers{}
	for _, old := range a.variants {
		if old != e {
			next.add(old, math.MaxInt64)
		}
	}
	if len(next.variants) == 0 {
		return nil
	}
	return next
}

func (a *Answers) add(e *entry, limit int64) {
	if n := e.size(); len(a.variants) < maxVariants && a.bytes+n <= limit {
		a.variants = append(a.variants, e)
		a.bytes += n
	}
}

// memory is the default Store. Otter works on the goroutine of whoever calls it, and starts none: without expiry it has
// nothing to do by itself.
type memory struct {
	cache     *otter.Cache[string, *Answers]
	evictions atomic.Int64
}

func newMemory(limit int64) *memory {
	m := &memory{}
	m.cache = otter.Must(&otter.Options[string, *Answers]{
		MaximumWeight: uint64(limit),
		Weigher:       weight,
		Executor:      func(work func()) { work() },
		OnDeletion: func(e otter.DeletionEvent[string, *Answers]) {
			if e.WasEvicted() {
				m.evictions.Add(1)
			}
		},
	})
	return m
}

// weight is a sum that is known already: otter asks for it under a lock. It is never 0, which would be for ever, and
// fits, since answers are bounded.
func weight(key string, a *Answers) uint32 {
	return uint32(min(a.bytes+int64(len(key))+stringOverhead, math.MaxUint32))
}

func (m *memory) Load(key string) *Answers {
	a, _ := m.cache.GetIfPresent(key)
	return a
}

func (m *memory) Update(key string, change func(*Answers) *Answers) {
	m.cache.Compute(key, func(old *Answers, _ bool) (*Answers, otter.ComputeOp) {
		switch a := change(old); a {
		case old:
			return nil, otter.CancelOp
		case nil:
			return nil, otter.InvalidateOp
		default:
			return a, otter.WriteOp
		}
	})
}

func (m *memory) Usage() Usage {
	m.cache.CleanUp()
	return Usage{
		Answers:   int64(m.cache.EstimatedSize()),
		Bytes:     int64(m.cache.WeightedSize()),
		Evictions: m.evictions.Load(),
	}
}
