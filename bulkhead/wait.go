package bulkhead

import (
	"context"
	"math"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// noDeadline is what is left to a caller that has no deadline.
const noDeadline time.Duration = math.MaxInt64

// queueUp gets a call its slots, after a wait if need be, or rejects it.
func (b *Bulkhead) queueUp(ctx context.Context, s *settings, c newcomer) (holding, error) {
	left := noDeadline
	if remaining, ok := seawall.Remaining(ctx); ok { // the context may be the user's own: not under the lock
		left = remaining
	}
	now := mono.Now()
	if s.Shedding == ByUser {
		c.hash = hashOf(ctx)
		if s.counts {
			h, pass := b.passDoor(c, now)
			if !pass {
				return nothing, b.turnAway(ctx, c.level, shed, 0)
			}
			if h != nothing {
				return h, nil
			}
		}
	}
	w := &waiter{newcomer: c, told: make(chan struct{}), since: now, left: left}
	b.mu.Lock()
	// From here on the call goes by these settings alone. Those that it began with may be older than the latest change,
	// and by their limit it might wait beside a free slot.
	s = b.settings.Load()
	if s.Mode != seawall.Enforce {
		b.mu.Unlock()
		return b.decide(ctx, s, c.asked)
	}
	end := b.enterLocked(w, s)
	b.mu.Unlock()
	switch end.fate {
	case granted:
		b.counts.levels[c.level].admitted.Add(1)
		return end.holding, nil
	case refused:
		return nothing, b.turnAway(ctx, c.level, end.why, end.after)
	case waits, departed:
	}
	return b.wait(ctx, w, s.Queue.MaxWait)
}

// entry is how a call came to the queue: it waits, or is granted slots, or refused.
type entry struct {
	fate    fate
	holding holding
	why     refusal
	after   time.Duration
}

// enterLocked puts a call into the queue, unless its slots are free or the wait would be in vain.
func (b *Bulkhead) enterLocked(c *waiter, s *settings) entry {
	if b.queue.calls > 0 {
		b.lookLocked(s, c.since)
		b.dropStaleLocked(s, c.since)
		b.settleLocked(s, c.since) // one that was dropped may have kept others from slots that were too few for it
	}
	for {
		w := b.state.load()
		n := min(c.asked, s.Limit)
		if w.countFull() {
			b.foldLocked()
			continue
		}
		if w.inUse()+n <= s.Limit && b.isNextLocked(s, c) {
			if b.state.swap(w, w+word(n)*oneInUse+oneAdmitted) {
				b.shedder.admitted(n)
				if w.waiting() > 0 {
					b.dues.handedOver(c.level, n, &s.parts, &b.queue)
					b.settleLocked(s, c.since)
				}
				return entry{fate: granted, holding: holdingOf(slot, n)}
			}
			continue
		}
		var victim *waiter
		if w.waiting() >= s.places {
			if victim = b.victimLocked(s, c.level); victim == nil {
				b.shedder.dropped()
				return entry{fate: refused, why: s.whenFull, after: b.expectLocked(s, c.level, c.asked)}
			}
		}
		if why, after := b.vainLocked(s, c); why != noRefusal {
			b.shedder.dropped()
			return entry{fate: refused, why: why, after: after}
		}
		if victim != nil {
			b.refuseLocked(victim, shed, b.expectLocked(s, victim.level, victim.asked))
			b.settleLocked(s, c.since)
			continue
		}
		// From this swap on whoever ends a call sees that somebody waits, and comes for the lock.
		if b.state.swap(w, w+oneWaiting) {
			c.until = c.since + min(c.left, s.Queue.MaxWait)
			b.queue.push(c)
			b.noteFullLocked(s)
			return entry{fate: waits}
		}
	}
}

// vainLocked says why a newcomer should not wait, and when to come back, if it would not get its slots in time or would
// not have the time to use them.
func (b *Bulkhead) vainLocked(s *settings, c *waiter) (why refusal, after time.Duration) {
	expected := b.expectLocked(s, c.level, c.asked)
	switch tooLate := expected >= c.left || expected+b.service.expect() > c.left; {
	case tooLate && c.left <= s.Queue.MaxWait:
		return deadline, expected
	case expected >= s.Queue.MaxWait:
		return queueTimeout, expected
	case tooLate:
		return deadline, expected
	}
	return noRefusal, 0
}

// expectLocked returns how long a newcomer will wait, by the slots that go to others before it: to those who are more
// important, and to those of its level who came first, unless the newest is served first. What is due to its level may
// come sooner.
func (b *Bulkhead) expectLocked(s *settings, l level, asked int) time.Duration {
	mine := int64(min(asked, s.Limit))
	if !b.newestFirstLocked(s, l) {
		mine += b.queue.lines[l].slots
	}
	ahead := mine
	for more := l + 1; more < levels; more++ {
		ahead += b.queue.lines[more].slots
	}
	if part := s.parts[l]; part > 0 {
		ahead = min(ahead, max(0, min(mine, farthest)*whole-b.dues[l])/part+1)
	}
	return b.pace.expect(ahead)
}

// wait waits for the turn of a call in the queue.
func (b *Bulkhead) wait(ctx context.Context, w *waiter, maxWait time.Duration) (holding, error) {
	var expired <-chan time.Time
	if maxWait < w.left { // else the caller's deadline comes first, and its context tells
		timer := time.NewTimer(maxWait)
		defer timer.Stop()
		expired = timer.C
	}
	end, why, after := waits, queueTimeout, time.Duration(0)
	select {
	case <-w.told:
		end, why, after = w.fate, w.why, w.after
	case <-ctx.Done():
		end, why, after = b.leave(w)
	case <-expired:
		end, why, after = b.leave(w)
	}
	if ctx.Err() != nil {
		// Slots that came at the same instant go on: nothing starts for a caller that has left.
		if end == granted {
			b.passOn(w.slots)
		}
		b.tellWait(ctx, w, "canceled")
		return nothing, b.canceled(ctx)
	}
	if end == granted {
		b.counts.waited.Add(1)
		b.counts.levels[w.level].admitted.Add(1)
		b.tellWait(ctx, w, "admitted")
		return holdingOf(slot, w.slots) | hasWaited, nil
	}
	b.tellWait(ctx, w, "rejected")
	if why == forced {
		return nothing, b.reject(ctx, forced, 0)
	}
	return nothing, b.turnAway(ctx, w.level, why, after)
}

// tellWait tells who wants to know how long a call has waited.
func (b *Bulkhead) tellWait(ctx context.Context, w *waiter, outcome string) {
	if b.waits.Wanted() {
		b.waits.Tell(ctx, outcome, mono.Now()-w.since)
	}
}

// leave takes a call out of the queue, if it is still there, and returns what became of it.
func (b *Bulkhead) leave(w *waiter) (end fate, why refusal, after time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.settings.Load()
	if w.fate == waits {
		b.removeLocked(w, departed)
	}
	if w.fate == departed {
		w.why, w.after = queueTimeout, b.expectLocked(s, w.level, w.asked)
	}
	b.settleLocked(s, mono.Now()) // it may have kept others from slots that were too few for it
	return w.fate, w.why, w.after
}
