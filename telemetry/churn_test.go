package telemetry_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/telemetry"
)

// fake is a member that says what it is told to.
type fake struct {
	name string
	say  func() seawall.Snapshot
}

func (f *fake) Snapshot() seawall.Snapshot { return f.say() }

func enter(r *seawall.Registry, kind, name string, say func() seawall.Snapshot) *fake {
	f := &fake{name: name, say: say}
	seawall.Register(r, kind, &f.name, f)
	return f
}

// churn is a family whose members come and go at random, and of which any 32 are shown.
type churn struct {
	random *rand.Rand
	counts map[string]float64 // of the living
	gone   float64
	born   int
	shown  []string
}

func (c *churn) total() float64 {
	sum := c.gone
	for _, v := range c.counts {
		sum += v
	}
	return sum
}

// turn lets time pass, and reports whether the same ones are shown as before.
func (c *churn) turn() (same bool) {
	for range c.random.IntN(20) {
		c.born++
		c.counts[fmt.Sprint("k", c.born)] = 0
	}
	for _, key := range slices.Sorted(maps.Keys(c.counts)) {
		c.counts[key] += float64(c.random.IntN(50))
		if c.random.IntN(30) == 0 && !slices.Contains(c.shown, key) {
			c.gone += c.counts[key]
			delete(c.counts, key)
		}
	}
	if c.random.IntN(2) == 0 && len(c.shown) > 0 {
		return true
	}
	c.shown = slices.Sorted(maps.Keys(c.counts))
	c.random.Shuffle(len(c.shown), func(i, j int) { c.shown[i], c.shown[j] = c.shown[j], c.shown[i] })
	c.shown = c.shown[:min(32, len(c.shown))]
	return false
}

func (c *churn) snapshot() seawall.Snapshot {
	say := func(name string, v float64) seawall.Snapshot {
		return seawall.Snapshot{Kind: "breaker", Name: name, Values: []seawall.Value{{Name: "calls.success", V: v}}}
	}
	s := say("f", c.total())
	for _, key := range c.shown {
		s.Members = append(s.Members, say("f["+key+"]", c.counts[key]))
	}
	return s
}

// Keys that come and go at random: no counter goes back, none grows by more than there was, and in a round in which the
// same ones are shown nothing is lost and nothing counted twice.
func TestOtherNeverDecreasesWhoeverComesAndGoes(t *testing.T) {
	for seed := range uint64(15) {
		b := start(t, telemetry.Config{})
		c := &churn{random: rand.New(rand.NewPCG(seed, 1)), counts: map[string]float64{}}
		f := enter(b.registry, "breaker", "f", c.snapshot)
		const other = "seawall.breaker.calls{key=_other,name=f,outcome=success}"
		var sum, total float64
		shown := map[string]float64{}
		for round := range 40 {
			same := c.turn()
			series := b.collect()
			grown := series[other] - sum
			if round > 0 && series[other] < sum {
				t.Fatalf("seed %d, round %d: _other went from %v to %v", seed, round, sum, series[other])
			}
			if all := c.total() - total; grown > all {
				t.Fatalf("seed %d, round %d: _other has grown by %v, and all together by %v", seed, round, grown, all)
			}
			want := c.total() - total
			for _, key := range c.shown {
				if got := series["seawall.breaker.calls{key="+key+",name=f,outcome=success}"]; got != c.counts[key] {
					t.Fatalf("seed %d, round %d: %s has %v, want %v", seed, round, key, got, c.counts[key])
				}
				want -= c.counts[key] - shown[key]
			}
			if (same || round == 0) && grown != want {
				t.Fatalf("seed %d, round %d: _other has grown by %v, want %v", seed, round, grown, want)
			}
			sum, total, shown = series[other], c.total(), map[string]float64{}
			for _, key := range c.shown {
				shown[key] = c.counts[key]
			}
		}
		runtime.KeepAlive(f)
	}
}

// Members are read later than their sum, and so may have more. What that takes from _other comes back.
func TestOtherDoesNotDriftByWhatIsReadLater(t *testing.T) {
	b := start(t, telemetry.Config{})
	total, late := 0.0, 0.0
	f := enter(b.registry, "breaker", "f", func() seawall.Snapshot {
		value := func(v float64) []seawall.Value { return []seawall.Value{{Name: "calls.success", V: v}} }
		return seawall.Snapshot{Kind: "breaker", Name: "f", Values: value(total), Members: []seawall.Snapshot{
			{Kind: "breaker", Name: "f[only]", Values: value(total + late)},
		}}
	})
	for i := range 100 {
		total += 10
		late = float64(i % 3)
		b.collect()
		if v := b.series["seawall.breaker.calls{key=_other,name=f,outcome=success}"]; v != 0 {
			t.Fatalf("round %d: _other has %v of a family of one", i, v)
		}
	}
	runtime.KeepAlive(f)
}

// steps is a family that says one thing after the other.
type steps struct {
	total   float64
	members map[string]float64
	want    float64 // of _other
}

func TestOtherTakesAMemberForWhatItIs(t *testing.T) {
	for name, all := range map[string][]steps{
		"a new one that is shown is no part of it": {
			{10, map[string]float64{"a": 10}, 0}, {30, map[string]float64{"a": 20, "b": 10}, 0},
		},
		"an old one that is shown takes nothing from what the others have grown by": {
			{1010, map[string]float64{"a": 10}, 1000},
			{1030, map[string]float64{"a": 10, "b": 800}, 1020},
			{1060, map[string]float64{"a": 20, "b": 810}, 1030},
		},
		"one that is shown and made anew has grown by all that it has": {
			{100, map[string]float64{"a": 100}, 0}, {107, map[string]float64{"a": 7}, 0}, {110, map[string]float64{"a": 10}, 0},
		},
		"members that are read later than the sum do not make it less": {
			{100, map[string]float64{"a": 50}, 50}, {101, map[string]float64{"a": 54}, 50}, {105, map[string]float64{"a": 54}, 51},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, telemetry.Config{})
			var now steps
			f := enter(b.registry, "breaker", "f", func() seawall.Snapshot {
				values := func(v float64) []seawall.Value {
					return []seawall.Value{{Name: "calls.success", V: v}, {Name: "failure.ratio", V: v}}
				}
				s := seawall.Snapshot{Kind: "breaker", Name: "f", Values: values(now.total)}
				for key, v := range now.members {
					s.Members = append(s.Members, seawall.Snapshot{Kind: "breaker", Name: "f[" + key + "]", State: "open", Values: values(v)})
				}
				return s
			})
			for i, step := range all {
				now = step
				b.collect()
				if v := b.series["seawall.breaker.calls{key=_other,name=f,outcome=success}"]; v != step.want {
					t.Errorf("step %d: _other is %v, want %v", i, v, step.want)
				}
			}
			for id := range b.series {
				if strings.Contains(id, "_other") && !strings.HasPrefix(id, "seawall.breaker.calls") {
					t.Errorf("%s is added up", id)
				}
			}
			runtime.KeepAlive(f)
		})
	}
}

func TestFamilyThatIsEmptyForAWhileStaysAFamily(t *testing.T) {
	b := start(t, telemetry.Config{})
	members := []seawall.Snapshot{{Kind: "breaker", Name: "f[a]", Values: []seawall.Value{{Name: "calls.success", V: 5}}}}
	f := enter(b.registry, "breaker", "f", func() seawall.Snapshot {
		return seawall.Snapshot{Kind: "breaker", Name: "f", Values: []seawall.Value{{Name: "calls.success", V: 7}}, Members: members}
	})
	for range 2 {
		b.collect()
		b.want(map[string]float64{"seawall.breaker.calls{key=_other,name=f,outcome=success}": 2})
		if v, there := b.series["seawall.breaker.calls{name=f,outcome=success}"]; there {
			t.Errorf("the sum is a series of its own: %v", v)
		}
		members = nil
	}
	runtime.KeepAlive(f)
}

// T77: an exporter refuses all that it has for one value that is not UTF-8, and for two series that are equal.
func TestHostileNamesAndKeysAreExportedCutCleanAndApart(t *testing.T) {
	b := start(t, telemetry.Config{})
	long := strings.Repeat("ü", 40)
	names := []string{"plain", strings.Repeat("x", 64), long + "1", long + "2", "_other", "\xff", "\xfe", "a\x00b", ""}
	var all []any
	for _, name := range names {
		all = append(all, enter(b.registry, "breaker", name, func() seawall.Snapshot {
			s := seawall.Snapshot{Kind: "breaker", Name: name, Values: []seawall.Value{{Name: "calls.success", V: 1}, {Name: "calls.\xff", V: 1}}}
			for _, key := range append(names, "plain", "_other") { // some twice
				s.Members = append(s.Members, seawall.Snapshot{Kind: "breaker", Name: name + "[" + key + "]", Values: s.Values})
			}
			s.Values = []seawall.Value{{Name: "calls.success", V: 1000}, {Name: "calls.\xff", V: 1000}}
			return s
		}))
	}
	seen := map[string]bool{}
	for id := range b.collect() { // which reports series that come twice
		if !utf8.ValidString(id) {
			t.Errorf("%q is not UTF-8", id)
		}
		_, rest, _ := strings.Cut(id, "name=")
		name, _, _ := strings.Cut(rest, ",")
		seen[strings.TrimSuffix(name, "}")] = true
		if len(name) > 64+1 {
			t.Errorf("a name of %d bytes: %q", len(name), name)
		}
	}
	if !seen["plain"] || !seen[strings.Repeat("x", 64)] || len(seen) != len(names) {
		t.Errorf("the names are %q", slices.Sorted(maps.Keys(seen)))
	}
	runtime.KeepAlive(all)
}

// A counter that is a difference may not go back by what is just passing: for Prometheus it would have begun anew.
func TestDerivedCounterDoesNotGoBack(t *testing.T) {
	b := start(t, telemetry.Config{})
	admitted, contended := 100.0, 10.0
	f := enter(b.registry, "bulkhead", "slots", func() seawall.Snapshot {
		return seawall.Snapshot{Kind: "bulkhead", Name: "slots", Values: []seawall.Value{
			{Name: "calls.admitted", V: admitted}, {Name: "contended.critical.admitted", V: contended},
		}}
	})
	const id = "seawall.bulkhead.calls{admitted=true,name=slots,priority=unasked}"
	for _, c := range []struct{ admitted, contended, want float64 }{{100, 10, 90}, {100, 12, 90}, {105, 12, 93}, {7, 3, 4}} {
		admitted, contended = c.admitted, c.contended
		b.collect()
		b.want(map[string]float64{id: c.want, "seawall.bulkhead.calls{admitted=true,name=slots,priority=critical}": c.contended})
	}
	attempts := 100.0
	made := enter(b.registry, "retry", "r", func() seawall.Snapshot {
		return seawall.Snapshot{Kind: "retry", Name: "r", Values: []seawall.Value{{Name: "attempts", V: attempts}}}
	})
	for _, attempts = range []float64{100, 90} { // made anew, with many calls since
		b.collect()
		b.want(map[string]float64{"seawall.retry.attempts{name=r}": attempts})
	}
	runtime.KeepAlive([]any{f, made})
}

// Readers that collect at once must not see each other's time: older snapshots would look as if all had begun anew.
func TestReadersAtOnceCountNothingTwice(t *testing.T) {
	b := start(t, telemetry.Config{MaxNames: 1})
	var count atomic.Int64
	say := func(name string) *fake {
		return enter(b.registry, "retry", name, func() seawall.Snapshot {
			v := float64(count.Add(1))
			runtime.Gosched() // whoever came later may overtake
			return seawall.Snapshot{Kind: "retry", Name: name, Values: []seawall.Value{{Name: "attempts", V: v}}}
		})
	}
	a, z := say("a"), say("z")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			before := 0.0
			for range 200 {
				m := &meter{series: map[string]float64{}}
				if err := b.callback(context.Background(), observer{m: m}); err != nil {
					t.Error(err)
				}
				v := m.series["seawall.retry.attempts{name=_other}"]
				if v < before {
					t.Errorf("_other went from %v to %v", before, v)
				}
				before = v
			}
		})
	}
	all.Wait()
	b.collect()
	if v, most := b.series["seawall.retry.attempts{name=_other}"], float64(count.Load()); v > most {
		t.Errorf("_other has %v of %v", v, most)
	}
	runtime.KeepAlive([]any{a, z})
}

func TestSnapshotThatPanicsLeavesTheRestAlone(t *testing.T) {
	b := start(t, telemetry.Config{})
	f := enter(b.registry, "retry", "bad", func() seawall.Snapshot { panic("ouch") })
	g := enter(b.registry, "retry", "good", func() seawall.Snapshot {
		return seawall.Snapshot{Kind: "retry", Name: "good", Values: []seawall.Value{{Name: "attempts", V: 1}}}
	})
	for range 2 {
		b.collect()
		b.want(map[string]float64{"seawall.retry.attempts{name=good}": 1})
	}
	runtime.KeepAlive([]any{f, g})
}
