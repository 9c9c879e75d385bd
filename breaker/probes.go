package breaker

import (
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// probes are the calls that judge a recovery. Breaker.mu guards all of it; out and latest are atomic so that a rejection
// can read them without the lock.
type probes struct {
	out       atomic.Int64 // admitted, and not given back by an end that says nothing
	latest    atomic.Int64 // when the latest one was admitted
	successes int64
	failures  int64
	slow      int64
	hung      int64         // of the slow ones, those that have not ended
	until     time.Duration // latest instant before which a failing answer asked for no other call; or unknown
}

func newProbes() *probes { return &probes{until: unknown} }

// deadline returns when those that have not ended are taken as failures: if all are out, and the last one has taken as
// long as it may.
func (p *probes) deadline(s *settings) time.Duration {
	if p.out.Load() < int64(s.Probes.Calls) {
		return never
	}
	return later(time.Duration(p.latest.Load()), s.Probes.Timeout)
}

func (b *Breaker) startProbing(e *era) {
	b.mu.Lock()
	defer b.deliver()
	defer b.mu.Unlock()
	if now := b.era.Load(); now.generation() == e.generation() {
		b.nextLocked(now, era{
			state: HalfOpen, opened: now.opened, probes: newProbes(), rejection: reject(b.name, seawall.ReasonProbing, 0),
		}, reasonOpenTimeOver, numbers{}, mono.Now())
	}
}

// takeProbe takes one of the probes. It delivers no event: a listener that does not return must not take the probe along.
func (b *Breaker) takeProbe(e *era) bool {
	p, limit := e.probes, int64(e.settings.Probes.Calls)
	if p.out.Load() >= limit {
		return false // the common case while probes are out: no lock
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.era.Load() != e || p.out.Load() >= limit {
		return false
	}
	p.latest.Store(int64(mono.Now()))
	p.out.Add(1)
	return true
}

// endProbe counts the end of a probe. It returns false if the era is over.
func (b *Breaker) endProbe(e *era, c *ending) bool {
	c.locked = true
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.era.Load() != e {
		return false
	}
	p, now, v := e.probes, mono.Now(), c.verdict
	if c.collected {
		p.hung--
	} else if c.slow {
		p.slow++
		b.counts.slow.Add(1)
	}
	switch v.Outcome {
	case seawall.Success:
		p.successes++
		b.counts.judged(false)
	case seawall.Failure:
		p.failures++
		b.counts.judged(true)
		if until, ok := e.settings.hint(v, now); ok {
			p.until = max(p.until, until)
		}
	case seawall.Overload, seawall.Ignored:
		p.out.Add(-1)
		b.counts.neutral(v.Outcome)
	}
	b.judgeLocked(e, now)
	return true
}

// judgeLocked ends the half-open state as soon as its verdict can no longer change, however the probes that have not
// ended do.
func (b *Breaker) judgeLocked(e *era, at time.Duration) {
	p, s := e.probes, e.settings
	in := numbers{p.successes + p.failures, p.failures, p.slow}
	total := max(int64(s.Probes.Calls), in.calls) // more may have ended if an update wants fewer
	open := total - in.calls
	switch {
	case s.failures.reached(p.failures, total):
		b.openLocked(e, reasonProbesFailed, in, p.until, at)
	case s.slow.reached(p.slow, total):
		b.openLocked(e, reasonProbesSlow, in, p.until, at)
	case !s.failures.reached(p.failures+open, total) && !s.slow.reached(p.slow+max(0, open-p.hung), total):
		b.recoverLocked(e, in, at)
	}
}
