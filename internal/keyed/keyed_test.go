package keyed_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

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
	var made atomic.Int64
	m := keyed.NewMap(8, func(int) *int64 {
		runtime.Gosched()
		return new(made.Add(1))
	}, nil)
	for k := range 8 {
		var all sync.Map
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() { all.Store(m.Get(k), true) })
		}
		wg.Wait()
		different := 0
		all.Range(func(any, any) bool { different++; return true })
		if different != 1 {
			t.Fatalf("key %d: 16 callers got %d values", k, different)
		}
	}
	if made.Load() != 8 {
		t.Errorf("made %d values for 8 keys", made.Load())
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
