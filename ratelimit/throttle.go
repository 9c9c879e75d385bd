package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/internal/mono"
)

const throttleKind = "throttle"

// ErrThrottled is matched by every rejection of a [Throttle]. The details are in the [*seawall.RejectedError].
var ErrThrottled = errors.New("ratelimit: throttled")

var (
	_ seawall.Gate      = (*Throttle)(nil)
	_ seawall.Issuer    = (*Throttle)(nil)
	_ seawall.Member    = (*Throttle)(nil)
	_ seawall.Describer = (*Throttle)(nil)
	_ seawall.Keeper    = (*Throttle)(nil)
)

// Throttle rejects a share of the calls while the dependency refuses many: the client-side adaptive throttling of
// Google's SRE book, chapter "Handling Overload". It is a [seawall.Gate]. Where a dependency spends half its time to say
// no, the clients' own no is what helps it.
//
// Over a sliding window it counts requests, all calls that came, also those that it rejected itself, and accepts, the
// calls that the dependency took. The next call is rejected with the probability
//
//	max(0, (requests - K·accepts) / (requests + 1)), at the most MaxReject
//
// So nothing is rejected as long as at least one call in K is accepted, and in a lasting overload the dependency gets K
// times what it accepts: with K = 2, one refusal for each accepted call. We differ from the book in two points, a minimum
// volume and a cap, and as the book's text leaves it open, we count a request when the call starts: counted at the end,
// calls that hang would be missing, and the throttle would come late exactly then.
//
// Which ends count as accepted says ThrottleConfig.Evidence. An ignored end, such as the caller's cancellation or the
// rejection by a gate further in, takes its request back: it is no evidence in either direction.
//
// Recovery takes time, since the throttle learns from what it lets through. When a dependency heals after an outage that
// filled the whole window, and the demand is steady, 90 % of the calls get in after two windows; an outage that is short
// against the window is forgotten sooner. A Throttle is no breaker: it never sends less than 1 - MaxReject.
//
// A Throttle is made by [NewThrottle]; its zero value is not usable. It is safe for concurrent use. A call costs a few
// atomic additions and two readings of the clock, takes no lock but for one call in each step of the window (a
// twenty-fourth), and allocates nothing.
type Throttle struct {
	name     string
	registry *seawall.Registry
	random   func() float64
	settings atomic.Pointer[throttleSettings] // written under mu
	refusals [refusalCount]atomic.Pointer[seawall.RejectedError]
	mu       sync.Mutex // orders the changes of settings

	_      [64]byte // what every call writes stays off the line of what every call reads
	counts throttleCounts
	_      [64]byte
}

// throttleSettings is what is in force. A call goes by one of them.
type throttleSettings struct {
	ThrottleConfig
	configured seawall.Mode // that of NewThrottle or Update: another one was set by hand
	window     *window
	generation uint64 // of the window
}

// NewThrottle makes a throttle and enters it into the registry. The name is used in errors, metrics and events; if
// another living throttle of the registry has it, a number is added. NewThrottle panics if cfg is not valid.
func NewThrottle(name string, cfg ThrottleConfig) *Throttle {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	cfg = cfg.withDefaults()
	t := &Throttle{name: name, registry: cfg.Registry, random: dice.Float64}
	t.settings.Store(&throttleSettings{
		ThrottleConfig: cfg, configured: cfg.Mode, window: newWindow(cfg.Window, mono.Now()),
	})
	seawall.Register(cfg.Registry, throttleKind, &t.name, t)
	return t
}

// Do runs op unless the throttle rejects it. It returns op's error, or that of [Throttle.Acquire].
func (t *Throttle) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, t, op)
}

// Acquire asks for one call. It never waits. The permit's Done tells how the call ended, and is to be called on every
// path: a call that never ends counts as one that was not accepted.
//
// The error is the cause of ctx if that is done, or a [*seawall.RejectedError] that matches [ErrThrottled] and
// [seawall.ErrRejected], with [seawall.ReasonLimited] or [seawall.ReasonForced]. It has no retry-after: by the dice the
// next call may get in.
func (t *Throttle) Acquire(ctx context.Context) (seawall.Permit, error) {
	if ctx.Err() != nil {
		return seawall.Permit{}, context.Cause(ctx)
	}
	s := t.settings.Load()
	switch s.Mode {
	case seawall.Off:
		return seawall.Permit{}, nil
	case seawall.ForcedOpen:
		return seawall.Permit{}, t.reject(ctx, forced)
	case seawall.Enforce, seawall.Shadow, seawall.ForcedClosed:
	}
	now := mono.Now()
	ticket := seawall.Ticket{Generation: s.generation, Start: int64(now)}
	if p := s.rejects(s.window.request(now)); p > 0 && t.random() < p {
		switch s.Mode {
		case seawall.Enforce:
			return seawall.Permit{}, t.reject(ctx, limited)
		case seawall.Shadow:
			t.counts.shadowRejected.Add(1)
			ticket.Generation = rehearsal
		case seawall.ForcedClosed, seawall.ForcedOpen, seawall.Off:
		}
	}
	t.counts.admitted.Add(1)
	return seawall.NewPermit(t, ticket), nil
}

// rehearsal stands in for the generation on the ticket of a call that enforce mode would have rejected: how it ends would
// then not be known, so it must not count.
const rehearsal = 1 << 63

// rejects returns the probability with which a call is rejected that finds so much in the window.
func (s *throttleSettings) rejects(in tally) float64 {
	requests, accepts := float64(in.requests()), float64(in.accepts())
	if requests < float64(s.MinRequests) {
		return 0
	}
	return min((requests-s.K*accepts)/(requests+1), s.MaxReject)
}

func (t *Throttle) reject(ctx context.Context, why refusal) error {
	t.counts.rejected[why].Add(1)
	note(ctx, t, why.reason())
	err := t.refusals[why].Load()
	if err == nil {
		err = seawall.Reject(throttleKind, t.name, why.reason(), ErrThrottled, 0)
		t.refusals[why].Store(err)
	}
	return err
}

// Release is called by the permit: call its Done instead. It returns false for an end that came after an Update had
// given the throttle a new window: that is counted, but no evidence.
func (t *Throttle) Release(ticket seawall.Ticket, err error) bool {
	s := t.settings.Load()
	outcome := s.judge(err)
	t.counts.ended[outcome].Add(1)
	if ticket.Generation == rehearsal {
		return true
	}
	if ticket.Generation != s.generation {
		return false
	}
	now := mono.Now()
	switch {
	case outcome == seawall.Success, outcome == seawall.Failure && s.Evidence == OverloadOnly:
		s.window.accept(now)
	case outcome == seawall.Ignored && s.window.holds(time.Duration(ticket.Start), now):
		s.window.retract(now)
	}
	return true
}

// judge returns the outcome that the classifier says, and Failure if that is none of the four.
func (s *throttleSettings) judge(err error) seawall.Outcome {
	classify := s.Classify
	if classify == nil {
		classify = seawall.Classify
	}
	if o := classify(err).Outcome; o <= seawall.Ignored {
		return o
	}
	return seawall.Failure
}

// Name returns the name under which the registry knows the throttle.
func (t *Throttle) Name() string { return t.name }

// String returns such as: throttle "geocoder".
func (t *Throttle) String() string { return fmt.Sprintf("%s %q", throttleKind, t.name) }

// Traits returns the kind and the window.
func (t *Throttle) Traits() seawall.Traits {
	return seawall.Traits{Kind: throttleKind, Window: t.settings.Load().Window}
}

// Keep reports whether a throttle made anew would let through what this one does not: it is rejecting, or its mode was
// set by hand.
func (t *Throttle) Keep() bool {
	s := t.settings.Load()
	return s.Mode != s.configured || s.rejects(s.window.in(mono.Now())) > 0
}
