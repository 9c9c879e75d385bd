package bulkhead

import "time"

// service is how long calls take while others queue: by it one knows who would be served in vain. The zero value knows
// nothing.
//
// The averages are those of RFC 6298, of the time and of its deviation:
//
//	RTTVAR ← (1 − β)·RTTVAR + β·|SRTT − R'|    SRTT ← (1 − α)·SRTT + α·R'    with α = 1/8 and β = 1/4
//
// TCP adds the deviation, because it wants to be sure that an answer has not come. Here it is taken off, because a call
// that is turned away should be sure to come too late: where some calls take long and others do not, a short deadline
// may be that of a short call.
type service struct {
	srtt, rttvar time.Duration
	known        bool
}

// ended takes note of how long a call took.
func (s *service) ended(r time.Duration) {
	r = min(max(0, r), slowest)
	if !s.known {
		*s = service{srtt: r, rttvar: r / 2, known: true}
		return
	}
	deviation := s.srtt - r
	if deviation < 0 {
		deviation = -deviation
	}
	s.rttvar += (deviation - s.rttvar) / 4
	s.srtt += (r - s.srtt) / smoothing
}

// expect returns the time that a call is sure to take: 0 if nothing is known.
func (s *service) expect() time.Duration { return max(0, s.srtt-s.rttvar) }

// served takes note of how long a call took. While nobody waits that is not asked for, and not learned: an average that
// outlives the queue could turn away all who want to wait, and with them those by whom it would be corrected.
func (b *Bulkhead) served(took time.Duration) {
	if b.state.load().waiting() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queue.calls > 0 {
		b.service.ended(took)
	}
}
