package timeout

import (
	"sync/atomic"

	"github.com/seawall-go/seawall"
)

// result is how a call ended. Each call has exactly one.
type result uint8

const (
	ended result = iota
	expired
	callerExpired
	canceled
	aborted
	results // number of them
)

// Stats are counted since New and never decrease. Each call that has ended is in exactly one of the fields.
type Stats struct {
	Ended         int64 // with success, or with an error of its own before the limit
	Expired       int64 // with an error, after the limit
	CallerExpired int64 // with an error, after the caller's deadline
	Canceled      int64 // with an error, after the caller had left
	Aborted       int64 // op panicked or called runtime.Goexit
}

// Calls returns how many calls have ended.
func (s Stats) Calls() int64 {
	return s.Ended + s.Expired + s.CallerExpired + s.Canceled + s.Aborted
}

// counts are the counters behind Stats.
type counts struct {
	ended  atomic.Int64 // alone on its line: in good times nothing else is written
	_      [56]byte
	others [results]atomic.Int64
	_      [24]byte
}

func (c *counts) add(r result) {
	if r == ended {
		c.ended.Add(1)
		return
	}
	c.others[r].Add(1)
}

// Stats returns the counts. The numbers are each exact, but not of one instant while calls run.
func (t *Timeout) Stats() Stats {
	c := &t.counts
	return Stats{
		Ended:         c.ended.Load(),
		Expired:       c.others[expired].Load(),
		CallerExpired: c.others[callerExpired].Load(),
		Canceled:      c.others[canceled].Load(),
		Aborted:       c.others[aborted].Load(),
	}
}

// Snapshot returns the Stats in the form of the registry. "limit" is in seconds, and there only if the limit is adaptive.
func (t *Timeout) Snapshot() seawall.Snapshot {
	s := t.Stats()
	values := []seawall.Value{
		{Name: "calls.ended", V: float64(s.Ended)},
		{Name: "calls.expired", V: float64(s.Expired)},
		{Name: "calls.caller_expired", V: float64(s.CallerExpired)},
		{Name: "calls.canceled", V: float64(s.Canceled)},
		{Name: "calls.aborted", V: float64(s.Aborted)},
	}
	if t.settings.Load().adaptive != nil {
		values = append(values, seawall.Value{Name: "limit", V: t.Limit().Seconds()})
	}
	return seawall.Snapshot{Kind: kind, Name: t.name, Values: values}
}
