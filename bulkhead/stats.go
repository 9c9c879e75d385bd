package bulkhead

import (
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
)

// counts are the rare ones; admissions without waiting are counted in the state.
type counts struct {
	waited         atomic.Int64
	canceled       atomic.Int64
	rejected       [refusalCount]atomic.Int64
	shadowRejected atomic.Int64
	beyond         atomic.Int64 // slots in use that would not have been given in enforce mode
	levels         [levels]levelCounts
}

// levelCounts are of calls that found no slot free.
type levelCounts struct {
	admitted, rejected atomic.Int64
}

// Stats is what a bulkhead is doing and has done since it was made. Every call that finds it with a live context, and
// not off, is counted once in Admitted, Canceled or Rejected; until then it is Waiting. The counts never decrease.
type Stats struct {
	Limit   int // calls that may run at once
	InUse   int // calls that run; above Limit after it has shrunk, and in modes without a limit
	Waiting int // calls in the queue

	Admitted       int64 // calls that got in; Admitted - InUse have ended
	Waited         int64 // those of Admitted that had to wait
	Canceled       int64 // calls whose context ended while they waited
	Rejected       Rejections
	ShadowRejected int64 // those of Admitted that enforce mode would have rejected

	// Levels are the calls that found no slot free, or others waiting, in enforce mode, by their importance. How important
	// a call is nobody asks as long as there is room for all.
	Levels Levels

	// ExpectedWait is how long a critical newcomer would wait, by the pace at which the queue moves; 0 if nobody waits or
	// the pace is not known yet.
	ExpectedWait time.Duration
}

// Rejections counts rejections by their reason.
type Rejections struct {
	Full         int64 // no slot was free, and there is no queue
	QueueFull    int64 // the queue was full
	QueueTimeout int64 // no slot came free within MaxWait, or was expected to; or within Target, with AdaptiveLIFO
	Deadline     int64 // no slot, or no end of the call, was expected before the caller's deadline
	Shed         int64 // another one was more important, or another user's turn
	Forced       int64 // the bulkhead was forced open
}

// Total returns the sum.
func (r Rejections) Total() int64 {
	return r.Full + r.QueueFull + r.QueueTimeout + r.Deadline + r.Shed + r.Forced
}

// Levels has numbers for each level of importance.
type Levels struct {
	CriticalPlus, Critical, SheddablePlus, Sheddable Level
}

// at returns the numbers of a level.
func (ls *Levels) at(l level) *Level {
	return [levels]*Level{&ls.Sheddable, &ls.SheddablePlus, &ls.Critical, &ls.CriticalPlus}[l]
}

// Level counts the calls of one level of importance that found no slot free.
type Level struct {
	Admitted int64 // they got in after a wait, or a slot came free just then
	Rejected int64
	Waiting  int
}

// Stats returns the numbers of this instant. It takes the lock of the queue for a moment. Calls that are just passing
// may be in one number and not yet in another.
func (b *Bulkhead) Stats() Stats {
	rejected := func(why refusal) int64 { return b.counts.rejected[why].Load() }
	waited := b.counts.waited.Load()
	b.mu.Lock()
	s, w, folded := b.settings.Load(), b.state.load(), b.folded
	expected := b.expectLocked(s, critical, 1)
	var each Levels
	for l := range level(levels) {
		counts := &b.counts.levels[l]
		*each.at(l) = Level{counts.admitted.Load(), counts.rejected.Load(), b.queue.lines[l].calls}
	}
	b.mu.Unlock()
	return Stats{
		Limit:    s.Limit,
		InUse:    w.inUse(),
		Waiting:  w.waiting(),
		Admitted: folded + w.admitted() + waited,
		Waited:   waited,
		Canceled: b.counts.canceled.Load(),
		Rejected: Rejections{
			Full:         rejected(full),
			QueueFull:    rejected(queueFull),
			QueueTimeout: rejected(queueTimeout),
			Deadline:     rejected(deadline),
			Shed:         rejected(shed),
			Forced:       rejected(forced),
		},
		ShadowRejected: b.counts.shadowRejected.Load(),
		ExpectedWait:   expected,
		Levels:         each,
	}
}

// Snapshot returns the mode and the numbers of [Bulkhead.Stats], for the registry.
func (b *Bulkhead) Snapshot() seawall.Snapshot {
	return seawall.Snapshot{Kind: b.kind, Name: b.name, Mode: b.settings.Load().Mode, Values: b.Stats().values()}
}

func (s Stats) values() []seawall.Value {
	value := func(name string, n int64) seawall.Value { return seawall.Value{Name: name, V: float64(n)} }
	values := []seawall.Value{
		{Name: "limit", V: float64(s.Limit)},
		{Name: "active", V: float64(s.InUse)},
		{Name: "pending", V: float64(s.Waiting)},
		{Name: "expected_wait", V: s.ExpectedWait.Seconds()},
		value("calls.admitted", s.Admitted),
		value("calls.waited", s.Waited),
		value("calls.canceled", s.Canceled),
		value("rejections.full", s.Rejected.Full),
		value("rejections.queue_full", s.Rejected.QueueFull),
		value("rejections.queue_timeout", s.Rejected.QueueTimeout),
		value("rejections.deadline", s.Rejected.Deadline),
		value("rejections.shed", s.Rejected.Shed),
		value("rejections.forced", s.Rejected.Forced),
		value("shadow_rejections", s.ShadowRejected),
	}
	for l := range level(levels) {
		of := s.Levels.at(l)
		name := "contended." + l.priority().String()
		values = append(values, value(name+".admitted", of.Admitted), value(name+".rejected", of.Rejected))
	}
	return values
}
