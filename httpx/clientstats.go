package httpx

import "sync/atomic"

// ClientStats is what the limits of a [Transport] have ended. The numbers never decrease. What its policies have counted is
// with them: see [Transport.Retry], [Transport.Breakers] and the others.
type ClientStats struct {
	TotalTimeouts   int64 // requests past the total limit, that of the client or of WithTimeout: no response, or its body
	AttemptTimeouts int64 // attempts past theirs, up to where ClientConfig.AttemptSpan ends
	IdleTimeouts    int64 // response bodies without progress
}

// Stats returns what was counted so far.
func (t *Transport) Stats() ClientStats {
	return ClientStats{
		TotalTimeouts:   t.total.Stats().Expired + t.limits.total.Load(),
		AttemptTimeouts: t.limits.attempt.Load(),
		IdleTimeouts:    t.limits.idle.Load(),
	}
}

// limitCounts are the counters behind ClientStats. They are written when a limit ends something, and else never.
type limitCounts struct{ total, attempt, idle atomic.Int64 }

// count is told of each attempt that a limit has ended, and in which state. Of a call without a response it is the policy
// that counts the total limit, once for all attempts.
func (c *limitCounts) count(kind limitKind, st state) {
	switch {
	case kind == attemptLimit:
		c.attempt.Add(1)
	case kind == idleLimit:
		c.idle.Add(1)
	case kind == totalLimit && st&opened != 0:
		c.total.Add(1)
	}
}
