package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

// unit is a thousandth of a token. At whole rates and whole milliseconds all that happens is whole numbers of it. The
// rates are powers of two, so that also a wait for a part of a token takes a whole number of nanoseconds.
const unit = 1000

// reference is the limiter as one would write it without a thought of speed: in whole numbers and plain lists, a
// millisecond at a time.
type reference struct {
	cfg       ratelimit.Config
	rate      int // units that come in a millisecond
	tokens    int // units
	now       int // milliseconds
	queue     []*modelCall
	rehearsed []int   // rate·time + units at which the calls would start that would wait
	changed   float64 // milliseconds at which rate or burst changed
	want      ratelimit.Stats
}

func newReference(cfg ratelimit.Config) *reference {
	return &reference{cfg: cfg, rate: int(cfg.Rate), tokens: cfg.Burst * unit}
}

// modelCall is one call, and how it should stand.
type modelCall struct {
	weight   int
	deadline int // 0 is none
	until    int // while it waits
	late     seawall.Reason
	state    callState
	reason   seawall.Reason // if rejected
	after    float64        // if rejected: milliseconds
	taken    int            // units that it can give back, from start
	start    float64        // milliseconds
}

type callState string

const (
	isWaiting  callState = "waiting"
	isIn       callState = "in"
	isRejected callState = "rejected"
	isCanceled callState = "canceled"
	hasEnded   callState = "ended"
)

func (r *reference) arrive(c *modelCall) {
	switch r.cfg.Mode {
	case seawall.ForcedOpen:
		r.reject(c, seawall.ReasonForced, 0)
	case seawall.Off:
		c.state = isIn
	case seawall.ForcedClosed:
		r.admit(c, r.tokens >= c.weight*unit)
		r.want.Allowed++
	case seawall.Shadow:
		for len(r.rehearsed) > 0 && r.rehearsed[0] <= r.rate*r.now {
			r.rehearsed = r.rehearsed[1:] // only from the front: it does not foresee refunds
		}
		wait := c.weight*unit - r.tokens
		_, ok := r.judge(c, len(r.rehearsed), wait)
		switch {
		case !ok:
			r.want.ShadowRejected++
		case wait > 0:
			r.rehearsed = append(r.rehearsed, r.rate*r.now+wait)
		}
		r.admit(c, ok)
		r.want.Allowed++
	case seawall.Enforce:
		missing := c.weight*unit - r.tokens
		for _, other := range r.queue {
			missing += other.weight * unit
		}
		switch reason, ok := r.judge(c, len(r.queue), missing); {
		case !ok && c.weight > r.cfg.Burst:
			r.reject(c, reason, 0)
		case !ok:
			r.reject(c, reason, float64(missing)/float64(r.rate))
		case missing <= 0:
			r.admit(c, true)
			r.want.Allowed++
		default:
			c.state = isWaiting
			c.until, c.late = r.now+int(r.cfg.MaxWait/time.Millisecond), seawall.ReasonLimited
			if c.deadline > 0 && c.deadline <= c.until {
				c.until, c.late = c.deadline, seawall.ReasonDeadline
			}
			r.queue = append(r.queue, c)
		}
	}
}

// judge says whether a call gets in, now or after it has waited for the units that are missing.
func (r *reference) judge(c *modelCall, waiting, missing int) (seawall.Reason, bool) {
	maxWait := int(r.cfg.MaxWait / time.Millisecond)
	left := math.MaxInt / 1000
	if c.deadline > 0 {
		left = c.deadline - r.now
	}
	switch {
	case c.weight > r.cfg.Burst:
		return seawall.ReasonLimited, false
	case missing <= 0:
		return "", true
	case r.cfg.MaxWait == ratelimit.NoWait:
		return seawall.ReasonLimited, false
	case waiting >= r.cfg.MaxWaiting:
		return seawall.ReasonQueueFull, false
	case missing >= left*r.rate && left <= maxWait:
		return seawall.ReasonDeadline, false
	case missing > maxWait*r.rate:
		return seawall.ReasonLimited, false
	}
	return "", true
}

func (r *reference) reject(c *modelCall, reason seawall.Reason, after float64) {
	c.state, c.reason, c.after = isRejected, reason, after
	switch reason {
	case seawall.ReasonLimited:
		r.want.Rejected.Limited++
	case seawall.ReasonDeadline:
		r.want.Rejected.Deadline++
	case seawall.ReasonQueueFull:
		r.want.Rejected.QueueFull++
	case seawall.ReasonForced:
		r.want.Rejected.Forced++
	}
}

func (r *reference) admit(c *modelCall, take bool) {
	c.state, c.start = isIn, float64(r.now)
	if take {
		c.taken = c.weight * unit
		r.tokens -= c.taken
	}
}

// serve lets those in for whom there are tokens now.
func (r *reference) serve() { r.serveSince(func(int) float64 { return 0 }) }

// serveSince lets those in for whom there are tokens. surplus says for how many milliseconds there were.
func (r *reference) serveSince(surplus func(tokens int) float64) {
	for len(r.queue) > 0 && r.tokens >= r.queue[0].weight*unit {
		c := r.queue[0]
		r.admit(c, true)
		c.start -= surplus(r.tokens)
		r.want.Delayed++
		r.queue = r.queue[1:]
	}
	r.tokens = min(r.tokens, r.cfg.Burst*unit)
}

func (r *reference) end(c *modelCall, made bool) {
	c.state = hasEnded
	if rest := float64(c.taken) - float64(r.rate)*(float64(r.now)-c.start); !made && rest > 0 && c.start >= r.changed {
		r.tokens = min(r.tokens+int(math.Ceil(rest)), r.cfg.Burst*unit)
		r.want.Refunded++
	}
	r.serve()
}

func (r *reference) cancel(c *modelCall) {
	c.state = isCanceled
	r.want.Canceled++
	r.queue = slices.DeleteFunc(r.queue, func(other *modelCall) bool { return other == c })
	r.serve()
}

// pass lets a millisecond go by.
func (r *reference) pass() {
	r.now++
	r.tokens += r.rate
	r.serveSince(func(tokens int) float64 { return float64(tokens) / float64(r.rate) })
}

func (r *reference) update(cfg ratelimit.Config) {
	if cfg.Rate != r.cfg.Rate || cfg.Burst != r.cfg.Burst {
		r.changed = float64(r.now)
	}
	r.cfg, r.rate, r.rehearsed = cfg, int(cfg.Rate), nil
	r.tokens = min(r.tokens, cfg.Burst*unit)
	queue := r.queue
	r.queue = nil
	switch cfg.Mode {
	case seawall.Enforce:
		r.queue = queue
		r.serve()
		missing := -r.tokens
		r.queue = slices.DeleteFunc(r.queue, func(c *modelCall) bool {
			missing += c.weight * unit
			switch {
			case c.weight > cfg.Burst:
				r.reject(c, seawall.ReasonLimited, 0)
			case missing > r.rate*(c.until-r.now):
				r.reject(c, c.late, float64(missing)/float64(r.rate))
			default:
				return false
			}
			missing -= c.weight * unit
			return true
		})
		r.serve() // the one that is first now may want less
	case seawall.ForcedOpen:
		for _, c := range queue {
			r.reject(c, seawall.ReasonForced, 0)
		}
	case seawall.Shadow, seawall.ForcedClosed, seawall.Off:
		for _, c := range queue {
			r.admit(c, cfg.Mode == seawall.Shadow || cfg.Mode == seawall.ForcedClosed && r.tokens >= c.weight*unit)
			r.want.Delayed++
		}
	}
}

// rigCall is one call through the limiter and through the reference.
type rigCall struct {
	modelCall
	*attempt
	cancel context.CancelFunc
}

// rig runs a list of operations through a limiter and its reference, in a synctest bubble, and compares after each
// one, when all is quiet.
type rig struct {
	l       *ratelimit.Limiter
	model   *reference
	began   time.Time
	current []*rigCall // not yet ended
}

const opSize = 2 // bytes of one operation: what, and with what

type weightKey struct{}

// runOps returns the first difference. Whatever the bytes are, they are a list of operations.
func runOps(ctx context.Context, ops []byte) (err error) {
	cfg := ratelimit.Config{
		Rate: 8, Burst: 4, MaxWait: 500 * time.Millisecond, MaxWaiting: 3,
		Weight: func(ctx context.Context) int { return ctx.Value(weightKey{}).(int) },
	}
	r := &rig{l: newLimiter(cfg), model: newReference(cfg), began: time.Now()}
	defer func() {
		for _, c := range r.current {
			c.cancel()
		}
		synctest.Wait()
	}()
	for step := 0; len(ops) >= opSize; step++ {
		what := r.apply(ctx, ops[0], int(ops[1]))
		synctest.Wait()
		if err := r.compare(); err != nil {
			return fmt.Errorf("step %d, %s: %w", step, what, err)
		}
		ops = ops[opSize:]
	}
	return nil
}

// apply carries out one operation. Most of them are arrivals and ends.
func (r *rig) apply(ctx context.Context, op byte, arg int) (what string) {
	switch op %= 64; {
	case op < 20:
		return r.arrive(ctx, 1+arg%5*(arg/128), 0)
	case op < 28:
		return r.arrive(ctx, 1+arg%3, 1+arg*3)
	case op < 36:
		if c := r.pick(isIn, arg); c != nil {
			c.permit.Done(nil)
			r.model.end(&c.modelCall, true)
		}
		return "end"
	case op < 42:
		if c := r.pick(isIn, arg); c != nil {
			c.permit.Done(fmt.Errorf("inner: %w", seawall.ErrRejected))
			r.model.end(&c.modelCall, false)
		}
		return "end unmade"
	case op < 48:
		if c := r.pick(isWaiting, arg); c != nil {
			c.cancel()
			r.model.cancel(&c.modelCall)
		}
		return "cancel"
	case op < 60:
		for range arg {
			time.Sleep(time.Millisecond)
			r.model.pass()
		}
		return fmt.Sprintf("pass %v ms", arg)
	case op < 62:
		cfg := r.model.cfg
		cfg.Rate = float64(int(1) << (arg % 5))
		cfg.Burst = 1 + arg/20%5
		cfg.MaxWaiting = 1 + arg%4
		cfg.MaxWait = []time.Duration{ratelimit.NoWait, 100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}[arg/5%4]
		r.update(cfg)
		return fmt.Sprintf("update to %v, %d, %v", cfg.Rate, cfg.Burst, cfg.MaxWait)
	}
	cfg := r.model.cfg
	cfg.Mode = seawall.Mode(max(0, arg%9-4)) // enforce in five cases of nine
	r.update(cfg)
	return "switch to " + cfg.Mode.String()
}

func (r *rig) arrive(ctx context.Context, weight, left int) string {
	ctx = context.WithValue(ctx, weightKey{}, weight)
	c := &rigCall{modelCall: modelCall{weight: weight}}
	if left > 0 {
		c.deadline = r.model.now + left
		ctx, c.cancel = context.WithTimeout(ctx, time.Duration(left)*time.Millisecond)
	} else {
		ctx, c.cancel = context.WithCancel(ctx)
	}
	r.current = append(r.current, c)
	c.attempt = start(ctx, r.l)
	r.model.arrive(&c.modelCall)
	return fmt.Sprintf("arrive with weight %d and %d ms left", weight, left)
}

func (r *rig) update(cfg ratelimit.Config) {
	if err := r.l.Update(cfg); err != nil {
		panic(err)
	}
	r.model.update(cfg)
}

// pick returns one of the calls in a state.
func (r *rig) pick(state callState, arg int) *rigCall {
	var those []*rigCall
	for _, c := range r.current {
		if c.state == state {
			those = append(those, c)
		}
	}
	if len(those) == 0 {
		return nil
	}
	return those[arg%len(those)]
}

func (r *rig) compare() error {
	for i, c := range r.current {
		if got := c.stands(); got != c.state {
			return errors.Join(fmt.Errorf("call %d is %s, want %s", i, got, c.state), c.err)
		}
		if c.state == isRejected {
			got, _ := errors.AsType[*seawall.RejectedError](c.err)
			after := float64(got.RetryAfter()) / float64(time.Millisecond)
			if got.Reason != c.reason || math.Abs(after-c.after) > 0.001 {
				return fmt.Errorf("call %d is rejected because of %s for %v ms, want %s for %v ms", i, got.Reason, after, c.reason, c.after)
			}
		}
	}
	r.current = slices.DeleteFunc(r.current, func(c *rigCall) bool {
		over := c.state != isIn && c.state != isWaiting
		if over {
			c.cancel()
		}
		return over
	})
	got, want := r.l.Stats(), r.model.want
	want.Rate, want.Burst, want.Waiting = r.model.cfg.Rate, r.model.cfg.Burst, len(r.model.queue)
	want.Tokens = float64(r.model.tokens) / unit
	if math.Abs(got.Tokens-want.Tokens) > 1e-6 {
		return fmt.Errorf("%v tokens, want %v", got.Tokens, want.Tokens)
	}
	want.Tokens = got.Tokens
	if got != want {
		return fmt.Errorf("stats are\n%+v, want\n%+v", got, want)
	}
	if r.l.HasTimer() != (want.Waiting > 0) {
		return fmt.Errorf("a timer runs: %t, but %d calls wait", r.l.HasTimer(), want.Waiting)
	}
	return nil
}

// stands returns how the call stands in truth.
func (c *rigCall) stands() callState {
	switch {
	case c.state == hasEnded:
		return hasEnded
	case !c.attempt.ended():
		return isWaiting
	case c.err == nil:
		return isIn
	case errors.Is(c.err, seawall.ErrRejected):
		return isRejected
	default:
		return isCanceled
	}
}
