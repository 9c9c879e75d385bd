package bulkhead

import "time"

// pace is the time between hand-overs while calls queue: by it a newcomer's wait is foretold. The zero value knows
// nothing.
//
// The average is that of TCP's round-trip time (RFC 6298): SRTT ← (1 − α)·SRTT + α·R' with α = 1/8, starting with the
// first measurement.
type pace struct {
	between time.Duration // SRTT; only if known
	known   bool
	last    time.Duration // when the latest hand-over was; only if begun
	begun   bool
}

const (
	smoothing = 8
	// slowest bounds a measurement, so that the expectation of the last of a queue of any size is a time.Duration.
	slowest = maxMaxWait
)

// handedOver takes note of a hand-over to a call that waited.
func (p *pace) handedOver(now time.Duration) {
	if p.begun {
		r := min(max(0, now-p.last), slowest)
		if p.known {
			p.between += (r - p.between) / smoothing
		} else {
			p.between, p.known = r, true
		}
	}
	p.last, p.begun = now, true
}

// expect returns how long the call at a position of the queue, counted from 1, will wait: 0 if nothing is known.
func (p *pace) expect(position int) time.Duration { return time.Duration(position) * p.between }
