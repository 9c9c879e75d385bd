package breaker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

func newGroup(cfg breaker.GroupConfig[int]) *breaker.Group[int] {
	if cfg.Registry == nil {
		cfg.Registry = quiet()
	}
	return breaker.NewGroup("hosts", cfg)
}

// T76: 10⁶ random keys with one open.
func TestGroupIsBoundedAndNeverForgetsAnOpenBreaker(t *testing.T) {
	keys := 1_000_000
	if testing.Short() || raceEnabled {
		keys = 2_000
	}
	g := newGroup(breaker.GroupConfig[int]{MaxKeys: 100, Breaker: breaker.Config{MinCalls: 2, OpenFor: time.Hour}})
	r := rand.New(rand.NewPCG(76, 0))
	const open, byHand, busy = -1, -2, -3
	for range 2 {
		_ = g.For(open).Do(t.Context(), fail)
	}
	setMode(t, g.For(byHand), seawall.ForcedOpen)
	running := acquire(t, g.For(busy))
	before := heap()
	for range keys {
		_ = g.For(r.IntN(1<<30)).Do(t.Context(), succeed)
		if n := g.Len(); n > 103 {
			t.Fatalf("%d members", n)
		}
	}
	if grown := heap() - before; grown > 1_000_000 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	wantState(t, g.For(open), breaker.Open)
	reject(t, g.For(byHand))
	if s := g.For(busy).Stats(); !running.Done(nil) || s.State != breaker.Closed || g.For(busy).Stats().Calls.Successes != 1 {
		t.Errorf("the busy one was forgotten: %+v", s)
	}
	s := g.Stats()
	if want := int64(keys) + 1; s.Calls.Successes != want || s.Calls.Failures != 2 || s.Rejected.Forced != 1 {
		t.Errorf("the sums are %+v, want %d successes", s, want)
	}
	if s.Keys() != g.Len() || s.Open != 1 {
		t.Errorf("%d members: %+v", g.Len(), s)
	}
}

// T76: a key that is forgotten and made anew by many at once is one breaker.
func TestGroupMakesOneBreakerForAKeyWhoeverAsks(t *testing.T) {
	g := newGroup(breaker.GroupConfig[int]{MaxKeys: 4})
	last := g.For(7)
	for round := range 200 {
		for key := range 10 { // push it out
			_ = g.For(1000 + 10*round + key)
		}
		var got [8]*breaker.Breaker
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range got {
			all.Go(func() {
				<-start
				got[i] = g.For(7)
			})
		}
		close(start)
		all.Wait()
		for _, b := range got {
			if b != got[0] || b == last {
				t.Fatalf("two breakers for one key, or it was not forgotten: %v", got)
			}
		}
		last = got[0]
	}
}

// T76: one key's trouble does not touch another.
func TestGroupMembersDoNotTouchEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(breaker.GroupConfig[int]{Breaker: breaker.Config{MinCalls: 2}})
		for range 10 {
			_ = g.For(1).Do(t.Context(), fail)
			_ = g.For(2).Do(t.Context(), succeed)
		}
		wantState(t, g.For(1), breaker.Open)
		wantState(t, g.For(2), breaker.Closed)
		var keys []int
		for key, b := range g.All() {
			if b != g.For(key) {
				t.Errorf("%d is another one", key)
			}
			keys = append(keys, key)
		}
		if len(keys) != 2 || g.Len() != 2 {
			t.Errorf("the keys are %v", keys)
		}
	})
}

// A ramping breaker is kept as long as it is one, and a closed one without calls is not.
func TestBreakerKnowsWhetherItMustBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 2, Ramp: breaker.Ramp{Start: 0.5}})
		want := func(keep bool) {
			t.Helper()
			if b.Keep() != keep {
				t.Errorf("keep: %v; %+v", b.Keep(), b.Stats())
			}
		}
		want(false)
		p := acquire(t, b)
		want(true)
		time.Sleep(time.Minute) // it hangs
		want(true)
		p.Done(nil)
		want(false)
		trip(t, b)
		want(true)
		waitOpen(t, b)
		want(true)
		for b.State() == breaker.HalfOpen {
			acquire(t, b).Done(nil)
		}
		want(true) // ramping
		time.Sleep(time.Second)
		want(false) // over, and nobody has looked
		wantState(t, b, breaker.Closed)
		setMode(t, b, seawall.Shadow)
		want(true)
		setMode(t, b, seawall.Enforce)
		want(false)
		p = acquire(t, b)
		update(t, b, func(c *breaker.Config) { c.Slow.Over = time.Second })
		want(true) // by the tracking of before
		p.Done(nil)
		time.Sleep(time.Minute)
		want(false)
	})
}

// T76: a family kept every key that had failed once and did not come back, for ever: five thousand of them ten days later,
// at a limit of ten.
func TestBreakerThatNobodyAsksAnyMoreIsNotKeptForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, probes := range []int{0, 1} {
			b := newBreaker(breaker.Config{})
			idle := b.Config().MaxOpenFor + b.Config().Window.Time
			trip(t, b)
			waitOpen(t, b)
			for range probes {
				acquire(t, b).Done(nil)
			}
			wantState(t, b, breaker.HalfOpen)
			time.Sleep(idle - time.Millisecond)
			if !b.Keep() {
				t.Errorf("after %d probes: not kept although it was asked a moment ago", probes)
			}
			time.Sleep(time.Millisecond)
			if b.Keep() {
				t.Errorf("after %d probes: kept although nobody has asked for %v", probes, idle)
			}
		}
		b := newBreaker(breaker.Config{})
		trip(t, b)
		waitOpen(t, b)
		probe := acquire(t, b)
		time.Sleep(time.Hour)
		if !b.Keep() {
			t.Error("not kept although a probe is under way")
		}
		probe.Done(nil)
		if time.Sleep(time.Hour); b.Keep() {
			t.Error("kept although the probe has ended long ago")
		}
	})
}

// Keep is called under the lock of a family, so it must not call a listener; what it finds is told later.
func TestKeepTellsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told events
		b := newBreaker(breaker.Config{MinCalls: 1, OnStateChange: told.add})
		acquire(t, b)
		time.Sleep(6 * time.Second)
		if !b.Keep() || len(told.list()) != 0 {
			t.Errorf("keep: %v, told of %+v", b.Keep(), told.list())
		}
		_ = b.Stats()
		told.wantChain(t, 1)
	})
}

func TestGroupNamesItsMembersByTheirLabels(t *testing.T) {
	long := strings.Repeat("ä", 100)
	for _, c := range []struct {
		label func(int) string
		want  string
	}{
		{nil, "hosts"},
		{func(key int) string { return fmt.Sprint("h", key) }, "hosts[h7]"},
		{func(int) string { return "" }, "hosts[]"},
		{func(int) string { return long }, "hosts[" + long[:64] + "]"},
		{func(int) string { return "x" + long }, "hosts[x" + long[:62] + "]"}, // not in the midst of a letter
		{func(int) string { return strings.Repeat("\x80", 100) }, "hosts[" + strings.Repeat("\x80", 60) + "]"},
	} {
		g := newGroup(breaker.GroupConfig[int]{Label: c.label})
		if got := g.For(7).Name(); got != c.want {
			t.Errorf("the member is called %q, want %q", got, c.want)
		}
	}
}

// T77: thousands of members are one entry of the registry.
func TestGroupIsOneMemberOfTheRegistry(t *testing.T) {
	registry := quiet()
	g := breaker.NewGroup("hosts", breaker.GroupConfig[int]{
		Breaker: breaker.Config{MinCalls: 1, OpenFor: time.Hour}, Registry: registry,
		Label: func(key int) string { return fmt.Sprint(key) },
	})
	for key := range 100 {
		_ = g.For(key).Do(t.Context(), succeed)
	}
	for _, key := range []int{17, 71} {
		_ = g.For(key).Do(t.Context(), fail)
		for range 3 {
			_ = g.For(key).Do(t.Context(), succeed)
		}
	}
	all := registry.Snapshots()
	if len(all) != 1 {
		t.Fatalf("%d members of the registry", len(all))
	}
	s := all[0]
	if s.Kind != "breaker" || s.Name != "hosts" || g.String() != `breaker "hosts"` || g.Name() != "hosts" || s.State != "" {
		t.Errorf("the snapshot is of %s %s", s.Kind, s.Name)
	}
	values := map[string]float64{}
	for _, v := range s.Values {
		values[v.Name] = v.V
	}
	for name, want := range map[string]float64{
		"members": 100, "members.closed": 98, "members.open": 2, "calls.success": 100, "calls.failure": 2, "rejections.open": 6,
	} {
		if values[name] != want {
			t.Errorf("%s is %v, want %v", name, values[name], want)
		}
	}
	if len(s.Members) != 32 {
		t.Errorf("%d members in the snapshot", len(s.Members))
	}
}

// The open ones come first, however many others there are.
func TestGroupShowsTheOpenOnesFirst(t *testing.T) {
	g := newGroup(breaker.GroupConfig[int]{
		Breaker: breaker.Config{MinCalls: 1, OpenFor: time.Hour}, Label: func(key int) string { return fmt.Sprint(key) },
	})
	for key := range 200 {
		b := g.For(key)
		if key%10 == 0 {
			_ = b.Do(t.Context(), fail)
		} else {
			_ = b.Do(t.Context(), succeed)
		}
	}
	for i, m := range g.Snapshot().Members {
		if (m.State == "open") != (i < 20) {
			t.Errorf("member %d, %s, is %s", i, m.Name, m.State)
		}
	}
	for key := range 200 { // and then more than there is room for
		_ = g.For(key).Do(t.Context(), fail)
		_ = g.For(key).Do(t.Context(), fail)
	}
	if n := len(g.Snapshot().Members); n != 32 {
		t.Errorf("with %d of them open it shows %d members", g.Stats().Open, n)
	}
	unlabelled := newGroup(breaker.GroupConfig[int]{})
	_ = unlabelled.For(1)
	if n := len(unlabelled.Snapshot().Members); n != 0 {
		t.Errorf("without labels it shows %d members", n)
	}
}

// T75
func TestUpdateOfAGroupReachesEveryMember(t *testing.T) {
	var text strings.Builder
	registry := new(seawall.Registry)
	registry.SetLogger(slog.New(slog.NewTextHandler(&text, nil)))
	g := newGroup(breaker.GroupConfig[int]{Registry: registry})
	held := g.For(1)
	_ = held.Do(t.Context(), fail)
	cfg := g.Config()
	cfg.Breaker.MinCalls, cfg.Breaker.Mode, cfg.Registry = 7, seawall.Shadow, quiet() // which stays as it was
	if err := g.Update(cfg); err != nil {
		t.Fatal(err)
	}
	for key, b := range map[int]*breaker.Breaker{1: held, 2: g.For(2)} {
		if got := b.Config(); got.MinCalls != 7 || got.Mode != seawall.Shadow || b.Keep() {
			t.Errorf("member %d has %+v; keep %v", key, got, b.Keep())
		}
	}
	if s := held.Stats(); s.Window.Failures != 1 {
		t.Errorf("the window is %+v", s.Window)
	}
	if want := `msg=seawall.config.updated kind=breaker name=hosts fields="breaker.min_calls breaker.mode"`; strings.Count(
		text.String(), "config.updated") != 1 || !strings.Contains(text.String(), want) {
		t.Errorf("logged\n%s, want %s", text.String(), want)
	}
	cfg.MaxKeys = 5
	if err := g.Update(cfg); err == nil {
		t.Error("MaxKeys has changed")
	}
	if err := g.Update(breaker.GroupConfig[int]{Breaker: breaker.Config{MinCalls: -1}}); err == nil || g.Config().Breaker.MinCalls != 7 {
		t.Errorf("a bad one is taken: %v", err)
	}
}

// T78
func TestGroupConfigIsData(t *testing.T) {
	for want, cfg := range map[string]breaker.GroupConfig[int]{
		"breaker: GroupConfig.MaxKeys is -1, want 1 to 1000000":                                         {MaxKeys: -1},
		"breaker: GroupConfig.MaxKeys is 1000001, want 1 to 1000000":                                    {MaxKeys: 1_000_001},
		"breaker: GroupConfig.Breaker: breaker: Config.MinCalls is -1, want 1 to 1000000":               {Breaker: breaker.Config{MinCalls: -1}},
		"breaker: GroupConfig.Breaker.Registry is set, want nil: the group enters GroupConfig.Registry": {Breaker: breaker.Config{Registry: quiet()}},
	} {
		if err := cfg.Validate(); err == nil || err.Error() != want {
			t.Errorf("Validate says %v, want %s", err, want)
		}
		if panicked, _, _ := attempt(func() { newGroup(cfg) }); panicked != want {
			t.Errorf("New panics with %v", panicked)
		}
	}
	zero := newGroup(breaker.GroupConfig[int]{}).Config()
	if zero.MaxKeys != 1000 || !zero.Breaker.Equal(breaker.Config{}) || !zero.Equal(breaker.GroupConfig[int]{}) {
		t.Errorf("the defaults are %+v", zero)
	}
	text, err := json.Marshal(breaker.GroupConfig[int]{MaxKeys: 7, Breaker: breaker.Config{MinCalls: 3}})
	var back breaker.GroupConfig[int]
	if err := errors.Join(err, json.Unmarshal(text, &back)); err != nil || back.MaxKeys != 7 || back.Breaker.MinCalls != 3 {
		t.Errorf("%s came back as %+v, %v", text, back, err)
	}
	if back.Equal(breaker.GroupConfig[int]{MaxKeys: 8, Breaker: back.Breaker}) || back.Equal(breaker.GroupConfig[int]{MaxKeys: 7}) {
		t.Error("configurations that differ are equal")
	}
}

// T41, T76: sums never go down, whatever comes, goes, changes and is read at the same time.
func TestSumsOfAGroupNeverGoDown(t *testing.T) {
	g := newGroup(breaker.GroupConfig[int]{
		MaxKeys: 8, Breaker: breaker.Config{MinCalls: 2, OpenFor: time.Millisecond, MaxOpenFor: time.Millisecond},
	})
	var calls atomic.Int64
	var load, readers sync.WaitGroup
	var stop atomic.Bool
	for i := range 4 {
		load.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 41))
			for range 3000 {
				op := succeed
				if r.IntN(3) == 0 {
					op = fail
				}
				_ = g.For(r.IntN(40)).Do(t.Context(), op)
				calls.Add(1)
			}
		})
	}
	readers.Go(func() {
		var last breaker.GroupStats
		for !stop.Load() {
			s := g.Stats()
			if !notLess(s.Totals, last.Totals) {
				t.Errorf("a sum went down: %+v after %+v", s.Totals, last.Totals)
				return
			}
			last = s
			_ = g.Snapshot()
		}
	})
	readers.Go(func() {
		for i := 0; !stop.Load(); i++ {
			cfg := g.Config()
			cfg.Breaker.MinCalls = 2 + i%2
			_ = g.Update(cfg)
			time.Sleep(time.Millisecond)
		}
	})
	load.Wait()
	stop.Store(true)
	readers.Wait()
	s := g.Stats()
	// A call that ends with a breaker that was forgotten meanwhile is in no sum.
	got := s.Calls.Successes + s.Calls.Failures + s.Late + s.Rejected.Total()
	if missing := calls.Load() - got; missing < 0 || missing > calls.Load()/100 {
		t.Errorf("%d calls, %d in the sums", calls.Load(), got)
	}
}

// T75, T76: of two that change the configuration at the same time, one is the later one, for the group and all members.
func TestUpdatesOfAGroupLeaveAllMembersWithTheSame(t *testing.T) {
	g := newGroup(breaker.GroupConfig[int]{})
	const members = 20
	for round := range 200 {
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				cfg := g.Config()
				cfg.Breaker.MinCalls = 1 + 4*round + i
				if err := g.Update(cfg); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				for key := range members {
					_ = g.For(key)
				}
			})
		}
		all.Wait()
		want := g.Config().Breaker.MinCalls
		for key, b := range g.All() {
			if got := b.Config().MinCalls; got != want {
				t.Fatalf("round %d: member %d has %d, the group %d", round, key, got, want)
			}
		}
	}
}

// T3, T76: what was found when a member was about to be forgotten is told, though the member is gone, and by whoever made
// it go, in a listener that may ask the group in its turn.
func TestForgottenMemberHasToldAllItsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told events
		var g *breaker.Group[int]
		g = newGroup(breaker.GroupConfig[int]{MaxKeys: 1, Breaker: breaker.Config{
			MinCalls: 1, Probes: breaker.Probes{Calls: 1}, Ramp: breaker.Ramp{Step: time.Second},
			OnStateChange: func(e breaker.Event) { told.add(e); _ = g.For(2) },
		}})
		b := g.For(1)
		_ = b.Do(t.Context(), fail)
		waitOpen(t, b)
		_ = b.Do(t.Context(), succeed)
		wantState(t, b, breaker.Ramping)
		time.Sleep(time.Hour)
		for key := range 10 {
			_ = g.For(3 + key)
		}
		for key := range g.All() {
			if key == 1 {
				t.Fatal("it was not forgotten")
			}
		}
		told.wantChain(t, 4)
		if all := told.list(); all[len(all)-1].Reason != "ramp_completed" {
			t.Errorf("told of %+v", all)
		}
		if s := g.Stats(); s.Entered.Closed != 1 || s.Calls.Successes != 1 || s.Calls.Failures != 1 {
			t.Errorf("the sums are %+v", s)
		}
	})
}

// A member that is about to go is not counted twice by who sums up at this moment.
func TestSumsOfAGroupHoldAMemberOnceWhileItGoes(t *testing.T) {
	g := newGroup(breaker.GroupConfig[int]{})
	for key := range 3 {
		_ = g.For(key).Do(t.Context(), succeed)
	}
	before := g.Stats()
	g.WriteOff(1)
	if got := g.Stats(); got.Totals != before.Totals || got.Keys() != 2 {
		t.Errorf("%+v, and before it went %+v", got, before)
	}
}

// Members that were kept for a while are counted once, however often it is asked whether they must be.
func TestSumsOfAGroupAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(breaker.GroupConfig[int]{MaxKeys: 3, Breaker: breaker.Config{MinCalls: 1, FailureRate: 1}})
		r := rand.New(rand.NewPCG(3, 3))
		for calls := int64(1); calls <= 5000; calls++ {
			op := succeed
			if r.IntN(10) == 0 {
				op = fail
			}
			_ = g.For(r.IntN(8)).Do(t.Context(), op)
			s := g.Stats()
			if got := s.Calls.Successes + s.Calls.Failures + s.Rejected.Total(); got != calls {
				t.Fatalf("%d calls, %d in the sums", calls, got)
			}
			time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
		}
	})
}
