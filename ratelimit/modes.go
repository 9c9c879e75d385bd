package ratelimit

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
)

// SetMode switches how the limiter acts, while calls run and with its tokens and counts kept:
//
//   - [seawall.Enforce] is the normal mode.
//   - [seawall.Shadow] lets every call in at once, and counts those that would have been rejected. It takes the tokens that
//     enforce mode would have taken, also those for which a call would have waited; what is ahead of the bucket then is
//     still owed after a switch to Enforce.
//   - [seawall.ForcedOpen] rejects every call, also those that wait.
//   - [seawall.ForcedClosed] lets every call in at once, and takes the tokens that are there.
//   - [seawall.Off] lets every call pass, uncounted, and takes nothing.
//
// Calls that wait at a switch to a mode that rejects nothing get in. SetMode is logged as seawall.gate.mode_changed. The
// error says that m is none of the modes.
func (l *Limiter) SetMode(m seawall.Mode) error {
	if !m.Valid() {
		return fmt.Errorf("ratelimit: no such mode: %v", m)
	}
	l.change(func(cfg Config) Config {
		cfg.Mode = m
		return cfg
	})
	return nil
}

// rehearseLocked lets a call in and judges it as enforce mode would, beside the calls that would wait by now: those have
// put the bucket in debt. That one leaves while it waits, or is refunded then, is not foreseen.
func (l *Limiter) rehearseLocked(s *settings, n int, now, left time.Duration) answer {
	for len(l.rehearsed) > 0 && l.rehearsed[0] <= now {
		l.rehearsed = l.rehearsed[1:]
	}
	if l.take(now, n) {
		return l.grantLocked(n)
	}
	wait := l.wait(now, float64(n))
	a := l.lateLocked(s, n, now, left, len(l.rehearsed))
	switch a.fate {
	case waits:
		l.borrow(now, n)
		l.rehearsed = append(l.rehearsed, now+wait)
		return l.grantLocked(n)
	case turned:
		l.counts.shadowRejected++
		return answer{fate: granted}
	case granted, departed:
	}
	return a
}

// resettleLocked does for those that wait what new settings mean for them.
func (l *Limiter) resettleLocked(s *settings, now time.Duration) {
	l.rehearsed = nil
	if s.Mode == seawall.Enforce {
		l.serveLocked(now)
		l.turnLateLocked(s, now)
	} else {
		for w := l.queue.first; w != nil; w = l.queue.first {
			l.queue.remove(w, l.releaseLocked(s.Mode, w.n, now))
		}
	}
	l.serveLocked(now) // who is first now may want less
}

// releaseLocked answers a call that waits at a switch to a mode in which nobody does.
func (l *Limiter) releaseLocked(m seawall.Mode, n int, now time.Duration) answer {
	switch m {
	case seawall.ForcedOpen:
		return answer{fate: turned, why: forced, when: untimed}
	case seawall.Shadow:
		l.borrow(now, n)
		return l.grantLocked(n)
	case seawall.ForcedClosed:
		return l.letInLocked(n, now)
	case seawall.Enforce, seawall.Off:
	}
	return answer{fate: granted}
}

// turnLateLocked rejects those whose tokens will not come in time any more, because they come more slowly now. Those
// behind gain by it.
func (l *Limiter) turnLateLocked(s *settings, now time.Duration) {
	ahead := 0.0
	for w := l.queue.first; w != nil; {
		next := w.next
		when := now + min(l.wait(now, ahead+float64(w.n)), maxAhead)
		switch {
		case w.n > s.Burst:
			l.queue.remove(w, answer{fate: turned, why: limited, when: untimed})
		case when > w.when:
			l.queue.remove(w, answer{fate: turned, why: w.why, when: when})
		default:
			ahead += float64(w.n)
		}
		w = next
	}
}
