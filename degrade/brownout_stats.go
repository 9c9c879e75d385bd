package degrade

import (
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

type brownoutCounts struct {
	admitted atomic.Int64
	_        [56]byte // the rest is rare, but for overload
	rejected [seawall.CriticalPlus + 1]atomic.Int64

	forced, shadowRejected, worse, better, readings, badReadings atomic.Int64
}

// BrownoutStats is what a [Brownout] is doing and has done since it was made. Every call, unless it is off, is counted
// once in Admitted or Rejected. The counts never decrease.
type BrownoutStats struct {
	Level  Level
	Manual bool          // the level was set by hand
	For    time.Duration // how long the level has been in force
	Signal float64       // the last good reading; 0 if there was none

	Admitted       int64
	Rejected       BrownoutRejections
	ShadowRejected int64 // those of Admitted that enforce mode would have rejected

	Worse, Better         int64 // changes of the level
	Readings, BadReadings int64 // of the signal; the bad ones are among the others
}

// BrownoutRejections counts rejections by the importance of what was rejected.
type BrownoutRejections struct {
	Sheddable     int64
	SheddablePlus int64
	Critical      int64
	Forced        int64 // of any importance, because the brownout was forced open
}

// Total returns the sum.
func (r BrownoutRejections) Total() int64 {
	return r.Sheddable + r.SheddablePlus + r.Critical + r.Forced
}

// Stats returns the numbers of this instant. Like [Brownout.Level] it reads the signal if that is due.
func (b *Brownout) Stats() BrownoutStats {
	b.look()
	b.mu.Lock()
	e, signal, now := b.era.Load(), b.signal, mono.Now()
	b.mu.Unlock()
	c := &b.counts
	return BrownoutStats{
		Level: e.level, Manual: e.pinned, For: now - e.since, Signal: signal,
		ShadowRejected: c.shadowRejected.Load(), // before the sum of which it is a part
		Admitted:       c.admitted.Load(),
		Rejected: BrownoutRejections{
			Sheddable:     c.rejected[seawall.Sheddable].Load(),
			SheddablePlus: c.rejected[seawall.SheddablePlus].Load(),
			Critical:      c.rejected[seawall.Critical].Load(),
			Forced:        c.forced.Load(),
		},
		Worse: c.worse.Load(), Better: c.better.Load(),
		BadReadings: c.badReadings.Load(),
		Readings:    c.readings.Load(),
	}
}

// Snapshot returns the mode, the level as its state, and the numbers of [Brownout.Stats], for the registry.
func (b *Brownout) Snapshot() seawall.Snapshot {
	s := b.Stats()
	manual := 0.0
	if s.Manual {
		manual = 1
	}
	value := func(name string, n int64) seawall.Value { return seawall.Value{Name: name, V: float64(n)} }
	return seawall.Snapshot{
		Kind: brownoutKind, Name: b.name, Mode: b.Config().Mode, State: s.Level.String(),
		Values: []seawall.Value{
			{Name: "level", V: float64(s.Level)},
			{Name: "level.manual", V: manual},
			{Name: "signal", V: s.Signal},
			value("calls.admitted", s.Admitted),
			value("rejections.sheddable", s.Rejected.Sheddable),
			value("rejections.sheddable_plus", s.Rejected.SheddablePlus),
			value("rejections.critical", s.Rejected.Critical),
			value("rejections.forced", s.Rejected.Forced),
			value("shadow_rejections", s.ShadowRejected),
			value("transitions.worse", s.Worse),
			value("transitions.better", s.Better),
			value("readings", s.Readings),
			value("readings.bad", s.BadReadings),
		},
	}
}
