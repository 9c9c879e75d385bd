package bulkhead

import "time"

// pace is the time in which one slot comes free while calls queue: by it a newcomer's wait is foretold. The zero value
// knows nothing.
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

// handedOver takes note that n slots went to calls that waited.
func (p *pace) handedOver(now time.Duration, n int) {
	if p.begun {
		r := min(max(0, now-p.last), slowest) / time.Duration(n)
		if p.known {
			p.between += (r - p.between) / smoothing
		} else {
			p.between, p.known = r, true
		}
	}
	p.last, p.begun = now, true
}

// resize reckons with another number of slots, which come free at another pace in proportion.
func (p *pace) resize(from, to int) {
	p.between = min(p.between*time.Duration(from)/time.Duration(to), slowest)
}

// expect returns how long it takes until so many slots have come free: 0 if nothing is known.
func (p *pace) expect(slots int64) time.Duration {
	return time.Duration(min(slots, farthest)) * p.between
}

// farthest bounds what is foretold: so many times the slowest is still a time.Duration.
const farthest = 2_000_000
