package breaker

import (
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// Release ends a call; it is what a permit's Done calls. It returns false if the call's generation is over, and changes
// no state then.
func (b *Breaker) Release(t seawall.Ticket, err error) bool {
	if err == nil {
		return b.succeed(t)
	}
	judged := false
	defer func() {
		if !judged { // the classifier panicked: the call has ended all the same, and a probe must not stay out
			b.settle(t, seawall.Verdict{Outcome: seawall.Failure})
		}
	}()
	v := judge(b.era.Load().settings, err)
	judged = true
	return b.settle(t, v)
}

// What is noted on a ticket when the answer began.
const (
	inTime    = 1 + iota
	late      // it took as long as a slow call
	collected // it was counted as slow while it ran
)

// Answered ends the time of a call whose answer has begun; it is what a permit's Answered calls. From here on the call
// does not hang, and its end tells only whether it succeeded.
func (b *Breaker) Answered(t seawall.Ticket) seawall.Ticket {
	tr := b.era.Load().trackingOf(t.Generation)
	if tr == nil {
		return t
	}
	start := time.Duration(t.Start)
	switch {
	case tr.end(start):
		t.Answer = collected
	case mono.Now()-start >= tr.over:
		t.Answer = late
	default:
		t.Answer = inTime
	}
	return t
}

// judge asks the classifier, outside of all locks. What only the policies know is not left to it.
func judge(s *settings, err error) seawall.Verdict {
	if err == seawall.ErrCanceled { //nolint:errorlint // the policies pass it bare
		return seawall.Verdict{Outcome: seawall.Ignored}
	}
	return s.Classify(err)
}

func neutral(o seawall.Outcome) bool { return o != seawall.Success && o != seawall.Failure }

// settle counts the end of a call in the era that admitted it, wherever that has got to meanwhile. Events are told last: a
// listener that does not return must not take the end along.
func (b *Breaker) settle(t seawall.Ticket, v seawall.Verdict) bool {
	c := ending{ticket: t, verdict: v}
	return b.settleEnding(&c)
}

func (b *Breaker) settleEnding(c *ending) bool {
	counted := b.count(c)
	if !counted {
		b.counts.outside(c.ticket, c.verdict.Outcome)
	}
	if c.locked {
		b.deliver()
	}
	return counted
}

// succeed is settle for a success, which in a closed breaker is on the path of almost every call: it does the same with
// fewer questions.
func (b *Breaker) succeed(t seawall.Ticket) bool {
	e := b.era.Load()
	if !e.passes || t.Generation != e.ticket {
		return b.settle(t, seawall.Verdict{})
	}
	var now time.Duration
	if e.timed {
		now = mono.Now()
	}
	if tr := e.tracking; tr != nil {
		start := time.Duration(t.Start)
		if now >= tr.due() || t.Answer > inTime || t.Answer == 0 && now-start >= tr.over {
			return b.settle(t, seawall.Verdict{})
		}
		if t.Answer == 0 && tr.end(start) { // collected since
			return b.settleEnding(&ending{ticket: t, observed: true, collected: true})
		}
	}
	in, ok := e.window.recordSuccess(now)
	if !ok {
		return b.settleEnding(&ending{ticket: t, observed: true})
	}
	if (in.failures() > 0 || in.slow > 0) && e.settings.trips(in, e.minCalls) != "" {
		b.trip(e.window)
		b.deliver()
	}
	return true
}

// ending is the end of a call.
type ending struct {
	ticket  seawall.Ticket
	verdict seawall.Verdict
	now     time.Duration // if the era needs it

	observed  bool
	collected bool // it was counted as slow while it ran
	slow      bool
	locked    bool // it took the lock, so there may be events to tell
}

// count returns false if the call's era is over.
func (b *Breaker) count(c *ending) bool {
	e := b.era.Load()
	for ; c.ticket.Generation>>phaseBits == e.generation(); e = b.era.Load() {
		if e.timed {
			c.now = mono.Now()
		}
		if e.watched {
			if c.now >= e.due() {
				b.catchUpFor(c)
				continue
			}
			c.observe(e)
		}
		if b.end(e, c) {
			if e.step != nil {
				e.step.ended(c.ticket.Generation, c.now)
			}
			return true
		}
	}
	return false
}

// catchUpFor is catchUp without telling of it yet.
func (b *Breaker) catchUpFor(c *ending) {
	c.locked = true
	b.mu.Lock()
	defer b.mu.Unlock()
	b.catchUpLocked(c.now)
}

// observe asks the tracking of a call, once.
func (c *ending) observe(e *era) {
	if answer := c.ticket.Answer; answer != 0 {
		c.observed, c.collected, c.slow = true, answer == collected, answer > inTime
		return
	}
	tr := e.trackingOf(c.ticket.Generation)
	if tr == nil || c.observed {
		return
	}
	start := time.Duration(c.ticket.Start)
	c.observed, c.collected, c.slow = true, tr.end(start), c.now-start >= tr.over
}

// end counts an end in e. It returns false, and nothing is counted, if e is not in force any more.
func (b *Breaker) end(e *era, c *ending) bool {
	outcome := c.verdict.Outcome
	switch {
	case e.probes != nil:
		return b.endProbe(e, c)
	case c.collected || c.slow && neutral(outcome):
		return b.endSlow(e, c)
	case neutral(outcome):
		b.counts.neutral(outcome)
		return true
	}
	w, failure := e.window, outcome == seawall.Failure
	if failure {
		b.noteHint(e, c.verdict)
	}
	in, ok := w.record(c.now, failure, c.slow)
	if !ok {
		return false // the window was replaced, by a transition or by an update
	}
	if c.slow {
		b.counts.slow.Add(1)
	}
	if (in.failures() > 0 || in.slow > 0) && e.settings.trips(in, e.minCalls) != "" {
		c.locked = true
		b.trip(w)
	}
	return true
}

// endSlow counts, under the lock, the end of a call that is in the window as a slow one already, or is to be there
// without an outcome: a call that was slow, and whose end says nothing.
func (b *Breaker) endSlow(e *era, c *ending) bool {
	c.locked = true
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.era.Load() != e {
		return false
	}
	w, now, outcome := e.window, mono.Now(), c.verdict.Outcome
	if c.collected {
		w.unhang(now, outcome)
	} else {
		b.counts.slow.Add(1)
		b.unended.entered++
		w.enter(now)
	}
	switch outcome {
	case seawall.Success:
		b.unended.succeeded++
	case seawall.Failure:
		b.unended.failed++
		b.noteHint(e, c.verdict)
	case seawall.Overload, seawall.Ignored:
		b.counts.neutral(outcome)
	}
	b.weighLocked(e, w.in(now), now)
	return true
}

// noteHint keeps what a failing answer asked for.
func (b *Breaker) noteHint(e *era, v seawall.Verdict) {
	if v.After <= 0 {
		return
	}
	if until, ok := e.settings.hint(v, mono.Now()); ok {
		e.window.wait(until)
	}
}
