package health

import "time"

// state is what is known of one check. Its methods are the whole of the debouncing, and take the time as an argument.
type state struct {
	failing bool // after fall failures in a row, until rise successes in a row
	passed  bool // at least once
	since   time.Time
	lastOK  time.Time
	last    time.Time     // when the last run ended
	took    time.Duration // by the last run
	fails   int           // in a row
	oks     int           // in a row
	err     string        // of the last failure; empty after a success
}

// ended takes the end of a run, before success or failure take what came of it. What hangs has no end, and so its last
// result becomes stale.
func (s *state) ended(now time.Time, took time.Duration) { s.last, s.took = now, took }

func (s *state) success(now time.Time, rise int) {
	s.fails, s.err = 0, ""
	s.oks = min(s.oks+1, rise)
	s.lastOK = now
	if !s.passed || s.failing && s.oks >= rise {
		s.passed, s.failing, s.since = true, false, now
	}
}

func (s *state) failure(now time.Time, fall int, why string) {
	s.fails++
	s.oks, s.err = 0, why
	if !s.failing && s.fails >= fall {
		s.failing, s.since = true, now
	}
}

// stale reports whether the last result is older than it may be.
func (s *state) stale(now time.Time, after time.Duration) bool {
	return !s.last.IsZero() && now.Sub(s.last) > after
}
