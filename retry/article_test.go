package retry_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/seawall-go/seawall/retry"
)

// occ is the experiment of Marc Brooker's article: clients want one successful write each to one versioned row. A client
// reads, writes with the version that it has read, and if that has moved waits and starts over. A hop takes
// |N(10 ms, 2 ms)|, the server no time.
type occ struct {
	random  *rand.Rand
	version int
	clients []occClient
}

// occClient has one event to come.
type occClient struct {
	at       time.Duration
	next     occStep
	version  int // that it has read
	won      bool
	schedule backoff.BackOff
}

type occStep int

const (
	readArrives occStep = iota
	readReturns
	writeArrives
	writeReturns
	done
)

func (o *occ) hop() time.Duration {
	return time.Duration(math.Abs(10+2*o.random.NormFloat64()) * float64(time.Millisecond))
}

// run returns how many writes it took, and when the last client was done.
func (o *occ) run() (writes int, took time.Duration) {
	for {
		var c *occClient
		for i := range o.clients {
			if o.clients[i].next != done && (c == nil || o.clients[i].at < c.at) {
				c = &o.clients[i]
			}
		}
		if c == nil {
			return writes, took
		}
		took = c.at
		switch c.next {
		case readArrives:
			c.version = o.version
		case writeArrives:
			writes++
			if c.won = c.version == o.version; c.won {
				o.version++
			}
		case writeReturns:
			if c.next = done; !c.won {
				c.next = readArrives
				c.at += c.schedule.NextBackOff() + o.hop()
			}
			continue
		case readReturns, done:
		}
		c.next++
		c.at += o.hop()
	}
}

// The article's findings at 100 clients hold for our schedules. Its v is twice ours, so the base is as well; but for the
// decorrelated law, which is compared with the article's own formula too.
func TestArticlesFindingsHoldForOurSchedules(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine alone, and slow")
	}
	const clients, runs, seed = 100, 100, 1
	const base, limit = 5 * time.Millisecond, 2 * time.Second
	play := func(schedule func(seed uint64) backoff.BackOff) (writes, took float64) {
		o := &occ{random: rand.New(rand.NewPCG(seed, seed))}
		for run := range uint64(runs) {
			o.clients = make([]occClient, clients)
			for i := range o.clients {
				o.clients[i] = occClient{at: o.hop(), schedule: schedule(run*clients + uint64(i))}
			}
			w, d := o.run()
			writes += float64(w) / runs
			took += d.Seconds() / runs
		}
		return writes, took
	}
	ours := func(kind retry.Kind, base time.Duration) (writes, took float64) {
		writes, took = play(retry.Backoff{Kind: kind, Base: base, Max: limit}.Seeded)
		t.Logf("%v: %.0f writes, %.2f s", kind, writes, took)
		return writes, took
	}
	expoW, expoT := ours(retry.Exponential, 2*base)
	equalW, equalT := ours(retry.EqualJitter, 2*base)
	fullW, fullT := ours(retry.FullJitter, 2*base)
	decorW, decorT := ours(retry.DecorrelatedJitter, base)
	formulaW, formulaT := play(func(seed uint64) backoff.BackOff {
		return &formula{base, limit, base, rand.New(rand.NewPCG(seed, seed))}
	})
	t.Logf("the article's decorrelated formula: %.0f writes, %.2f s", formulaW, formulaT)

	for finding, holds := range map[string]bool{
		"full jitter needs at most half of the writes":          fullW <= expoW/2,
		"full jitter needs no more writes than decorrelated":    fullW <= decorW,
		"equal jitter needs more writes than full":              equalW > fullW,
		"equal jitter takes longer than full":                   equalT > fullT,
		"decorrelated takes about as long as full, or less":     decorT <= 1.15*fullT,
		"without jitter it takes the longest":                   expoT >= max(equalT, fullT, decorT),
		"our decorrelated law works as much as the formula":     math.Abs(decorW-formulaW) <= 0.01*formulaW,
		"our decorrelated law takes no longer than the formula": decorT <= formulaT,
	} {
		if !holds {
			t.Errorf("it does not hold that %s", finding)
		}
	}
}

// formula is the article's decorrelated jitter as published.
type formula struct {
	base, limit, s time.Duration
	random         *rand.Rand
}

func (f *formula) Reset() {}
func (f *formula) NextBackOff() time.Duration {
	f.s = min(f.limit, f.base+time.Duration(f.random.Int64N(int64(3*f.s-f.base)+1)))
	return f.s
}
