package retry

import (
	"sync/atomic"

	"github.com/seawall-go/seawall"
)

// result is how a call ended. Each call has exactly one.
type result uint8

const (
	undecided result = iota // not a result: the call goes on
	firstTry
	recovered
	exhausted
	notRetryable
	budgetDenied
	outOfTime
	canceled
	aborted
	results // number of them
)

// Stats are counted since New and never decrease, but for Budget. Each call that has ended is in exactly one of the
// results, the fields up to Aborted.
type Stats struct {
	FirstTry     int64 // the first attempt succeeded
	Recovered    int64 // a later one did
	Exhausted    int64 // the attempts were used up, or the schedule came to its end
	NotRetryable int64 // the last error was not to be repeated, or came from a gate that rejected the call
	BudgetDenied int64 // the budget was empty
	OutOfTime    int64 // the next wait could not have ended before the caller's deadline
	Canceled     int64 // the caller left during an attempt, or its context ended during a wait
	Aborted      int64 // op, Schedule or Classify panicked; or one of them, or OnRetry, called runtime.Goexit

	// Attempts are those of calls that have ended, and the repetitions of those that run. Divided by Calls it is the
	// factor by which the Retry multiplies the load.
	Attempts int64
	// Budget is how many retries are at hand now; 0 if there is no budget.
	Budget float64
}

// Calls returns how many calls have ended.
func (s Stats) Calls() int64 {
	return s.FirstTry + s.Recovered + s.Exhausted + s.NotRetryable +
		s.BudgetDenied + s.OutOfTime + s.Canceled + s.Aborted
}

// counts are the counters behind Stats.
type counts struct {
	firstTry atomic.Int64 // alone on its line: in good times nothing else is written
	_        [56]byte
	others   [results]atomic.Int64
	retries  atomic.Int64
	deniedAt atomic.Int64 // reading of mono.Now when the budget refused a retry; only if starved
	_        [40]byte
}

func (c *counts) add(r result) {
	if r == firstTry {
		c.firstTry.Add(1)
		return
	}
	c.others[r].Add(1)
}

// Stats returns the counts. The numbers are each exact, but not of one instant while calls run.
func (r *Retry) Stats() Stats {
	c := &r.counts
	s := Stats{
		FirstTry:     c.firstTry.Load(),
		Recovered:    c.others[recovered].Load(),
		Exhausted:    c.others[exhausted].Load(),
		NotRetryable: c.others[notRetryable].Load(),
		BudgetDenied: c.others[budgetDenied].Load(),
		OutOfTime:    c.others[outOfTime].Load(),
		Canceled:     c.others[canceled].Load(),
		Aborted:      c.others[aborted].Load(),
	}
	s.Attempts = s.Calls() + c.retries.Load()
	if b := r.Budget(); b != nil {
		s.Budget = b.Available()
	}
	return s
}

// Snapshot returns the Stats in the form of the registry. "budget.available" is there only if there is a budget.
func (r *Retry) Snapshot() seawall.Snapshot {
	s := r.Stats()
	values := []seawall.Value{
		{Name: "calls.first_try", V: float64(s.FirstTry)},
		{Name: "calls.recovered", V: float64(s.Recovered)},
		{Name: "calls.exhausted", V: float64(s.Exhausted)},
		{Name: "calls.not_retryable", V: float64(s.NotRetryable)},
		{Name: "calls.budget_denied", V: float64(s.BudgetDenied)},
		{Name: "calls.out_of_time", V: float64(s.OutOfTime)},
		{Name: "calls.canceled", V: float64(s.Canceled)},
		{Name: "calls.aborted", V: float64(s.Aborted)},
		{Name: "attempts", V: float64(s.Attempts)},
	}
	if r.Budget() != nil {
		values = append(values, seawall.Value{Name: "budget.available", V: s.Budget})
	}
	return seawall.Snapshot{Kind: kind, Name: r.name, Values: values}
}
