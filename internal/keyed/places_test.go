package keyed_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/internal/keyed"
	"github.com/seawall-go/seawall/internal/shrink"
)

// shop is a family of which a test knows everything: for each key what it claims.
type shop map[int]*keyed.Claim

// choose returns the keys that are shown, in their order.
func (s shop) choose(p *keyed.Places[int, int], n int) []int {
	members := func(yield func(int, int) bool) {
		for _, k := range slices.Sorted(maps.Keys(s)) { // so that a failure repeats itself
			if !yield(k, k) {
				return
			}
		}
	}
	return p.Choose(members, n, func(k int) keyed.Claim { return *s[k] })
}

func (s shop) call(k int, n int64) {
	if s[k] == nil {
		s[k] = &keyed.Claim{}
	}
	s[k].Calls += n
}

func TestThoseOutOfOrderComeFirstAndThenTheBusiest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p keyed.Places[int, int]
		s := shop{}
		for k := range 10 {
			s.call(k, int64(k))
		}
		s[0].First, s[3].First = true, true
		if got, want := s.choose(&p, 4), []int{3, 0, 9, 8}; !slices.Equal(got, want) {
			t.Errorf("%v are shown, want %v", got, want)
		}
		if got := s.choose(&p, 100); len(got) != 10 {
			t.Errorf("%v are shown, want all", got)
		}
		if got := (shop{}).choose(&p, 4); len(got) != 0 {
			t.Errorf("%v are shown of none", got)
		}
	})
}

func TestKeyKeepsItsPlaceUntilItIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p keyed.Places[int, int]
		s := shop{}
		s.call(1, 10)
		s.call(2, 20)
		s.choose(&p, 2)
		for range 100 { // busier ones come, and the old are still in use
			s.call(1, 1)
			s.call(2, 1)
			s.call(3, 1000)
			time.Sleep(5 * time.Second)
			if got := s.choose(&p, 2); slices.Contains(got, 3) {
				t.Fatalf("%v are shown, and 1 and 2 were in use", got)
			}
		}
		for i := range 13 { // 2 is idle
			s.call(1, 1)
			s.call(3, 1000)
			time.Sleep(5 * time.Second)
			got := s.choose(&p, 2)
			if lost := !slices.Contains(got, 2); lost != (i >= 11) || !slices.Contains(got, 1) {
				t.Fatalf("%v are shown %v after the last call of 2", got, time.Duration(i+1)*5*time.Second)
			}
		}
		s[4] = &keyed.Claim{First: true} // and who opens does not wait for a place
		if got, want := s.choose(&p, 2), []int{4, 3}; !slices.Equal(got, want) {
			t.Errorf("%v are shown, want %v", got, want)
		}
	})
}

// How busy a key is counts, not how old: yesterday's calls win no place.
func TestPlaceGoesToWhoIsBusyNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p keyed.Places[int, int]
		s := shop{}
		s.call(1, 1_000_000)
		s.call(2, 1)
		s.call(3, 1)
		s.choose(&p, 1)
		for range 20 {
			time.Sleep(10 * time.Second)
			s.call(2, 10)
			s.call(3, 20)
			s.choose(&p, 1)
		}
		if got := s.choose(&p, 1); got[0] != 3 {
			t.Errorf("%v is shown, want 3", got)
		}
	})
}

// step is one operation: time passes, a key has calls or changes its order, one is forgotten, somebody looks.
type step struct {
	op, key, n int
}

// place is what the model knows of a key: everything that has ever happened to it, at each look.
type place struct {
	firstSeen int
	looks     []look
	placed    bool
}

type look struct {
	at    time.Duration
	calls int64
}

// model keeps all looks, and ranks by going through them.
type model struct {
	keys   map[int]*place
	seen   int
	now    time.Duration
	bounds []time.Duration // the looks at which a period began
}

func (m *model) choose(s shop, n int) []int {
	if len(m.bounds) == 0 || len(m.keys) == 0 || m.now-m.bounds[len(m.bounds)-1] >= 10*time.Second {
		m.bounds = append(m.bounds, m.now)
	}
	for k := range m.keys {
		if s[k] == nil {
			delete(m.keys, k)
		}
	}
	all := slices.Sorted(maps.Keys(s))
	for _, k := range all {
		if m.keys[k] == nil {
			m.seen++
			m.keys[k] = &place{firstSeen: m.seen}
		}
		m.keys[k].looks = append(m.keys[k].looks, look{m.now, s[k].Calls})
	}
	slices.SortFunc(all, func(a, b int) int {
		x, y := m.keys[a], m.keys[b]
		return cmp.Or(
			truth(s[a].First, s[b].First),
			truth(x.placed && !m.idle(x), y.placed && !m.idle(y)),
			cmp.Compare(m.busy(y), m.busy(x)),
			truth(x.placed, y.placed),
			cmp.Compare(x.firstSeen, y.firstSeen),
		)
	})
	all = all[:min(n, len(all))]
	for k, p := range m.keys {
		p.placed = slices.Contains(all, k)
	}
	return all
}

func truth(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	}
	return 0
}

// idle: no look of the last minute has found other calls than the look before it.
func (m *model) idle(p *place) bool {
	at := p.looks[0].at
	for i := 1; i < len(p.looks); i++ {
		if p.looks[i].calls != p.looks[i-1].calls {
			at = p.looks[i].at
		}
	}
	return m.now-at >= time.Minute
}

// busy: the calls between the two latest looks at which a period began and the key was known. In its first period, all.
func (m *model) busy(p *place) int64 {
	var counted []look
	for i, l := range p.looks {
		if i > 0 && l.calls < p.looks[i-1].calls { // it has begun anew
			counted = []look{{}}
		}
		if i > 0 && slices.Contains(m.bounds, l.at) {
			counted = append(counted, l)
		}
	}
	last := p.looks[len(p.looks)-1].calls
	switch n := len(counted); {
	case n == 0:
		return last
	case n == 1 && counted[0] == (look{}):
		return last
	case n == 1:
		return counted[0].calls
	default:
		return counted[n-1].calls - counted[n-2].calls
	}
}

func run(steps []step) (problem string) {
	var p keyed.Places[int, int]
	m, s, start := &model{keys: map[int]*place{}}, shop{}, time.Now()
	for i, o := range steps {
		switch o.op {
		case 0:
			time.Sleep(time.Duration(o.n) * time.Second)
		case 1, 2, 3:
			s.call(o.key, int64(o.n))
		case 4:
			s.call(o.key, 0)
			s[o.key].First = !s[o.key].First
		case 5:
			delete(s, o.key)
		case 6:
			if s[o.key] != nil { // forgotten and made anew between two looks
				s[o.key] = &keyed.Claim{Calls: int64(o.n)}
			}
		default:
			time.Sleep(time.Nanosecond) // the model tells looks by their times
			m.now = time.Since(start)
			got, want := s.choose(&p, 3), m.choose(s, 3)
			if !slices.Equal(got, want) {
				return fmt.Sprintf("look %d shows %v, want %v", i, got, want)
			}
		}
	}
	return ""
}

func TestPlacesAreThoseOfTheModel(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 9))
		steps := make([]step, 5+random.IntN(120))
		for i := range steps {
			steps[i] = step{random.IntN(9), random.IntN(8), random.IntN(30)}
		}
		fails := func(steps []step) (problem string) {
			synctest.Test(t, func(*testing.T) { problem = run(steps) })
			return problem
		}
		if fails(steps) != "" {
			short := shrink.List(steps, 1, func(steps []step) bool { return fails(steps) != "" })
			t.Fatalf("seed %d: %s: %v", seed, fails(short), short)
		}
	}
}
