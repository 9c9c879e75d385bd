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
		return b.settle(t, seawall.Verdict{})
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

// judge asks the classifier, outside of all locks. What only the policies know is not left to it.
func judge(s *settings, err error) seawall.Verdict {
	if err == seawall.ErrCanceled { //nolint:errorlint // the policies pass it bare
		return seawall.Verdict{Outcome: seawall.Ignored}
	}
	return s.Classify(err)
}

func neutral(o seawall.Outcome) bool { return o != seawall.Success && o != seawall.Failure }

// settle counts the end of a call in the era that admitted it, wherever that has got to meanwhile.
func (b *Breaker) settle(t seawall.Ticket, v seawall.Verdict) bool {
	e := b.era.Load()
	var c ending
	for ; t.Generation>>phaseBits == e.generation(); e = b.era.Load() {
		var now time.Duration
		if e.timed {
			now = mono.Now()
		}
		if e.watched {
			if now >= e.due() {
				b.catchUp(now)
				continue
			}
			c.observe(e, t, now)
		}
		if b.end(e, v, now, c) {
			if e.step != nil {
				b.endInRamp(e, t.Generation, now)
			}
			return true
		}
	}
	b.counts.outside(t, v.Outcome)
	return false
}

// ending is what its tracking says of a call that ends.
type ending struct {
	known     bool
	collected bool // it was counted as slow while it ran
	slow      bool
}

// observe asks the tracking of a call, once.
func (c *ending) observe(e *era, t seawall.Ticket, now time.Duration) {
	tr := e.trackingOf(t.Generation)
	if tr == nil || c.known {
		return
	}
	start := time.Duration(t.Start)
	*c = ending{known: true, collected: tr.end(start), slow: now-start >= tr.over}
	if c.collected {
		tr.hung.Add(-1)
	}
}

// end counts an end in e. It returns false, and nothing is counted, if e is not in force any more.
func (b *Breaker) end(e *era, v seawall.Verdict, now time.Duration, c ending) bool {
	switch {
	case e.probes != nil:
		return b.endProbe(e, v, c)
	case c.collected || c.slow && neutral(v.Outcome):
		return b.endSlow(e, v, c)
	case neutral(v.Outcome):
		b.counts.neutral(v.Outcome)
		return true
	}
	w, failure := e.window, v.Outcome == seawall.Failure
	if failure {
		b.noteHint(e, v)
	}
	in, ok := w.record(now, failure, c.slow)
	if !ok {
		return false // the window was replaced, by a transition or by an update
	}
	if c.slow {
		b.counts.slow.Add(1)
	}
	if (in.failures() > 0 || in.slow > 0) && e.settings.trips(in, e.minCalls) != "" {
		b.trip(w)
	}
	return true
}

// endSlow counts, under the lock, the end of a call that is in the window as a slow one already, or is to be there
// without an outcome: a call that was slow, and whose end says nothing.
func (b *Breaker) endSlow(e *era, v seawall.Verdict, c ending) bool {
	b.mu.Lock()
	defer b.deliver()
	defer b.mu.Unlock()
	if b.era.Load() != e {
		return false
	}
	w, now := e.window, mono.Now()
	if c.collected {
		w.unhang(now, v.Outcome)
	} else {
		b.counts.slow.Add(1)
		b.unended.entered++
		w.enter(now)
	}
	switch v.Outcome {
	case seawall.Success:
		b.unended.succeeded++
	case seawall.Failure:
		b.unended.failed++
		b.noteHint(e, v)
	case seawall.Overload, seawall.Ignored:
		b.counts.neutral(v.Outcome)
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
