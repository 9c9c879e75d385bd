package verdict_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/verdict"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const ms = time.Millisecond

// zero is when the scene began on the clock of the databases.
var zero = time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return zero.Add(d) }

func storm(t *testing.T) scene.Scene {
	t.Helper()
	found, err := scene.Find("retrystorm")
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

func hold(n uint64, order string, when time.Duration, seats ...int64) load.Answer {
	return load.Answer{
		Request: load.Request{N: n, At: when, Kind: load.Hold, Performance: 1, Seats: seats, Order: order},
		Sent:    when, Done: when + 50*ms, Status: 201, Valid: true,
	}
}

func taken(a load.Answer) load.Answer {
	a.Status, a.Conflict = 409, true
	return a
}

// honest is what an arm leaves behind that did nothing wrong: order a holds two seats for ten seconds, b is told that
// one of them is taken, c takes one over when the hold of a has expired, d holds and gives back, e is never answered
// and holds all the same, and f gets no answer and holds nothing.
func honest(t *testing.T) verdict.Evidence {
	t.Helper()
	s := storm(t)
	held := func(when time.Duration, order string, seat int64) verdict.Event {
		return verdict.Event{
			At: at(when), Kind: verdict.Held, Order: order, Performance: 1, Seat: seat, Expires: at(when + 10*time.Second),
		}
	}
	end := func(when time.Duration, kind verdict.EventKind, order string, seat int64) verdict.Event {
		return verdict.Event{At: at(when), Kind: kind, Order: order, Performance: 1, Seat: seat}
	}
	lost := hold(5, "e", 30*time.Second, 4)
	lost.Status, lost.Err, lost.Valid, lost.Done = 0, "timeout", false, 34*time.Second
	none := hold(6, "f", 31*time.Second, 1)
	none.Status, none.Pushback, none.Valid = 503, true, false
	bins := make([]measure.Bin, 45)
	for i := range bins {
		bins[i] = measure.Bin{Offered: 100, Good: 100}
	}
	return verdict.Evidence{
		Scene: s, Kind: verdict.Seawall, Zero: zero, Slack: 5 * ms, Bins: bins,
		Answers: []load.Answer{
			hold(1, "a", time.Second, 1, 2),
			taken(hold(2, "b", 2*time.Second, 2, 3)),
			hold(3, "c", 11100*ms, 2),
			hold(4, "d", 20*time.Second, 3),
			lost, none,
			{
				Request: load.Request{N: 7, At: 40 * time.Second, Kind: load.SeatMap, Performance: 1},
				Status:  200, Valid: true, Stale: true, Age: 4 * time.Second,
			},
		},
		Samples: []measure.Sample{
			{At: 0, Status: measure.Status{Calls: 0, Attempts: 0, Budget: 0.1, Floor: 10}},
			{At: 45 * time.Second, Status: measure.Status{
				Calls: 1000, Attempts: 1110, Budget: 0.1, Floor: 10,
				Gates: []measure.Gate{{Name: "inventory", InFlight: 16, Limit: 16}},
			}},
		},
		Ledger: verdict.Ledger{
			Now: at(46 * time.Second), Capacity: map[int64]int{1: 4},
			Events: []verdict.Event{
				held(1020*ms, "a", 1), held(1020*ms, "a", 2),
				end(11020*ms, verdict.Expired, "a", 1),
				end(11120*ms, verdict.Expired, "a", 2), held(11120*ms, "c", 2), // taken over at once
				held(20010*ms, "d", 3), end(25*time.Second, verdict.Released, "d", 3),
				end(21500*ms, verdict.Expired, "c", 2),
				held(35500*ms, "e", 4), // in a transaction that was under way when its customer had gone
			},
			Claims: []verdict.Claim{{Performance: 1, Seat: 4, Order: "e", Expires: at(45500 * ms)}},
		},
	}
}

func judge(e verdict.Evidence) map[string]verdict.Finding {
	found := map[string]verdict.Finding{}
	for _, f := range verdict.Judge(e) {
		found[f.ID] = f
	}
	return found
}

// violated returns the ids of what does not hold.
func violated(e verdict.Evidence) string {
	var ids []string
	for _, f := range verdict.Judge(e) {
		if f.State != verdict.Holds {
			ids = append(ids, f.ID)
		}
	}
	return strings.Join(ids, " ")
}

func TestAnHonestArmIsNotAccused(t *testing.T) {
	e := honest(t)
	// The few requests here are no measure of the rule.
	e.Scene.Rule = e.Scene.Rule[1:]
	if got := violated(e); got != "" {
		t.Errorf("%s: %+v", got, judge(e))
	}
	var ids []string
	for _, f := range verdict.Judge(e) {
		ids = append(ids, f.ID)
	}
	if got := strings.Join(ids, " "); got != "R1 I1 I2 I4 I5 I7 I8 I9 I11" {
		t.Errorf("judged %s", got)
	}
	e.Kind = verdict.Plain
	ids = nil
	for _, f := range verdict.Judge(e) {
		ids = append(ids, f.ID)
	}
	if got := strings.Join(ids, " "); got != "I1 I2 I4 I5 I7 I11" {
		t.Errorf("of a plain arm: %s", got)
	}
}

// Each row breaks one fact of the honest evidence, and names what must be found and a part of the witness.
func TestEachLieIsFound(t *testing.T) {
	for _, row := range []struct {
		what    string
		lie     func(*verdict.Evidence)
		want    string // ids
		witness string // of the first id
	}{
		{
			"a seat for two orders", func(e *verdict.Evidence) {
				e.Ledger.Events = slices.Delete(e.Ledger.Events, 3, 4) // a's second seat never ends, and c gets it
			}, "I1", "seat 2 of performance 1 was given to order a at t=1.02s, and to order c at t=11.12s before that ended",
		},
		{
			"taken over a moment before the end", func(e *verdict.Evidence) {
				e.Ledger.Events[4].At = at(11119 * ms)
			}, "I1", "seat 2 of performance 1 was given to order a",
		},
		{
			"a yes that the database does not know", func(e *verdict.Evidence) {
				e.Answers = append(e.Answers, hold(8, "g", 41*time.Second, 1))
			}, "I1", "order g was told at t=41.05s that it holds seat 1 of performance 1, and was not given it",
		},
		{
			"a yes to one seat of two", func(e *verdict.Evidence) {
				e.Answers[3].Seats = []int64{1, 3}
			}, "I1 I4", "holds seat 1 of performance 1",
		},
		{
			"a yes long before the hold", func(e *verdict.Evidence) {
				e.Ledger.Events[5].At = at(20200 * ms)
			}, "I1", "order d was told at t=20.05s",
		},
		{
			"a taken that was free", func(e *verdict.Evidence) {
				e.Answers = append(e.Answers, taken(hold(8, "g", 28*time.Second, 1, 2, 3)))
			}, "I1", "order g was told at t=28.05s that one of the seats [1 2 3] of performance 1 is taken, and none",
		},
		{
			"a taken by its own order", func(e *verdict.Evidence) {
				e.Answers[4] = taken(hold(5, "e", 35400*ms, 4))
				e.Answers[4].Done = 36 * time.Second
			}, "I1", "order e was told",
		},
		{
			"a claim without a beginning", func(e *verdict.Evidence) {
				c := verdict.Claim{Performance: 1, Seat: 1, Order: "b", Expires: at(50 * time.Second)}
				e.Ledger.Claims = append(e.Ledger.Claims, c)
			}, "I1", "seat 1 of performance 1 is claimed for order b, and nothing says since when",
		},
		{
			"a claim that was lost", func(e *verdict.Evidence) {
				e.Ledger.Claims = nil
			}, "I1", `seat 4 of performance 1 was given to order e at t=35.5s, that has not ended, and the claims have ""`,
		},
		{
			"an end without a beginning", func(e *verdict.Evidence) {
				end := verdict.Event{At: at(44 * time.Second), Kind: verdict.Expired, Order: "b", Performance: 1, Seat: 1}
				e.Ledger.Events = append(e.Ledger.Events, end)
			}, "I1", "seat 1 of performance 1: order b expired it at t=44s, and did not hold it",
		},
		{
			"more seats than there are", func(e *verdict.Evidence) {
				e.Ledger.Capacity[1] = 1
			}, "I2", "performance 1 has 1 seats, and at t=1.02s order a was given one more than that",
		},
		{
			"a performance that is not on sale", func(e *verdict.Evidence) {
				e.Ledger.Capacity = nil
			}, "I2", "performance 1 has 0 seats",
		},
		{
			"an order that nobody made", func(e *verdict.Evidence) {
				e.Answers = slices.Delete(e.Answers, 4, 5)
			}, "I4", "order e was given seat 4 of performance 1 at t=35.5s, and no customer asked for it",
		},
		{
			"another seat than was asked for", func(e *verdict.Evidence) {
				e.Answers[4].Seats = []int64{3}
			}, "I4", "order e was given",
		},
		{
			"half an order", func(e *verdict.Evidence) {
				e.Answers[4].Seats = []int64{3, 4}
			}, "I4", "order e was given some of the seats [3 4] of performance 1, and not seat 3",
		},
		{
			"one order twice", func(e *verdict.Evidence) {
				again := e.Ledger.Events[5]
				again.At, again.Expires = at(26*time.Second), at(36*time.Second)
				e.Ledger.Events = append(e.Ledger.Events, again, verdict.Event{
					At: at(36 * time.Second), Kind: verdict.Expired, Order: "d", Performance: 1, Seat: 3,
				})
			}, "I4", "order d was given seat 3 of performance 1 twice, the second time at t=26s",
		},
		{
			"a hold that ends early", func(e *verdict.Evidence) {
				e.Ledger.Events[2].At = at(11019 * ms)
			}, "I5", "order a lost seat 1 of performance 1 at t=11.02s, and had it until t=11.02s",
		},
		{
			"a hold that is swept late", func(e *verdict.Evidence) {
				e.Ledger.Events[2].At = at(12021 * ms)
			}, "I5", "the hold of order a on seat 1 of performance 1 was over at t=11.02s, and ended at t=12.02s",
		},
		{
			"a hold that is never swept", func(e *verdict.Evidence) {
				e.Ledger.Now = at(46501 * ms)
			}, "I5", "the hold of order e on seat 4 of performance 1 was over at t=45.5s, and was still there at t=46.5s",
		},
		{
			"a stale answer without a mark", func(e *verdict.Evidence) {
				e.Answers[6].Stale = false
			}, "I7", "seatmap number 7 was answered at t=0s with data that is 4s old and not marked as stale",
		},
		{
			"a stale answer that is too old", func(e *verdict.Evidence) {
				e.Answers[6].Age = 15*time.Second + ms
			}, "I7", "at most 15s is allowed",
		},
		{
			"attempts that nothing paid for", func(e *verdict.Evidence) {
				e.Samples[1].Status.Attempts = 1111
			}, "R1 I8", "1111 attempts for 1000 calls",
		},
		{
			"a storm that averages out", func(e *verdict.Evidence) {
				s := measure.Sample{At: 10 * time.Second, Status: measure.Status{Calls: 100, Attempts: 121, Budget: 0.1, Floor: 10}}
				e.Samples = slices.Insert(e.Samples, 1, s)
			}, "I8", "at t=10s there had been 121 attempts for 100 calls, at most 120.0 are paid for (budget 0.1, floor 10)",
		},
		{
			"a gate over its limit", func(e *verdict.Evidence) {
				e.Samples[1].Status.Gates[0].InFlight = 17
			}, "I9", `at t=45s gate "inventory" had 17 in flight, its limit is 16`,
		},
		{
			"a gate over its limit, and another one far below", func(e *verdict.Evidence) {
				e.Samples[1].Status.Gates = []measure.Gate{{Name: "a", InFlight: 3, Limit: 2}, {Name: "b", InFlight: 0, Limit: 50}}
			}, "I9", `gate "a" had 3 in flight`,
		},
		{
			"a gate that lets in what it would have let in before its limit fell", func(e *verdict.Evidence) {
				for _, g := range []measure.Gate{{InFlight: 20, Limit: 20}, {InFlight: 18, Limit: 10}, {InFlight: 19, Limit: 10}} {
					g.Name = "a"
					e.Samples = append(e.Samples, sampleOf(e, g))
				}
			}, "I9", `gate "a" had 19 in flight, its limit is 10, and was 10 with 18 in flight before`,
		},
		{
			"damage that stays", func(e *verdict.Evidence) {
				for i := 16; i < 45; i++ {
					e.Bins[i].Good = 0
				}
			}, "I11", "the last fault ended at t=16s, recovered not before the end of the scene",
		},
		{
			"damage that stays for long", func(e *verdict.Evidence) {
				for i := 16; i < 27; i++ {
					e.Bins[i].Good = 0
				}
			}, "I11", "recovered after 11s",
		},
	} {
		e := honest(t)
		e.Scene.Rule = e.Scene.Rule[1:]
		row.lie(&e)
		if got := violated(e); got != row.want {
			t.Errorf("%s: found %q, want %q: %+v", row.what, got, row.want, judge(e))
			continue
		}
		first, _, _ := strings.Cut(row.want, " ")
		if f := judge(e)[first]; !strings.Contains(f.Witness, row.witness) {
			t.Errorf("%s: witness %q, want %q", row.what, f.Witness, row.witness)
		}
	}
}

func TestSeveralViolationsAreCountedAndTheFirstIsShown(t *testing.T) {
	e := honest(t)
	for i := range uint64(5) {
		a := hold(100+i, "g", time.Duration(40-i)*time.Second, 1)
		e.Answers = append(e.Answers, a)
	}
	f := judge(e)["I1"]
	if !strings.HasPrefix(f.Witness, "order g was told at t=36.05s") || !strings.HasSuffix(f.Witness, "(and 4 more)") {
		t.Errorf("%q", f.Witness)
	}
}

// sampleOf is the last sample, a moment later, with one gate.
func sampleOf(e *verdict.Evidence, g measure.Gate) measure.Sample {
	s := e.Samples[len(e.Samples)-1]
	s.At, s.Status.Gates = s.At+100*ms, []measure.Gate{g}
	return s
}

// What is in when a limit falls stays in until it is done.
func TestALimitThatFallsSendsNobodyAway(t *testing.T) {
	e := honest(t)
	e.Scene.Rule = nil
	for _, g := range []measure.Gate{
		{InFlight: 20, Limit: 20},
		{InFlight: 20, Limit: 10},
		{InFlight: 17, Limit: 10},
		{InFlight: 10, Limit: 10},
		{InFlight: 12, Limit: 8}, // eight, after a moment at twelve: that was the limit before
	} {
		e.Samples = append(e.Samples, sampleOf(&e, g))
	}
	e.Samples[len(e.Samples)-2].Status.Gates[0].Limit = 12
	if got := violated(e); got != "" {
		t.Errorf("%s: %s", got, judge(e)["I9"].Witness)
	}
}

func TestRulesAreJudgedOnTheirPartOfTheScene(t *testing.T) {
	e := honest(t)
	e.Answers, e.Ledger = nil, verdict.Ledger{}
	for n := range 450 {
		a := load.Answer{
			Request: load.Request{N: uint64(n + 1), At: time.Duration(n) * 100 * ms, Kind: load.SeatMap},
			Status:  200, Valid: true,
		}
		a.Done = a.At + ms
		if n < 210 { // until 21 s, where the rule begins
			a.Err = "down"
		}
		e.Answers = append(e.Answers, a)
	}
	if f := judge(e)["R1"]; f.State != verdict.Holds || f.Measured != "100.0 % of 240" {
		t.Errorf("%+v", f)
	}
	for n := range 12 {
		e.Answers[300+n].Err = "down" // 5 %
	}
	if f := judge(e)["R1"]; f.State != verdict.Holds {
		t.Errorf("exactly on the limit: %+v", f)
	}
	e.Answers[320].Err = "down"
	if f := judge(e)["R1"]; f.State != verdict.Violated || f.Witness != "94.6 % of 240" {
		t.Errorf("%+v", f)
	}
	e.Answers = nil
	if f := judge(e)["R1"]; f.State != verdict.Violated {
		t.Errorf("a rule about nothing holds: %+v", f)
	}
	e.Samples = nil
	if f := judge(e)["R2"]; f.State != verdict.Violated {
		t.Errorf("an arm that was never asked holds: %+v", f)
	}
}

func TestRefusalsAreHeldToTheirTime(t *testing.T) {
	e := honest(t)
	e.Scene.Rule = []scene.Check{{
		Measure: scene.RefusedInTime, Kinds: []load.Kind{load.Hold}, To: 45 * time.Second, Within: 50 * ms, AtLeast: 0.99,
	}}
	refused := func(latency time.Duration) load.Answer {
		a := hold(1, "r", 9*time.Second, 1)
		a.Status, a.Pushback, a.Valid, a.Done = 503, true, false, a.At+latency
		return a
	}
	e.Answers = nil
	if f := judge(e)["R1"]; f.State != verdict.Holds || f.Measured != "none was refused, 0 failed or came late" {
		t.Errorf("%+v", f)
	}
	for range 99 {
		e.Answers = append(e.Answers, refused(50*ms))
	}
	e.Answers = append(e.Answers, refused(51*ms))
	if f := judge(e)["R1"]; f.State != verdict.Holds || f.Measured != "99.0 % of 100, p99 50ms, the last after 51ms; 0 failed or came late" {
		t.Errorf("%+v", f)
	}
	e.Answers = append(e.Answers, refused(51*ms))
	if f := judge(e)["R1"]; f.State != verdict.Violated {
		t.Errorf("%+v", f)
	}
	// One fast refusal beside many that hang is no way to keep the rule, nor is none.
	silent := refused(5 * time.Second)
	silent.Status, silent.Pushback, silent.Err = 0, false, "timeout"
	for _, answers := range [][]load.Answer{{silent}, {refused(ms), silent, silent}} {
		lie := e
		lie.Answers = answers
		if f := judge(lie)["R1"]; f.State != verdict.Violated {
			t.Errorf("%+v", f)
		}
	}
	// A read that is refused late is not what this rule is about.
	e.Answers[100].Kind = load.SeatMap
	if f := judge(e)["R1"]; f.State != verdict.Holds {
		t.Errorf("%+v", f)
	}
}

func TestAnInterruptedSceneIsNotJudgedByItsRule(t *testing.T) {
	e := honest(t)
	e.Interrupted = true
	e.Bins = e.Bins[:17]
	e.Answers[6].Age = time.Hour
	found := judge(e)
	for id, want := range map[string]verdict.State{
		"R1": verdict.Unjudged, "R2": verdict.Unjudged, "I11": verdict.Unjudged, "I1": verdict.Holds, "I7": verdict.Violated,
	} {
		if found[id].State != want {
			t.Errorf("%s: %+v, want %s", id, found[id], want)
		}
	}
}

func TestWhatCannotBeCheckedIsNotHeld(t *testing.T) {
	e := honest(t)
	e.Ledger, e.LedgerErr = verdict.Ledger{}, errors.New("disk gone")
	found := judge(e)
	for _, id := range []string{"I1", "I2", "I4", "I5"} {
		f := found[id]
		if f.State != verdict.Unknown || !strings.Contains(f.Measured, "disk gone") || !f.Safety || f.Claim == "" {
			t.Errorf("%s: %+v", id, f)
		}
	}
}

func TestSceneWithoutFaultsHasNothingToRecoverFrom(t *testing.T) {
	e := honest(t)
	e.Scene.Plan.Faults = nil
	if _, ok := judge(e)["I11"]; ok {
		t.Error("I11 was judged")
	}
}

// A naive inventory that is right by construction, driven at random: no seed may accuse it, and then one fact is
// changed, which every seed must find.
func TestCheckerAgreesWithARightInventory(t *testing.T) {
	const seats, ttl = 6, 4 * time.Second
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		e := honest(t)
		e.Scene.Rule, e.Samples, e.Answers = nil, nil, nil
		e.Ledger = verdict.Ledger{Capacity: map[int64]int{1: seats}}
		owner := map[int64]verdict.Claim{}
		finish := func(seat int64, kind verdict.EventKind, when time.Duration) {
			e.Ledger.Events = append(e.Ledger.Events, verdict.Event{
				At: at(when), Kind: kind, Order: owner[seat].Order, Performance: 1, Seat: seat,
			})
			delete(owner, seat)
		}
		now := time.Duration(0)
		for n := range uint64(60) {
			now += time.Duration(r.IntN(600)) * ms
			for seat := range int64(seats) { // the sweeper has been here less than a second ago
				if c, ok := owner[seat]; ok && at(now).After(c.Expires.Add(500*ms)) {
					finish(seat, verdict.Expired, c.Expires.Add(300*ms).Sub(zero))
				}
			}
			a := hold(n+1, string(rune('A'+n)), now-time.Duration(r.IntN(40))*ms, int64(r.IntN(seats)))
			if r.IntN(2) == 0 && a.Seats[0] < seats-1 {
				a.Seats = append(a.Seats, a.Seats[0]+1)
			}
			a.Done = now + time.Duration(r.IntN(400))*ms
			free := !slices.ContainsFunc(a.Seats, func(s int64) bool {
				c, ok := owner[s]
				return ok && c.Expires.After(at(now))
			})
			if free {
				for _, s := range a.Seats {
					if _, ok := owner[s]; ok {
						finish(s, verdict.Expired, now)
					}
					owner[s] = verdict.Claim{Performance: 1, Seat: s, Order: a.Order, Expires: at(now + ttl)}
					e.Ledger.Events = append(e.Ledger.Events, verdict.Event{
						At: at(now), Kind: verdict.Held, Order: a.Order, Performance: 1, Seat: s, Expires: at(now + ttl),
					})
				}
			} else {
				a = taken(a)
			}
			if r.IntN(5) == 0 { // the answer is lost on the way
				a.Status, a.Err, a.Valid = 0, "reset", false
			}
			e.Answers = append(e.Answers, a)
			if r.IntN(6) == 0 && free {
				for _, s := range a.Seats {
					finish(s, verdict.Released, now+ms)
				}
			}
		}
		e.Ledger.Now = at(now)
		for _, c := range owner {
			e.Ledger.Claims = append(e.Ledger.Claims, c)
		}
		if got := violated(e); got != "" {
			t.Fatalf("seed %d: an honest inventory is accused: %s: %+v", seed, got, judge(e))
		}

		n := r.IntN(len(e.Ledger.Events))
		for e.Ledger.Events[n].Kind != verdict.Held {
			n = (n + 1) % len(e.Ledger.Events)
		}
		switch r.IntN(4) {
		case 0: // the beginning of a hold is not in the log
			e.Ledger.Events = slices.Delete(e.Ledger.Events, n, n+1)
		case 1: // it was given to another order
			e.Ledger.Events[n].Order = "thief"
		case 2: // it was another seat, that is not on sale
			e.Ledger.Events[n].Seat = seats + 1
		case 3: // it was given twice
			again := e.Ledger.Events[n]
			again.Order, again.At = "twice", again.At.Add(ms/2)
			e.Ledger.Events = slices.Insert(e.Ledger.Events, n+1, again)
		}
		if violated(e) == "" {
			t.Fatalf("seed %d: a lie about event %d was not found", seed, n)
		}
	}
}

func TestTwinsMayDifferByAPointAndATenth(t *testing.T) {
	arm := func(good int, latency time.Duration) verdict.Evidence {
		e := verdict.Evidence{Scene: storm(t)}
		for n := range 1000 {
			a := hold(uint64(n+1), "x", time.Duration(n)*40*ms, 1)
			a.Done = a.At + latency
			if n >= good {
				a.Err = "down"
			}
			e.Answers = append(e.Answers, a)
		}
		return e
	}
	for _, row := range []struct {
		what string
		a, b verdict.Evidence
		want verdict.State
	}{
		{"equal", arm(900, 100*ms), arm(900, 100*ms), verdict.Holds},
		{"a point apart", arm(900, 100*ms), arm(890, 100*ms), verdict.Holds},
		{"more than a point apart", arm(889, 100*ms), arm(900, 100*ms), verdict.Violated},
		{"a tenth slower", arm(900, 90*ms), arm(900, 100*ms), verdict.Holds},
		{"more than a tenth slower", arm(900, 89*ms), arm(900, 100*ms), verdict.Violated},
		{"a millisecond is nothing", arm(900, ms), arm(900, 2*ms), verdict.Holds},
	} {
		if f := twins(row.a, row.b); f.State != row.want {
			t.Errorf("%s: %+v", row.what, f)
		}
	}
	cut := arm(900, 100*ms)
	cut.Interrupted = true
	if f := twins(arm(100, ms), cut); f.State != verdict.Unjudged {
		t.Errorf("%+v", f)
	}
}

// twins compares two arms over one scene.
func twins(a, b verdict.Evidence) verdict.Finding {
	var all verdict.Twins
	all.Add(a.Scene.SLO, [2][]load.Answer{a.Answers, b.Answers}, a.Interrupted || b.Interrupted)
	return all.Finding()
}

// A scene in which one arm is worse must not hide behind others, and is weighed by its arrivals.
func TestTwinsAreComparedOverAllScenes(t *testing.T) {
	arm := func(good, whole int) []load.Answer {
		all := make([]load.Answer, whole)
		for n := range all {
			all[n] = hold(uint64(n+1), "x", time.Duration(n)*40*ms, 1)
			all[n].Done = all[n].At + 100*ms
			if n >= good {
				all[n].Err = "down"
			}
		}
		return all
	}
	for _, row := range []struct {
		what string
		b    int // good ones of 1000 in the first scene
		want verdict.State
	}{
		{"2 points of a half", 980, verdict.Holds},
		{"more than that", 979, verdict.Violated},
	} {
		var all verdict.Twins
		slo := storm(t).SLO
		all.Add(slo, [2][]load.Answer{arm(1000, 1000), arm(row.b, 1000)}, false)
		all.Add(slo, [2][]load.Answer{arm(1000, 1000), arm(1000, 1000)}, false)
		if f := all.Finding(); f.State != row.want {
			t.Errorf("%s: %+v", row.what, f)
		}
	}
}
