package hedge

import (
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
)

// result is how a call ended. Each call has exactly one.
type result uint8

const (
	primary result = iota
	hedged
	failed
	canceled
	aborted
	results // number of them
)

// Stats are counted since New and never decrease, but for Delay and Budget. Each call that has ended is in exactly one
// of the results, the fields up to Aborted.
type Stats struct {
	Primary  int64 // the first attempt won
	Hedge    int64 // a later one did
	Failed   int64 // no attempt won, or the caller's deadline passed
	Canceled int64 // the caller left
	Aborted  int64 // an attempt or Classify panicked; or one of them, or OnHedge, called runtime.Goexit

	// Attempts are those of calls that have ended, and the extra ones of those that run. Divided by Calls it is the
	// factor by which the Hedge multiplies the load.
	Attempts       int64
	DeniedByCap    int64 // calls that were refused an extra attempt by the Cap
	DeniedByBudget int64 // and by the budget

	// Delay is how long after an attempt the next one would start now; 0 if none would by time alone.
	Delay time.Duration
	// Budget is how many extra attempts the budget has at hand; 0 if there is none.
	Budget float64
}

// Calls returns how many calls have ended.
func (s Stats) Calls() int64 { return s.Primary + s.Hedge + s.Failed + s.Canceled + s.Aborted }

// counts are the counters behind Stats.
type counts struct {
	primary atomic.Int64 // alone on its line: in good times nothing else is written
	_       [56]byte

	others         [results]atomic.Int64
	hedges         atomic.Int64
	deniedByCap    atomic.Int64
	deniedByBudget atomic.Int64
	refusedAt      atomic.Int64 // reading of mono.Now when a bucket of the Hedge's own was last empty; only if refused
	refused        atomic.Bool
}

func (c *counts) add(r result) {
	if r == primary {
		c.primary.Add(1)
		return
	}
	c.others[r].Add(1)
}

// Stats returns the counts. The numbers are each exact, but not of one instant while calls run.
func (h *Hedge) Stats() Stats {
	c := &h.counts
	s := Stats{
		Primary:        c.primary.Load(),
		Hedge:          c.others[hedged].Load(),
		Failed:         c.others[failed].Load(),
		Canceled:       c.others[canceled].Load(),
		Aborted:        c.others[aborted].Load(),
		DeniedByCap:    c.deniedByCap.Load(),
		DeniedByBudget: c.deniedByBudget.Load(),
	}
	s.Attempts = s.Calls() + c.hedges.Load()
	s.Delay, _ = h.Delay()
	if b := h.Budget(); b != nil {
		s.Budget = b.Available()
	}
	return s
}

// Snapshot returns the Stats in the form of the registry. "delay" is in seconds, and there only if attempts start by time.
func (h *Hedge) Snapshot() seawall.Snapshot {
	s := h.Stats()
	values := []seawall.Value{
		{Name: "calls.primary", V: float64(s.Primary)},
		{Name: "calls.hedge", V: float64(s.Hedge)},
		{Name: "calls.failed", V: float64(s.Failed)},
		{Name: "calls.canceled", V: float64(s.Canceled)},
		{Name: "calls.aborted", V: float64(s.Aborted)},
		{Name: "attempts", V: float64(s.Attempts)},
		{Name: "denied", V: float64(s.DeniedByCap + s.DeniedByBudget)},
	}
	if s.Delay > 0 {
		values = append(values, seawall.Value{Name: "delay", V: s.Delay.Seconds()})
	}
	return seawall.Snapshot{Kind: kind, Name: h.name, Values: values}
}
