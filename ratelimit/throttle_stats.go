package ratelimit

import (
	"sync/atomic"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

type throttleCounts struct {
	admitted       atomic.Int64
	ended          [seawall.Ignored + 1]atomic.Int64
	rejected       [refusalCount]atomic.Int64
	shadowRejected atomic.Int64
}

// ThrottleStats is what a throttle is doing and has done since it was made. Every call that finds it with a live context,
// and not off, is counted once in Admitted or one of the rejections; each of Admitted that has ended is counted once more
// in Success, Failure, Overload or Ignored. The counts never decrease.
type ThrottleStats struct {
	Requests    int64   // in the window: calls that came, also those that were rejected
	Accepts     int64   // in the window: calls that the dependency accepted
	RejectRatio float64 // the probability with which the next call is rejected, 0 to 1

	Admitted int64 // calls that got in
	Success  int64
	Failure  int64
	Overload int64
	Ignored  int64

	Limited        int64 // calls that were rejected by the dice
	Forced         int64 // calls that were rejected because the throttle was forced open
	ShadowRejected int64 // those of Admitted that enforce mode would have rejected
}

// Stats returns the numbers of this instant. Calls that are just passing may be in one number and not yet in another.
func (t *Throttle) Stats() ThrottleStats {
	s := t.settings.Load()
	in := s.window.in(mono.Now())
	ended := func(o seawall.Outcome) int64 { return t.counts.ended[o].Load() }
	stats := ThrottleStats{
		Requests:       in.requests(),
		Accepts:        in.accepts(),
		RejectRatio:    max(0, s.rejects(in)),
		Success:        ended(seawall.Success),
		Failure:        ended(seawall.Failure),
		Overload:       ended(seawall.Overload),
		Ignored:        ended(seawall.Ignored),
		Limited:        t.counts.rejected[limited].Load(),
		Forced:         t.counts.rejected[forced].Load(),
		ShadowRejected: t.counts.shadowRejected.Load(),
	}
	stats.Admitted = t.counts.admitted.Load() // after the ends, of which there are never more
	return stats
}

// Snapshot returns the mode and the numbers of [Throttle.Stats], for the registry.
func (t *Throttle) Snapshot() seawall.Snapshot {
	s := t.Stats()
	value := func(name string, n int64) seawall.Value { return seawall.Value{Name: name, V: float64(n)} }
	return seawall.Snapshot{
		Kind: throttleKind,
		Name: t.name,
		Mode: t.settings.Load().Mode,
		Values: []seawall.Value{
			value("window.requests", s.Requests),
			value("window.accepts", s.Accepts),
			{Name: "reject.ratio", V: s.RejectRatio},
			value("calls.admitted", s.Admitted),
			value("calls.success", s.Success),
			value("calls.failure", s.Failure),
			value("calls.overload", s.Overload),
			value("calls.ignored", s.Ignored),
			value("rejections.limited", s.Limited),
			value("rejections.forced", s.Forced),
			value("shadow_rejections", s.ShadowRejected),
		},
	}
}
