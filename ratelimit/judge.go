package ratelimit

import (
	"context"
	"math"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// answer is what a call is told.
type answer struct {
	fate   fate
	ticket seawall.Ticket // if granted
	why    refusal        // if turned away; if it waits, why it would be, should its tokens be late
	when   time.Duration  // reading of mono.Now: if turned away, when it may come again; if it waits, until when
}

// fate is what became of a call.
type fate uint8

const (
	waits    fate = iota
	granted       // it starts
	turned        // it was rejected
	departed      // its caller left while it waited
)

// decide is Acquire for a call that does not get its tokens for the asking.
func (l *Limiter) decide(ctx context.Context, s *settings, n int) (seawall.Ticket, error) {
	for {
		left := time.Duration(math.MaxInt64)
		if s.MaxWait != NoWait {
			// The context may be the user's own: not under the lock.
			if remaining, ok := seawall.Remaining(ctx); ok {
				left = remaining
			}
		}
		l.mu.Lock()
		if l.forgotten {
			l.mu.Unlock()
			return seawall.Ticket{}, errForgotten
		}
		current := l.settings.Load()
		if current == s {
			a := l.enterLocked(s, n, mono.Now(), left)
			if a.fate != waits {
				l.mu.Unlock()
				return a.ticket, l.refuse(ctx, a)
			}
			w := &waiter{told: make(chan struct{}), n: n, answer: a}
			l.queue.push(w)
			began := mono.Now()
			l.armLocked(began)
			l.mu.Unlock()
			return l.await(ctx, w, began)
		}
		l.mu.Unlock()
		// A call goes by one configuration: it is weighed and judged by the same.
		s = current
		if s.Mode == seawall.Off {
			return seawall.Ticket{}, nil
		}
		n = s.weigh(ctx)
	}
}

// refuse returns the error for a call that was turned away, and else nil.
func (l *Limiter) refuse(ctx context.Context, a answer) error {
	if a.fate != turned {
		return nil
	}
	return l.reject(ctx, a.why, a.when)
}

// enterLocked answers a newcomer, and counts it unless it is to wait.
func (l *Limiter) enterLocked(s *settings, n int, now, left time.Duration) (a answer) {
	switch s.Mode {
	case seawall.Enforce:
		l.serveLocked(now)
		a = l.judgeLocked(s, n, now, left, l.queue.len)
	case seawall.Shadow:
		a = l.rehearseLocked(s, n, now, left)
	case seawall.ForcedClosed:
		a = l.letInLocked(n, now)
	case seawall.ForcedOpen:
		a = answer{fate: turned, why: forced, when: untimed}
	case seawall.Off: // calls do not come so far
	}
	switch a.fate {
	case granted:
		l.counts.allowed++
	case turned:
		l.counts.rejected[a.why]++
	case waits, departed:
	}
	return a
}

// judgeLocked answers a newcomer beside so many calls that wait.
func (l *Limiter) judgeLocked(s *settings, n int, now, left time.Duration, waiting int) answer {
	if waiting == 0 && l.take(now, n) {
		return l.grantLocked(n)
	}
	return l.lateLocked(s, n, now, left, waiting)
}

// lateLocked answers a newcomer whose tokens are not there yet.
func (l *Limiter) lateLocked(s *settings, n int, now, left time.Duration, waiting int) answer {
	if n > s.Burst && s.Rate != Unlimited {
		return answer{fate: turned, why: limited, when: untimed}
	}
	wait := l.wait(now, float64(l.queue.tokens)+float64(n))
	turn := func(why refusal) answer {
		return answer{fate: turned, why: why, when: max(now, l.latest) + min(wait, maxAhead)}
	}
	switch {
	case s.MaxWait == NoWait:
		return turn(limited)
	case waiting >= s.MaxWaiting:
		return turn(queueFull)
	case wait >= left && left <= s.MaxWait:
		return turn(deadline)
	case wait > s.MaxWait:
		return turn(limited)
	case left <= s.MaxWait:
		return answer{why: deadline, when: now + left}
	}
	return answer{why: limited, when: now + s.MaxWait}
}

// grantLocked lets a call in that has just taken its tokens.
func (l *Limiter) grantLocked(n int) answer {
	return answer{fate: granted, ticket: l.ticketLocked(n)}
}

// letInLocked lets a call in, and takes the tokens if they are there.
func (l *Limiter) letInLocked(n int, now time.Duration) answer {
	if l.take(now, n) {
		return l.grantLocked(n)
	}
	return answer{fate: granted}
}
