package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

const kind = "ratelimit"

var (
	_ seawall.Gate      = (*Limiter)(nil)
	_ seawall.Issuer    = (*Limiter)(nil)
	_ seawall.Member    = (*Limiter)(nil)
	_ seawall.Describer = (*Limiter)(nil)
	_ seawall.Keeper    = (*Limiter)(nil)
)

// Limiter lets calls start at a limited rate; it is a [seawall.Gate]. Use [Limiter.Do], or a limiter as a member of
// [seawall.Chain]; where a call does not begin and end in one function, use [Limiter.Acquire] and the permit's Done.
//
// A Limiter is made by [New]; its zero value is not usable. It is safe for concurrent use. A call costs a little
// more than with x/time/rate alone: one reading of the clock, and one lock under which that of x/time/rate is free. All
// calls of a limiter share the lock, as they share the bucket: many cores that make millions of calls a second feel it.
// A call that gets in or is rejected at once allocates nothing, but for one rejection for each token that comes in. A
// call that waits allocates.
type Limiter struct {
	name     string
	registry *seawall.Registry
	settings atomic.Pointer[settings] // written under mu
	refusals refusals
	waits    *seawall.Timing

	_  [64]byte   // every call writes what follows: keep it off the line of what every call reads
	mu sync.Mutex // guards the fields below
	bucket
	queue      queue
	timer      *time.Timer  // for the tokens of the first in the queue; nil if nobody waits
	configured seawall.Mode // that of New or Update: another one was set by hand
	forgotten  bool         // its group has no such key any more: no call may take from it
	counts     counts
}

// settings is what is in force. A call goes by one of them.
type settings struct{ Config }

// New makes a limiter with a full bucket and enters it into the registry. The name is used in errors, metrics and events;
// if another living limiter of the registry has it, a number is added. New panics if cfg is not valid.
func New(name string, cfg Config) *Limiter {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	l := newLimiter(name, &settings{cfg.withDefaults()})
	seawall.Register(cfg.Registry, kind, &l.name, l)
	l.waits = seawall.NewTiming(cfg.Registry, seawall.QueueWait, kind, l.name)
	return l
}

func newLimiter(name string, s *settings) *Limiter {
	l := &Limiter{name: name, registry: s.Registry, bucket: newBucket(mono.Now(), s.Config), configured: s.Mode}
	l.settings.Store(s)
	return l
}

// Do runs op when there are tokens for it. It returns op's error, or that of [Limiter.Acquire]. Do inside of op takes
// tokens again.
func (l *Limiter) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, l, op)
}

// Acquire asks for the tokens of one call. With Config.MaxWait it waits for them, never beyond ctx. The permit holds no
// slot; its Done is there for a call that was not made, which gives its tokens back: see [Limiter.Release].
//
// The error is a [*seawall.RejectedError], which matches [ErrLimited] and [seawall.ErrRejected], or it matches the cause
// of ctx: it is that cause if ctx was done before, and wraps it if ctx ended while the call waited. The latter is
// judged as [seawall.Ignored], since the dependency was not asked. The rejection's reason is:
//
//   - [seawall.ReasonLimited]: the tokens are not there, or do not come within MaxWait
//   - [seawall.ReasonDeadline]: they do not come before the caller's deadline
//   - [seawall.ReasonQueueFull]: MaxWaiting calls wait already
//   - [seawall.ReasonForced]: the limiter was forced open
//
// Its retry-after is the time until the bucket would have the tokens. It is computed, not guessed: who comes then finds
// them, unless somebody else came first.
func (l *Limiter) Acquire(ctx context.Context) (seawall.Permit, error) {
	if ctx.Err() != nil {
		return seawall.Permit{}, context.Cause(ctx)
	}
	s := l.settings.Load()
	if s.Mode == seawall.Off {
		return seawall.Permit{}, nil
	}
	n, now := s.weigh(ctx), mono.Now()
	l.mu.Lock()
	a, ok := l.answerLocked(s, n, now)
	l.mu.Unlock()
	var err error
	switch {
	case !ok:
		a.ticket, err = l.decide(ctx, s, n)
	case a.fate == turned:
		err = l.reject(ctx, a.why, a.when)
	}
	if err != nil {
		return seawall.Permit{}, err
	}
	return seawall.NewPermit(l, a.ticket), nil
}

// answerLocked answers a call in the plain case: nobody waits, and there are tokens or the call is not to wait either.
func (l *Limiter) answerLocked(s *settings, n int, now time.Duration) (a answer, ok bool) {
	switch {
	case s.Mode != seawall.Enforce || l.queue.first != nil || l.forgotten || s != l.settings.Load():
		return a, false
	case l.take(now, n):
		l.counts.allowed++
		return l.grantLocked(n), true
	case s.MaxWait != NoWait:
		return a, false
	}
	a = l.lateLocked(s, n, now, 0, 0)
	l.counts.rejected[a.why]++
	return a, true
}

// ticketLocked notes what a call has taken, and when. A bucket has no generations, so that field has the tokens.
func (l *Limiter) ticketLocked(n int) seawall.Ticket {
	if l.rate == Unlimited {
		n = 0
	}
	return seawall.Ticket{Generation: uint64(n), Start: int64(l.latest)}
}

// Release is called by the permit: call its Done instead. It gives tokens back if the call was not made: err is a
// rejection ([seawall.ErrRejected]), bare or wrapped, by a gate further in. An error that joins several, as of a retry
// that had attempts before, gives nothing back, and neither do a success, a failure or a cancellation.
//
// What comes back is what the bucket has not gained meanwhile, weight - Rate·(time since Acquire), so that a refund
// cannot lift a bucket above what it would hold if the call had never come: the law of the bucket holds for the calls
// that were made. A breaker rejects within microseconds, and nearly all comes back; after a second in the queue of a
// bulkhead perhaps nothing. Nothing comes back of what was taken before the rate or the burst changed.
//
// The limiter cannot know whose rejection it is. If op itself calls another guarded dependency and returns that one's
// rejection as it is, the call counts as not made; join it with an error of op's own to prevent that.
//
// No end is late: Release returns false only for a ticket that this limiter cannot have issued.
func (l *Limiter) Release(t seawall.Ticket, err error) bool {
	if t.Generation > maxBurst {
		return false
	}
	if err == nil || t.Generation == 0 || !notMade(err) {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refundLocked(mono.Now(), t) {
		l.counts.refunded++
	}
	return true
}

// refundLocked gives back what a ticket is still worth, and reports whether it was anything.
func (l *Limiter) refundLocked(now time.Duration, t seawall.Ticket) bool {
	held := now - time.Duration(t.Start)
	rest := float64(t.Generation) - l.rate*held.Seconds()
	if l.rate == Unlimited || t.Generation == 0 || rest <= 0 || time.Duration(t.Start) < l.changed {
		return false
	}
	l.give(now, min(rest, float64(t.Generation)))
	l.serveLocked(now)
	return true
}

// notMade reports whether err says that the call was rejected before it began. It does not look into errors that join
// others: they tell of more than one attempt.
func notMade(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err == seawall.ErrRejected { //nolint:errorlint // errors.Is would look into joined errors
			return true
		}
		if e, ok := err.(interface{ Is(error) bool }); ok && e.Is(seawall.ErrRejected) {
			return true
		}
	}
	return false
}

// Name returns the name under which the registry knows the limiter.
func (l *Limiter) Name() string { return l.name }

// String returns such as: ratelimit "geocoder".
func (l *Limiter) String() string { return fmt.Sprintf("%s %q", kind, l.name) }

// Traits returns the kind, and how long a call may wait.
func (l *Limiter) Traits() seawall.Traits { return l.settings.Load().traits() }

// Keep reports whether a limiter made anew would let through what this one does not: its bucket is not full, calls wait
// for it, or its mode was set by hand.
func (l *Limiter) Keep() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := mono.Now()
	return l.settings.Load().Mode != l.configured || l.idleAtLocked(now) > now
}

// errForgotten is for a group, whose caller then asks the limiter that it has for the key now. If calls took their tokens
// from both, the burst of the key could be taken twice.
var errForgotten = errors.New("ratelimit: the key was forgotten")

// forget ends a limiter that is idle now, and returns from when on it is.
func (l *Limiter) forget(now time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	idleAt := l.idleAtLocked(now)
	l.forgotten = idleAt <= now
	if s := l.settings.Load(); l.forgotten && s.Mode == seawall.Off {
		// In that mode no call looks whether it was forgotten: who holds the key would never be limited again.
		asking := &settings{s.Config}
		asking.Mode = seawall.Enforce
		l.settings.Store(asking)
	}
	return idleAt
}

// idleAtLocked returns from when on nobody waits and the bucket is full, if no call comes.
func (l *Limiter) idleAtLocked(now time.Duration) time.Duration {
	wanted := float64(l.settings.Load().Burst) + float64(l.queue.tokens)
	wait := l.wait(now, wanted)
	if wait == 0 && l.queue.first != nil {
		wait = 1 // its turn has come
	}
	return max(l.latest, now) + min(wait, maxAhead)
}

// maxAhead bounds how far ahead an instant is computed, so that no sum overflows: the time to fill the largest bucket at
// the lowest rate would.
const maxAhead = 100 * 365 * 24 * time.Hour
