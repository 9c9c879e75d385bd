package keyed_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall/internal/keyed"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// thing is a value that a test can protect.
type thing struct {
	k      int
	locked atomic.Bool
}

func newThings(limit int) *keyed.Map[int, *thing] {
	return keyed.NewMap(limit,
		func(k int) *thing { return &thing{k: k} },
		func(t *thing) bool { return t.locked.Load() })
}

// T76
func TestMapStaysBoundedAndNeverForgetsWhatIsProtected(t *testing.T) {
	const limit = 1000
	keys := 1_000_000
	if raceEnabled || testing.Short() {
		keys = 100_000
	}
	m := newThings(limit)
	protected := m.Get(-1)
	protected.locked.Store(true)

	before := heapInUse()
	random := rand.New(rand.NewPCG(1, 2))
	for range keys {
		m.Get(int(random.Uint32()))
	}
	grown := int64(heapInUse()) - int64(before)

	if n := m.Len(); n > limit+1 {
		t.Errorf("holds %d entries after %d keys, want at most %d and the protected one", n, keys, limit)
	}
	if grown > 4<<20 {
		t.Errorf("the heap grew by %d KiB for %d entries", grown>>10, limit)
	}
	if m.Get(-1) != protected {
		t.Error("the protected entry was forgotten")
	}
	runtime.KeepAlive(m)
}

func heapInUse() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapInuse
}

func TestMapForgetsTheIdleOneAndNotTheUsedOne(t *testing.T) {
	m := newThings(3)
	first, idle := m.Get(1), m.Get(2)
	m.Get(3)
	for k := 4; k < 100; k++ {
		if m.Get(1) != first {
			t.Fatalf("key 1 was forgotten although it was used before each new key, at %d", k)
		}
		m.Get(k)
	}
	if m.Get(2) == idle {
		t.Error("key 2 was kept although 96 other keys came after it")
	}
}

func TestMapForgetsAnEntryOnceItNeedsNoProtectionAnyMore(t *testing.T) {
	m := newThings(2)
	for k := range 50 {
		m.Get(k).locked.Store(true)
	}
	for k := range 1000 {
		m.Get(1000 + k)
	}
	if n := m.Len(); n != 52 {
		t.Fatalf("holds %d entries, want 50 protected ones and 2", n)
	}
	for k := range 50 {
		m.Get(k).locked.Store(false)
	}
	for k := range 1000 {
		m.Get(5000 + k)
	}
	if n := m.Len(); n != 2 {
		t.Errorf("holds %d entries after the protection ended, want 2", n)
	}
}

func TestMapDoesNotForgetTheNewcomerForLackOfRoom(t *testing.T) {
	m := newThings(1)
	for k := range 100 {
		newcomer := m.Get(k)
		if m.Get(k) != newcomer {
			t.Fatalf("key %d was forgotten at once", k)
		}
	}
}

func TestMapMakesAKeyOnceForAllWhoAskAtTheSameTime(t *testing.T) {
	const keys, callers = 2000, 8
	var made atomic.Int64
	m := keyed.NewMap(keys, func(int) *int64 {
		runtime.Gosched() // time for the others to ask as well
		return new(made.Add(1))
	}, nil)
	got := make([][keys]*int64, callers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			<-start
			for k := range keys {
				got[c][k] = m.Get(k)
			}
		})
	}
	close(start)
	wg.Wait()
	for c := range callers {
		if got[c] != got[0] {
			t.Fatalf("callers 0 and %d got different values for one key", c)
		}
	}
	if made.Load() != keys || m.Len() != keys {
		t.Errorf("made %d values and holds %d for %d keys", made.Load(), m.Len(), keys)
	}
}

// The first look at the map is without the lock: what several have missed there is still added once.
func TestMapAddsAKeyOnceForAllWhoHaveMissedIt(t *testing.T) {
	busy, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	m := keyed.NewMap(1, func(int) *int { return new(int) }, func(*int) bool {
		once.Do(func() {
			close(busy)
			<-release // with the lock
		})
		return false
	})
	m.Get(1)
	var wg sync.WaitGroup
	wg.Go(func() { m.Get(2) })
	<-busy
	var got [4]*int
	for i := range got {
		wg.Go(func() { got[i] = m.Get(3) })
	}
	time.Sleep(20 * time.Millisecond) // until they wait for the lock; too short a time makes the test pass
	close(release)
	wg.Wait()
	for _, v := range got {
		if v != got[0] {
			t.Errorf("key 3 has the values %p and %p", got[0], v)
		}
	}
}

func TestMapLeavesNothingBehindWhenMakePanics(t *testing.T) {
	broken := true
	m := keyed.NewMap(2, func(k string) string {
		if broken {
			panic("no " + k)
		}
		return "made " + k
	}, nil)
	func() {
		defer func() {
			if got := recover(); got != "no a" {
				t.Errorf("the panic was %v", got)
			}
		}()
		m.Get("a")
	}()
	if m.Len() != 0 {
		t.Errorf("%d entries are left of the panic", m.Len())
	}
	broken = false
	if got := m.Get("a"); got != "made a" {
		t.Errorf("Get after the panic: %q", got)
	}
}

func TestMapNeitherForgetsNorMiscountsWhatIsStillBeingMade(t *testing.T) {
	for _, end := range []string{"made", "panic"} {
		t.Run(end, func(t *testing.T) {
			making, release := make(chan struct{}), make(chan struct{})
			m := keyed.NewMap(2, func(k int) *thing {
				if k == 0 {
					close(making)
					<-release
					if end == "panic" {
						panic("no")
					}
				}
				return &thing{k: k}
			}, nil)
			var first *thing
			var wg sync.WaitGroup
			wg.Go(func() {
				defer func() { _ = recover() }()
				first = m.Get(0)
			})
			<-making
			for k := range 20 {
				m.Get(k + 1)
			}
			if n := m.Len(); n != 3 {
				t.Errorf("%d entries, want 2 and the one that is being made", n)
			}
			close(release)
			wg.Wait()
			if end == "panic" {
				if n := m.Len(); n != 2 {
					t.Errorf("%d entries after the panic, want 2", n)
				}
			} else if m.Get(0) != first {
				t.Error("it was forgotten while it was made")
			}
			for k := range 20 {
				m.Get(k + 100)
			}
			if n := m.Len(); n != 2 {
				t.Errorf("%d entries in the end, want 2", n)
			}
		})
	}
}

// T76: who sums over the entries hears of each one that goes, once, and before it is gone.
func TestMapTellsOfEachValueThatItForgetsWhileItIsStillThere(t *testing.T) {
	m := newThings(4)
	var told, made, there int
	gone := map[*thing]bool{}
	m.OnForget(func(v *thing) {
		if gone[v] || v.locked.Load() {
			t.Errorf("told of %d again, or it was protected", v.k)
		}
		gone[v] = true
		told++
		listed := false
		for _, other := range m.All() {
			listed = listed || other == v
		}
		if !listed {
			t.Errorf("%d is gone before it is told", v.k)
		}
	})
	random := rand.New(rand.NewPCG(5, 6))
	seen := map[*thing]bool{}
	for range 10_000 {
		v := m.Get(random.IntN(20))
		if gone[v] {
			t.Fatalf("%d was forgotten, and is there", v.k)
		}
		if !seen[v] {
			seen[v] = true
			made++
		}
		v.locked.Store(random.IntN(8) == 0)
	}
	for range m.All() {
		there++
	}
	if made != told+there || told == 0 {
		t.Errorf("%d were made, %d are there, and told of %d", made, there, told)
	}
}

// What a Map knows as used of late is not what it returns when that was forgotten.
func TestMapDoesNotReturnARecentOneThatWasForgotten(t *testing.T) {
	m := newThings(1)
	for round := range 100 {
		old := m.Get(1)
		for range 20 { // one of these makes it the recent one
			m.Get(1)
		}
		m.Get(2)
		m.Get(3) // which leaves no room for the others, whatever chance they had
		if m.Get(1) == old {
			t.Fatalf("round %d: what was forgotten came back", round)
		}
	}
}

func TestMapListsItsEntriesAndMayBeCalledMeanwhile(t *testing.T) {
	m := newThings(10)
	for k := range 5 {
		m.Get(k)
	}
	seen := map[int]*thing{}
	for k, v := range m.All() {
		seen[k] = v
		m.Get(k)
		_ = m.Len()
	}
	want := map[int]*thing{}
	for k := range 5 {
		want[k] = m.Get(k)
	}
	if !maps.Equal(seen, want) {
		t.Errorf("All gave %v, want %v", seen, want)
	}
	for range m.All() {
		break
	}
}

func TestMapPanicsOnALimitBelowOne(t *testing.T) {
	defer func() {
		if got, want := fmt.Sprint(recover()), "keyed: the limit is 0, want at least 1"; got != want {
			t.Errorf("panic %q, want %q", got, want)
		}
	}()
	newThings(0)
}

func TestMapReadsWithoutAllocating(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	type key struct{ scheme, host string }
	m := keyed.NewMap(2, func(key) *int { return new(int) }, nil)
	k := key{"https", "a.example"}
	m.Get(k)
	if n := testing.AllocsPerRun(1000, func() { m.Get(k) }); n != 0 {
		t.Errorf("Get allocates %v times", n)
	}
}

// TestMapKeepsItsPromisesUnderLoad lets several goroutines use, protect and release keys of their own beside a flood of
// others. While a key is protected its value must stay the same.
func TestMapKeepsItsPromisesUnderLoad(t *testing.T) {
	const limit, goroutines = 16, 4
	m := newThings(limit)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 7))
			for range 2000 {
				mine := m.Get(-1 - g)
				mine.locked.Store(true)
				again := m.Get(-1 - g)
				if again != mine { // forgotten before it was protected
					continue
				}
				for range random.IntN(20) {
					m.Get(random.IntN(10_000))
				}
				if m.Get(-1-g) != mine {
					t.Error("a protected entry was replaced")
					return
				}
				mine.locked.Store(false)
			}
		})
	}
	wg.Wait()
	if n := m.Len(); n > limit+goroutines {
		t.Errorf("holds %d entries, want at most %d", n, limit+goroutines)
	}
}
