package bulkhead_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// T77
func TestBulkheadHasTheNameThatTheRegistryGaveIt(t *testing.T) {
	registry := quietRegistry()
	first := bulkhead.New("inventory", bulkhead.Config{Registry: registry})
	second := bulkhead.New("inventory", bulkhead.Config{Registry: registry, Limit: 1, Mode: seawall.ForcedOpen})
	if first.Name() != "inventory" || second.Name() != "inventory#2" || second.String() != `bulkhead "inventory#2"` {
		t.Errorf("names are %q and %q, %v", first.Name(), second.Name(), second)
	}
	if _, err := second.Acquire(t.Context()); err == nil || err.Error() != `bulkhead "inventory#2": forced` {
		t.Errorf("error is %v, want one that names the second", err)
	}
	snapshots := registry.Snapshots()
	if len(snapshots) != 2 || snapshots[1].Name != "inventory#2" || snapshots[1].Mode != seawall.ForcedOpen {
		t.Errorf("the registry has %+v", snapshots)
	}
	runtime.KeepAlive(first)
}

// T77
func TestBulkheadTakesHostileNames(t *testing.T) {
	for _, name := range []string{"", "<script>alert(1)</script>", "a\nb{c=\"d\"}", "\x00\xff", "bulkhead \"x\""} {
		b := bulkhead.New(name, bulkhead.Config{Registry: quietRegistry()})
		if b.Name() != name || b.Snapshot().Name != name {
			t.Errorf("the name %q has become %q", name, b.Name())
		}
	}
}

// T77
func TestRegistryKeepsNoBulkheadAlive(t *testing.T) {
	registry := quietRegistry()
	each := 5000
	if raceEnabled {
		each = 1000
	}
	var building sync.WaitGroup
	for range 2 {
		building.Go(func() {
			for range each {
				b := bulkhead.New("dropped", bulkhead.Config{Registry: registry})
				if err := b.Do(t.Context(), succeed); err != nil {
					t.Error(err)
				}
			}
		})
	}
	building.Go(func() {
		for range 50 {
			for _, m := range registry.Members() {
				_ = m.(*bulkhead.Bulkhead).Do(t.Context(), succeed)
				m.Snapshot()
			}
		}
	})
	building.Wait()
	for deadline := time.Now().Add(5 * time.Second); len(registry.Members()) > 0; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%d bulkheads are still there after a garbage collection", len(registry.Members()))
		}
	}
}

func TestSnapshotSaysWhatStatsSays(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Limit: 3, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}})
	permits := fill(t, b, 3)
	for range 2 {
		_, err := b.Acquire(t.Context())
		wantReason(t, err, seawall.ReasonFull)
	}
	_ = b.SetMode(seawall.Shadow)
	permits = append(permits, acquire(t, b))
	s := b.Snapshot()
	if s.Kind != "bulkhead" || s.Name != "inventory" || s.Mode != seawall.Shadow || s.State != "" {
		t.Errorf("snapshot is %+v", s)
	}
	want := map[string]float64{
		"limit": 3, "active": 4, "calls.admitted": 4, "rejections.full": 2, "shadow_rejections": 1,
		"pending": 0, "expected_wait": 0, "calls.waited": 0, "calls.canceled": 0, "rejections.queue_full": 0,
		"rejections.queue_timeout": 0, "rejections.deadline": 0, "rejections.shed": 0, "rejections.forced": 0,
		"contended.critical-plus.admitted": 0, "contended.critical.admitted": 0, "contended.sheddable-plus.admitted": 0,
		"contended.sheddable.admitted": 0, "contended.critical-plus.rejected": 0, "contended.critical.rejected": 2,
		"contended.sheddable-plus.rejected": 0, "contended.sheddable.rejected": 0,
	}
	for _, v := range s.Values {
		if n, known := want[v.Name]; !known || n != v.V {
			t.Errorf("%s is %v, want %v", v.Name, v.V, n)
		}
		delete(want, v.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	for _, p := range permits {
		p.Done(nil)
	}
	wantIdle(t, b)
}
