package httpx

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"
)

// MemoryStoreConfig sets a [MemoryStore]. A zero field is its default.
type MemoryStoreConfig struct {
	// MaxEntries is how many entries are kept. Default 100,000; at least 1.
	MaxEntries int `json:"max_entries" yaml:"max_entries"`
	// MaxBytes is how much the entries may take together, in bytes: their answers, and 512 for each. Default 64 MiB; at
	// least 4096.
	MaxBytes int64 `json:"max_bytes" yaml:"max_bytes"`
}

func (c MemoryStoreConfig) withDefaults() MemoryStoreConfig {
	if c.MaxEntries == 0 {
		c.MaxEntries = 100_000
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 64 << 20
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c MemoryStoreConfig) Validate() error {
	switch c = c.withDefaults(); {
	case c.MaxEntries < 1:
		return fmt.Errorf("httpx: MemoryStoreConfig.MaxEntries is %d, want at least 1", c.MaxEntries)
	case c.MaxBytes < 4096:
		return fmt.Errorf("httpx: MemoryStoreConfig.MaxBytes is %d, want at least 4096", c.MaxBytes)
	}
	return nil
}

// MemoryStore is an [IdempotencyStore] in the memory of one process. Another process does not know its keys, and a
// restart forgets them: it is for services with one instance, and for tests.
//
// It is bounded. What is too much goes in this order: first the bodies of the answers that would have to go soonest, so
// that their keys are still done; then the answers themselves, whose keys are then new again. A running lease is
// never dropped: when there are only such, Begin returns [ErrStoreFull], and the request is refused. How much went before
// its time is in [MemoryStore.Stats]: a bound that is too low breaks the promise for old keys.
//
// A MemoryStore is safe for concurrent use, starts no goroutine, and takes one mutex for a constant time.
type MemoryStore struct {
	cfg MemoryStoreConfig

	mu            sync.Mutex // guards the fields below
	entries       map[[sha256.Size]byte]*memoryEntry
	running, done list.List     // of *memoryEntry, what ends first in front
	bodies        *list.Element // the first of done that has a body; nil if none has
	bytes         int64
	evicted       int64
	stripped      int64
}

// ErrStoreFull is what [MemoryStore.Begin] returns when all that it may hold are running leases.
var ErrStoreFull = errors.New("httpx: the store of idempotency keys is full of running requests")

// memoryEntry is an entry that is running or done.
type memoryEntry struct {
	id          [sha256.Size]byte
	fingerprint Fingerprint
	token       string    // of the lease
	until       time.Time // the end of the lease, or of the answer's time
	answered    bool
	answer      StoredAnswer
	size        int64
	place       *list.Element // in running or done
}

// entrySize is about what an entry takes without its answer: itself, its place in a list and in the map.
const entrySize = 512

// NewMemoryStore makes a store. It panics if cfg is not valid.
func NewMemoryStore(cfg MemoryStoreConfig) *MemoryStore {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	return &MemoryStore{cfg: cfg.withDefaults(), entries: map[[sha256.Size]byte]*memoryEntry{}}
}

// Begin claims an entry, see [IdempotencyStore].
func (s *MemoryStore) Begin(ctx context.Context, lease Lease) (Claim, error) {
	if ctx.Err() != nil {
		return Claim{}, context.Cause(ctx)
	}
	id, now := lease.Entry.Digest(), time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked(now)
	if e := s.entries[id]; e != nil {
		switch {
		case e.fingerprint != lease.Fingerprint:
			return Claim{State: ClaimConflict}, nil
		case e.answered:
			return Claim{State: ClaimDone, Answer: e.answer}, nil
		default:
			return Claim{State: ClaimRunning}, nil
		}
	}
	if !s.makeRoomLocked() {
		return Claim{}, ErrStoreFull
	}
	e := &memoryEntry{
		id: id, fingerprint: lease.Fingerprint, token: lease.Token, until: now.Add(lease.For), size: entrySize,
	}
	s.entries[id] = e
	s.bytes += e.size
	e.place = insert(&s.running, e)
	return Claim{State: ClaimNew}, nil
}

// Finish keeps an answer, see [IdempotencyStore].
func (s *MemoryStore) Finish(ctx context.Context, lease Lease, answer StoredAnswer, keep time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked(now)
	e := s.ownedLocked(lease)
	if e == nil {
		return ErrLeaseLost
	}
	s.running.Remove(e.place)
	e.answered, e.answer, e.until = true, answer, now.Add(keep)
	e.place = insert(&s.done, e)
	s.bytes += answerSize(answer)
	e.size += answerSize(answer)
	if len(answer.Body) > 0 && (s.bodies == nil || e.until.Before(s.bodies.Value.(*memoryEntry).until)) {
		s.bodies = e.place
	}
	for s.bytes > s.cfg.MaxBytes && s.giveUpLocked() {
	}
	return nil
}

// Release removes an entry, see [IdempotencyStore].
func (s *MemoryStore) Release(ctx context.Context, lease Lease) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.ownedLocked(lease); e != nil {
		s.removeLocked(e)
	}
	return nil
}

// ownedLocked returns the entry that runs under a lease, or nil.
func (s *MemoryStore) ownedLocked(lease Lease) *memoryEntry {
	if e := s.entries[lease.Entry.Digest()]; e != nil && !e.answered && e.token == lease.Token {
		return e
	}
	return nil
}

// sweepLocked removes what has ended. Each entry is removed once, so this is a constant time for each Begin on average.
func (s *MemoryStore) sweepLocked(now time.Time) {
	for _, l := range [...]*list.List{&s.running, &s.done} {
		for first := l.Front(); first != nil && !now.Before(first.Value.(*memoryEntry).until); first = l.Front() {
			s.removeLocked(first.Value.(*memoryEntry))
		}
	}
}

// makeRoomLocked reports whether there is room for one more entry, after dropping what may be dropped.
func (s *MemoryStore) makeRoomLocked() bool {
	for len(s.entries) >= s.cfg.MaxEntries {
		if !s.evictLocked() {
			return false
		}
	}
	for s.bytes+entrySize > s.cfg.MaxBytes {
		if !s.giveUpLocked() {
			return false
		}
	}
	return true
}

// giveUpLocked drops a body, or else an answer, and reports whether there was one.
func (s *MemoryStore) giveUpLocked() bool {
	if s.bodies == nil {
		return s.evictLocked()
	}
	e := s.bodies.Value.(*memoryEntry)
	s.passBodyLocked()
	s.bytes -= int64(len(e.answer.Body))
	e.size -= int64(len(e.answer.Body))
	e.answer.Body, e.answer.Dropped = nil, true // the entry's own: others may still send the old one
	s.stripped++
	return true
}

func (s *MemoryStore) evictLocked() bool {
	first := s.done.Front()
	if first == nil {
		return false
	}
	s.removeLocked(first.Value.(*memoryEntry))
	s.evicted++
	return true
}

func (s *MemoryStore) removeLocked(e *memoryEntry) {
	if e.place == s.bodies {
		s.passBodyLocked()
	}
	if e.answered {
		s.done.Remove(e.place)
	} else {
		s.running.Remove(e.place)
	}
	delete(s.entries, e.id)
	s.bytes -= e.size
}

// passBodyLocked moves on to the next answer that has a body.
func (s *MemoryStore) passBodyLocked() {
	for s.bodies != nil {
		s.bodies = s.bodies.Next()
		if s.bodies != nil && len(s.bodies.Value.(*memoryEntry).answer.Body) > 0 {
			return
		}
	}
}

// insert puts an entry into a list that is ordered by the end. Where all last equally long, that is its back.
func insert(l *list.List, e *memoryEntry) *list.Element {
	at := l.Back()
	for at != nil && e.until.Before(at.Value.(*memoryEntry).until) {
		at = at.Prev()
	}
	if at == nil {
		return l.PushFront(e)
	}
	return l.InsertAfter(e, at)
}

func answerSize(a StoredAnswer) int64 {
	n := len(a.Body)
	for name, values := range a.Header {
		for _, value := range values {
			n += len(name) + len(value)
		}
	}
	return int64(n)
}

// MemoryStoreStats is what a [MemoryStore] holds and has given up.
type MemoryStoreStats struct {
	Entries int   // running and done
	Running int   // of Entries
	Bytes   int64 // as MaxBytes counts them

	BodiesDropped int64 // bodies that went before their time
	Evicted       int64 // answers that went before their time: their keys are new again
}

// Stats returns the numbers of this instant. What has ended and was not swept out yet counts.
func (s *MemoryStore) Stats() MemoryStoreStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return MemoryStoreStats{
		Entries: len(s.entries), Running: s.running.Len(), Bytes: s.bytes, BodiesDropped: s.stripped, Evicted: s.evicted,
	}
}

var _ IdempotencyStore = (*MemoryStore)(nil)
