package cache

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// marks remember what was invalidated by tag, by key and as a whole. Nothing is searched: an entry that is older than a
// mark of its own is expired or removed when somebody looks at it. In this process older means a lower number, which no
// clock can get wrong. For what comes out of the second layer it means an earlier wall clock, with an allowance.
type marks struct {
	last       atomic.Uint64 // number of the latest mark
	soft, hard atomic.Uint64 // those of everything: expired, and removed

	skew     time.Duration
	trust    time.Duration // how long what the second layer said of a mark is taken for true; 0 is until a gap
	keepFor  time.Duration
	capacity int

	mu                 sync.RWMutex // guards the fields below, and every change of those above
	softWall, hardWall int64
	allKnown           known
	byID               map[string]*mark
}

// mark is that of one tag or key.
type mark struct {
	soft, hard         uint64
	softWall, hardWall int64
	good               int64 // an entry from just then is right, although it is not later than the mark: a Put's
	made               time.Duration
	known              known
}

// known says since when the second layer's word of a mark is known.
type known struct {
	yes bool
	at  time.Duration
}

// depth is how much a mark takes away.
type depth uint8

const (
	soft depth = iota // the time to live
	hard              // the value as well
)

// judgement is what the marks leave of an entry.
type judgement uint8

const (
	kept judgement = iota
	expired
	removed
)

// maxMarks bounds the memory of the marks. Beyond it they become one mark of everything.
const maxMarks = 1 << 16

func tagID(tag string) string { return "t:" + tag }
func keyID(key string) string { return "k:" + key }

// judge says what the marks leave of an entry of this process.
func (m *marks) judge(stamp uint64, tags []string) judgement {
	result := kept
	switch {
	case stamp < m.hard.Load():
		return removed
	case stamp < m.soft.Load():
		result = expired
	}
	if len(tags) == 0 {
		return result
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, tag := range tags {
		switch k := m.byID[tagID(tag)]; {
		case k == nil:
		case stamp < k.hard:
			return removed
		case stamp < k.soft:
			result = expired
		}
	}
	return result
}

// judgeWall says what the marks leave of an entry that another process may have written.
func (m *marks) judgeWall(wall int64, key string, tags []string) judgement {
	m.mu.RLock()
	defer m.mu.RUnlock()
	older := func(mark int64) bool { return mark != 0 && wall <= mark+int64(m.skew) }
	result := kept
	if older(m.hardWall) {
		return removed
	}
	if older(m.softWall) {
		result = expired
	}
	ids := make([]string, 0, len(tags)+1)
	ids = append(ids, keyID(key))
	for _, tag := range tags {
		ids = append(ids, tagID(tag))
	}
	for _, id := range ids {
		switch k := m.byID[id]; {
		case k == nil || k.good != 0 && wall == k.good:
		case older(k.hardWall):
			return removed
		case older(k.softWall):
			result = expired
		}
	}
	return result
}

// all marks everything. A wall of 0 leaves what is in the second layer alone.
func (m *marks) all(d depth, wall int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.allLocked(d, wall)
}

func (m *marks) allLocked(d depth, wall int64) {
	n := m.last.Load() + 1
	if d == hard {
		m.hard.Store(n)
	} else {
		m.soft.Store(n)
	}
	m.last.Store(n) // after the mark: whoever sees the number, without the lock, must find what it stands for
	m.wallLocked(d, wall)
}

// wallLocked marks what is in the second layer.
func (m *marks) wallLocked(d depth, wall int64) {
	if d == hard {
		m.hardWall = max(m.hardWall, wall)
	} else {
		m.softWall = max(m.softWall, wall)
	}
}

// tag marks a tag.
func (m *marks) tag(tag string, d depth, wall int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.atLocked(tagID(tag))
	n := m.last.Add(1)
	if d == hard {
		k.hard, k.hardWall = n, max(k.hardWall, wall)
	} else {
		k.soft, k.softWall = n, max(k.softWall, wall)
	}
}

// key marks a key, for what the second layer may still say of it. Entries of this process are changed themselves. With
// good, the entry from just then is right.
func (m *marks) key(key string, d depth, wall int64, good bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.atLocked(keyID(key))
	if d == hard {
		k.hardWall = max(k.hardWall, wall)
	} else {
		k.softWall = max(k.softWall, wall)
	}
	switch {
	case good && wall >= max(k.softWall, k.hardWall):
		k.good = wall
	case !good && wall >= k.good:
		k.good = 0
	}
}

// atLocked returns the mark of an ID, and makes it and room for it.
func (m *marks) atLocked(id string) *mark {
	k, ok := m.byID[id]
	if !ok {
		if len(m.byID) >= m.capacity {
			m.sweepLocked()
		}
		k = &mark{}
		m.byID[id] = k
	}
	k.made = mono.Now()
	return k
}

// sweepLocked forgets the marks that are older than every entry can be. If too many are left, everything is marked in
// their place: that expires more than it must, and never less. Marks of keys are about the second layer only.
func (m *marks) sweepLocked() {
	now := mono.Now()
	for id, k := range m.byID {
		if now-k.made > m.keepFor {
			delete(m.byID, id)
		}
	}
	if len(m.byID) <= m.capacity/2 {
		return
	}
	expires, removes := false, false
	for _, k := range m.byID {
		m.wallLocked(soft, k.softWall)
		m.wallLocked(hard, k.hardWall)
		expires, removes = expires || k.soft != 0, removes || k.hard != 0
	}
	clear(m.byID)
	if expires {
		m.allLocked(soft, 0)
	}
	if removes {
		m.allLocked(hard, 0)
	}
}

// unknown returns which of the tags, and whether the mark of everything, must be asked of the second layer.
func (m *marks) unknown(tags []string) (ask []string, everything bool) {
	now := mono.Now()
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, tag := range tags {
		if k := m.byID[tagID(tag)]; k == nil || !m.isKnown(k.known, now) {
			ask = append(ask, tag)
		}
	}
	return ask, !m.isKnown(m.allKnown, now)
}

func (m *marks) isKnown(k known, now time.Duration) bool {
	return k.yes && (m.trust == 0 || now-k.at < m.trust)
}

// learn takes what the second layer says of the mark of a tag, or of everything if tag is empty. What is news here
// expires what this process holds.
func (m *marks) learn(tag string, softWall, hardWall int64) {
	now := known{yes: true, at: mono.Now()}
	m.mu.Lock()
	defer m.mu.Unlock()
	if tag == "" {
		m.allKnown = now
		if softWall > m.softWall {
			m.allLocked(soft, softWall)
		}
		if hardWall > m.hardWall {
			m.allLocked(hard, hardWall)
		}
		return
	}
	k := m.atLocked(tagID(tag))
	k.known = now
	if softWall > k.softWall {
		k.soft, k.softWall = m.last.Add(1), softWall
	}
	if hardWall > k.hardWall {
		k.hard, k.hardWall = m.last.Add(1), hardWall
	}
}

// missed forgets what is known, because messages may have been lost, and expires everything that is older than wall,
// here and in the second layer.
func (m *marks) missed(wall int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.allKnown = known{}
	for _, k := range m.byID {
		k.known = known{}
	}
	m.allLocked(soft, wall)
}

func (m *marks) len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.byID)
}
