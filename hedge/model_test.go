package hedge_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
)

// game is one call, with all that can happen to it. Its times are such that no two things happen at once: see ends.
type game struct {
	delay       time.Duration // or OnFailure
	attempts    int
	cap, budget int // extra attempts at hand
	idempotent  bool
	kinds       []byte // index in outcomes, by attempt
	lengths     []int  // of the attempts, in ms
	cancelAt    int    // ms; 0 never
	deadlineAt  int    // ms; 0 never
}

// outcomes are how an attempt may end.
var outcomes = []struct {
	err           error
	wins          bool
	again, always bool // another may start: if idempotent, or always
	rejected      bool
}{
	{nil, true, false, false, false},
	{verdict(seawall.Success, seawall.RepeatNever, 0), true, false, false, false},
	{errDown, false, true, false, false},
	{verdict(seawall.Failure, seawall.RepeatAlways, 0), false, true, true, false},
	{seawall.Permanent(errDown), false, false, false, false},
	{verdict(seawall.Overload, seawall.RepeatAlways, 0), false, false, false, false},
	{verdict(seawall.Failure, seawall.RepeatAlways, time.Second), false, false, false, false},
	{seawall.Reject("gate", "g", seawall.ReasonFull, errDown, 0), false, false, false, true},
}

// The length of each attempt has a bit of its own in its nanoseconds, so each end has a set of bits that no other has.
func (g game) length(i int) time.Duration { return time.Duration(g.lengths[i])*ms + 1<<i }
func (g game) cancel() time.Duration      { return time.Duration(g.cancelAt)*ms + 1<<12 }
func (g game) deadline() time.Duration    { return time.Duration(g.deadlineAt)*ms + 1<<13 }

// course is how a game went.
type course struct {
	winner  int // 0: the caller left, or its time was up
	at      time.Duration
	starts  []time.Duration
	failed  []int // attempts that failed, in the order of their ends
	refunds int   // of extra attempts that a gate rejected
	capped  bool
	starved bool
	end     string
}

// reference plays a game on paper.
func (g game) reference() (c course) {
	const forever = time.Duration(math.MaxInt64)
	running := map[int]time.Duration{}
	next, stopped := forever, false
	start := func(now time.Duration) {
		n := len(c.starts)
		next = forever
		switch {
		case n >= g.attempts || stopped:
			return
		case n > 0 && len(c.starts)-1 >= g.cap:
			stopped, c.capped = true, true
			return
		case n > 0 && len(c.starts)-1 >= g.budget:
			stopped, c.starved = true, true
			return
		}
		c.starts = append(c.starts, now)
		running[n] = now + g.length(n)
		if len(c.starts) < g.attempts && g.idempotent && g.delay != hedge.OnFailure &&
			(g.deadlineAt == 0 || now+g.delay < g.deadline()) {
			next = now + g.delay
		}
	}
	start(0)
	for {
		first, at := -1, forever
		for i, end := range running {
			if end < at {
				first, at = i, end
			}
		}
		until, why := forever, ""
		if g.cancelAt > 0 {
			until, why = g.cancel(), "canceled"
		}
		if g.deadlineAt > 0 && g.deadline() < until {
			until, why = g.deadline(), "failed"
		}
		if until < min(at, next) {
			c.at, c.end = until, why
			return c
		}
		if next < at {
			start(next)
			continue
		}
		delete(running, first)
		c.at, c.winner = at, first+1
		o := outcomes[g.kinds[first]]
		if o.wins {
			c.end = "primary"
			if first > 0 {
				c.end = "hedge"
			}
			return c
		}
		c.failed = append(c.failed, first)
		if o.rejected && first > 0 {
			c.refunds++
		}
		if !o.again || !g.idempotent && !o.always {
			stopped, next = true, forever
		} else if next < forever || len(c.starts) < g.attempts {
			start(at)
		}
		if len(running) == 0 {
			c.end = "failed"
			return c
		}
		c.winner = 0
	}
}

// play plays a game with a Hedge, and returns how it differs from the reference.
func (g game) play(t *testing.T) (diff error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		shared := seawall.NewBudget(seawall.BudgetConfig{Burst: max(1, g.budget)})
		for range max(1, g.budget) - g.budget {
			shared.Take()
		}
		cfg := hedge.Config{
			Delay: g.delay, MaxAttempts: g.attempts, Budget: shared,
			Cap: hedge.Cap{Ratio: 0.000001, Burst: g.cap},
		}
		h, _ := newHedge(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if g.cancelAt > 0 {
			time.AfterFunc(g.cancel(), cancel)
		}
		if g.deadlineAt > 0 {
			var stop context.CancelFunc
			ctx, stop = context.WithTimeout(ctx, g.deadline())
			defer stop()
		}
		if !g.idempotent {
			ctx = seawall.NotIdempotent(ctx)
		}
		ctx, record := seawall.WithRecord(ctx)
		list := make([]end, g.attempts)
		for i := range list {
			list[i] = end{g.length(i), outcomes[g.kinds[i]].err}
		}
		e := newEnds(list...)
		e.deaf = true
		err := h.Do(ctx, e.op)
		took := time.Since(e.begin)
		time.Sleep(time.Hour)

		want, s, facts := g.reference(), h.Stats(), record.Facts()
		report := func(what string, got, want any) {
			if fmt.Sprint(got) != fmt.Sprint(want) {
				diff = errors.Join(diff, fmt.Errorf("%s: got %v, want %v", what, got, want))
			}
		}
		report("end", took, want.at)
		report("starts", e.started(), want.starts)
		ends := map[string]int64{"primary": s.Primary, "hedge": s.Hedge, "failed": s.Failed, "canceled": s.Canceled}
		report("calls", s.Calls(), 1)
		report(want.end, ends[want.end], 1)
		report("attempts", s.Attempts, len(want.starts))
		report("hedges in the record", facts.Hedges, len(want.starts)-1)
		winner := 0
		if want.end == "primary" || want.end == "hedge" {
			winner = want.winner
		}
		if len(want.starts) == 1 {
			winner = 0 // there was no race
		}
		report("winner in the record", facts.Winner, winner)
		report("denied", []bool{s.DeniedByCap == 1, s.DeniedByBudget == 1}, []bool{want.capped, want.starved})
		report("budget", math.Round(shared.Available()*1000), (g.budget-len(want.starts)+1+want.refunds)*1000)
		if want.end == "primary" || want.end == "hedge" {
			report("error", err, outcomes[g.kinds[want.winner-1]].err)
			return
		}
		for _, i := range want.failed {
			if !errors.Is(err, outcomes[g.kinds[i]].err) {
				report("error of attempt "+fmt.Sprint(i+1), "missing", "reachable")
			}
		}
	})
	return diff
}

func randomGame(random *rand.Rand) game {
	g := game{
		delay: time.Duration(1+random.IntN(20)) * ms, attempts: 1 + random.IntN(5), cap: 1 + random.IntN(4),
		budget: random.IntN(5), idempotent: random.IntN(4) > 0,
	}
	if random.IntN(8) == 0 {
		g.delay = hedge.OnFailure
	}
	for range g.attempts {
		g.kinds = append(g.kinds, byte(random.IntN(len(outcomes))))
		g.lengths = append(g.lengths, random.IntN(60))
	}
	if random.IntN(5) == 0 {
		g.cancelAt = 1 + random.IntN(60)
	}
	if random.IntN(5) == 0 {
		g.deadlineAt = 1 + random.IntN(60)
	}
	return g
}

// simpler are games that are a bit simpler.
func (g game) simpler() (list []game) {
	for i := range g.kinds {
		s := g
		s.kinds, s.lengths = slices.Delete(slices.Clone(g.kinds), i, i+1), slices.Delete(slices.Clone(g.lengths), i, i+1)
		if s.attempts--; s.attempts > 0 {
			list = append(list, s)
		}
	}
	s := g
	s.cancelAt = 0
	list = append(list, s)
	s = g
	s.deadlineAt = 0
	return append(list, s)
}

func TestRandomCallsGoAsOnPaper(t *testing.T) {
	games := uint64(4000)
	if raceEnabled || testing.Short() {
		games = 800
	}
	ends := map[string]int{}
	for seed := range games {
		g := randomGame(rand.New(rand.NewPCG(seed, 26)))
		ends[g.reference().end]++
		if g.play(t) == nil {
			continue
		}
	shrink:
		for _, s := range g.simpler() {
			if fmt.Sprint(s) != fmt.Sprint(g) && s.play(t) != nil {
				g = s
				goto shrink
			}
		}
		t.Fatalf("seed %d, shortest: %+v: %v", seed, g, g.play(t))
	}
	for _, end := range []string{"primary", "hedge", "failed", "canceled"} {
		if ends[end] < int(games/50) {
			t.Errorf("only %d of %d calls ended as %s", ends[end], games, end)
		}
	}
}

func FuzzRandomCallsGoAsOnPaper(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Add(uint64(77), uint64(1<<40))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		if g := randomGame(rand.New(rand.NewPCG(a, b))); g.play(t) != nil {
			t.Errorf("%+v: %v", g, g.play(t))
		}
	})
}
