package ratelimit

import (
	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

type counts struct {
	allowed, delayed, canceled, refunded, shadowRejected int64
	rejected                                             [refusalCount]int64
}

func (c *counts) add(other *counts) {
	c.allowed += other.allowed
	c.delayed += other.delayed
	c.canceled += other.canceled
	c.refunded += other.refunded
	c.shadowRejected += other.shadowRejected
	for why := range c.rejected {
		c.rejected[why] += other.rejected[why]
	}
}

// Stats is what a limiter is doing and has done since it was made. Every call that finds it with a live context, and
// not off, is counted once in Allowed, Delayed, Canceled or Rejected; until then it is Waiting. The counts never decrease.
type Stats struct {
	Rate    float64 // tokens that come in a second, or Unlimited
	Burst   int     // tokens that the bucket holds
	Tokens  float64 // tokens in the bucket; below 0 while a rehearsal has borrowed some
	Waiting int     // calls in the queue

	Allowed        int64 // calls that started at once
	Delayed        int64 // calls that started after a wait
	Canceled       int64 // calls whose context ended while they waited
	Rejected       Rejections
	Refunded       int64 // those of Allowed and Delayed that were not made, and gave tokens back
	ShadowRejected int64 // those of Allowed that enforce mode would have rejected
}

// Rejections counts rejections by their reason.
type Rejections struct {
	Limited   int64 // the tokens were not there, or would not have come within MaxWait
	Deadline  int64 // they would not have come before the caller's deadline
	QueueFull int64 // MaxWaiting calls waited
	Forced    int64 // the limiter was forced open
}

// Total returns the sum.
func (r Rejections) Total() int64 { return r.Limited + r.Deadline + r.QueueFull + r.Forced }

// Stats returns the numbers of one instant.
func (l *Limiter) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.settings.Load()
	stats := l.counts.stats()
	stats.Rate, stats.Burst = s.Rate, s.Burst
	stats.Tokens, stats.Waiting = l.tokens(mono.Now()), l.queue.len
	return stats
}

// read returns what a group adds up.
func (l *Limiter) read() (c counts, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts, l.queue.len
}

func (c *counts) stats() Stats {
	return Stats{
		Allowed:  c.allowed,
		Delayed:  c.delayed,
		Canceled: c.canceled,
		Rejected: Rejections{
			Limited:   c.rejected[limited],
			Deadline:  c.rejected[deadline],
			QueueFull: c.rejected[queueFull],
			Forced:    c.rejected[forced],
		},
		Refunded:       c.refunded,
		ShadowRejected: c.shadowRejected,
	}
}

// Snapshot returns the mode and the numbers of [Limiter.Stats], for the registry.
func (l *Limiter) Snapshot() seawall.Snapshot {
	return seawall.Snapshot{
		Kind: kind, Name: l.name, Mode: l.settings.Load().Mode, Values: l.Stats().values(),
	}
}

func (s Stats) values() []seawall.Value {
	return append([]seawall.Value{
		{Name: "rate", V: s.Rate},
		{Name: "burst", V: float64(s.Burst)},
		{Name: "tokens", V: s.Tokens},
	}, s.sums()...)
}

// sums are the numbers that add up over the limiters of a family.
func (s Stats) sums() []seawall.Value {
	value := func(name string, n int64) seawall.Value { return seawall.Value{Name: name, V: float64(n)} }
	return []seawall.Value{
		value("pending", int64(s.Waiting)),
		value("calls.allowed", s.Allowed),
		value("calls.delayed", s.Delayed),
		value("calls.rejected", s.Rejected.Total()),
		value("calls.canceled", s.Canceled),
		value("calls.refunded", s.Refunded),
		value("rejections.limited", s.Rejected.Limited),
		value("rejections.deadline", s.Rejected.Deadline),
		value("rejections.queue_full", s.Rejected.QueueFull),
		value("rejections.forced", s.Rejected.Forced),
		value("shadow_rejections", s.ShadowRejected),
	}
}
