package bulkhead

import "time"

// recovery is the way back to a limit from which drops have brought it down. While everything times out the limit falls
// to its floor; after that has ended it must not take minutes to find again what it knew before.
type recovery struct {
	usual  float64 // latency of the windows without drops, full ones or not; 0 if there were none
	to     float64 // the limit before the drops; 0 if there were none, or it has been reached
	least  float64 // what to does not become less than
	grew   bool    // since the latest drops
	misses int     // windows in a row in which latency was not the usual one

	came bool          // to its end
	at   time.Duration // when; only if it came
}

const (
	// recovered is the share of the limit at which the way back is over, or a fall is too small to be one.
	recovered = 0.9
	// normal is the multiple of the usual latency up to which it has come back.
	normal = 1.5
	// usually is the weight of a window in the usual latency.
	usually = 0.125
	// relapse is the number of usual latencies within which drops that come back are the same trouble.
	relapse = 40
	// shorter is the factor of the way after a relapse, and shortest that after many: where drops do not depend on the limit,
	// as pushback at a constant rate, what looks like a recovery and a relapse is chance, and must not cost all that was known.
	// If even that is too much, the way ends there, and a shorter one begins.
	shorter, shortest = 0.75, 0.5
	// mostMisses ends a recovery under another latency: what was known before does not hold any more.
	mostMisses = 10
)

// fellBack is told that drops have brought the limit down from another one. Where they are back soon after it was, there
// was too much, and the next way is shorter.
func (k *knee) fellBack(from float64, now time.Duration) {
	r := &k.recovery
	again := r.grew || r.came && now-r.at < span(relapse*r.usual)
	switch {
	case r.usual == 0:
		return // nothing says when it is over
	case r.to == 0 && k.limit < recovered*from:
		r.to, r.least = from, shortest*from
	case r.to == 0:
		return
	}
	if again {
		r.to = max(k.limit, r.least, shorter*r.to)
	}
	r.grew, r.misses, r.came = false, 0, false
}

// goesWell is told of the latency of a window without drops.
func (r *recovery) goesWell(mean float64) {
	if r.usual == 0 {
		r.usual = mean
	}
	r.usual += usually * (mean - r.usual)
}

// recover moves the limit by what a window of a recovery says.
func (k *knee) recover(p *period) {
	r := &k.recovery
	switch {
	case p.dropped > 0:
	case k.mean > normal*r.usual:
		r.misses++
	case p.full:
		k.limit = k.within(min(r.to, 2*k.limit))
		r.grew, r.misses = true, 0
	}
	if k.limit >= recovered*r.to || r.misses > mostMisses {
		k.recovery = recovery{usual: r.usual, came: true, at: p.end}
		k.drain.limitThen = k.limit
		k.drain.next = max(k.drain.next, p.end+span(relapse*r.usual)) // what was found again is not measured at once
	}
}

// recoveryWindow starts a period of a recovery: a round trip, in which as many calls end as there are slots.
func (k *knee) recoveryWindow(now time.Duration) plan {
	p := k.plan(k.learned(), now, max(k.Window/20, span(1.2*k.recovery.usual)))
	p.calls = max(1, int64(k.limit/2))
	return p
}
