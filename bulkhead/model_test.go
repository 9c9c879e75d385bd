package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// reference is the bulkhead as one would write it without a thought of speed: one step at a time, in plain lists.
type reference struct {
	cfg       bulkhead.Config
	in        []*modelCall // those that hold a slot
	queue     []*modelCall
	handOvers []time.Duration // since the queue was last empty
	want      bulkhead.Stats
}

// modelCall is one call, and how it should stand.
type modelCall struct {
	deadline time.Duration // 0 is none
	until    time.Duration // while it waits
	state    callState
	reason   seawall.Reason // if rejected
	beyond   bool           // in the slot that shadow mode gave it
	holds    bool           // a slot
}

type callState string

const (
	isWaiting  callState = "waiting"
	isIn       callState = "in"
	isRejected callState = "rejected"
	isCanceled callState = "canceled"
	hasEnded   callState = "ended"
)

func (r *reference) arrive(c *modelCall, now time.Duration) {
	limit, places := r.cfg.Limit, max(0, r.cfg.Queue.Limit)
	switch r.cfg.Mode {
	case seawall.ForcedOpen:
		r.reject(c, seawall.ReasonForced, &r.want.Rejected.Forced)
		return
	case seawall.Off:
		c.state = isIn
		return
	case seawall.Shadow:
		judged := 0
		for _, other := range r.in {
			if !other.beyond {
				judged++
			}
		}
		if c.beyond = judged >= limit+places; c.beyond {
			r.want.ShadowRejected++
		}
		r.admit(c)
		return
	case seawall.ForcedClosed:
		r.admit(c)
		return
	case seawall.Enforce:
	}
	expected := time.Duration(len(r.queue)+1) * r.pace()
	c.until = now + r.cfg.Queue.MaxWait
	if c.deadline != 0 {
		c.until = min(c.until, c.deadline)
	}
	switch {
	case len(r.in) < limit && len(r.queue) == 0:
		r.admit(c)
	case places == 0:
		r.reject(c, seawall.ReasonFull, &r.want.Rejected.Full)
	case len(r.queue) >= places:
		r.reject(c, seawall.ReasonQueueFull, &r.want.Rejected.QueueFull)
	case now+expected >= c.until && c.until == c.deadline:
		r.reject(c, seawall.ReasonDeadline, &r.want.Rejected.Deadline)
	case now+expected >= c.until:
		r.reject(c, seawall.ReasonQueueTimeout, &r.want.Rejected.QueueTimeout)
	default:
		c.state = isWaiting
		r.queue = append(r.queue, c)
	}
}

func (r *reference) reject(c *modelCall, reason seawall.Reason, count *int64) {
	c.state, c.reason = isRejected, reason
	*count++
}

func (r *reference) admit(c *modelCall) {
	c.state, c.holds = isIn, true
	r.in = append(r.in, c)
	r.want.Admitted++
}

func (r *reference) end(c *modelCall, now time.Duration) {
	c.state = hasEnded
	if !c.holds {
		return
	}
	r.in = slices.DeleteFunc(r.in, func(other *modelCall) bool { return other == c })
	if len(r.queue) > 0 && len(r.in) < r.cfg.Limit {
		r.handOvers = append(r.handOvers, now)
		r.admitFirst()
	}
	r.rest()
}

func (r *reference) admitFirst() {
	first := r.queue[0]
	r.queue = r.queue[1:]
	r.want.Waited++
	r.admit(first)
}

func (r *reference) cancel(c *modelCall) {
	if c.state == isWaiting {
		c.state = isCanceled
		r.want.Canceled++
		r.queue = slices.DeleteFunc(r.queue, func(other *modelCall) bool { return other == c })
	}
	r.rest()
}

// pass lets time go by.
func (r *reference) pass(now time.Duration) {
	r.queue = slices.DeleteFunc(r.queue, func(c *modelCall) bool {
		switch {
		case now < c.until:
			return false
		case c.until == c.deadline:
			c.state = isCanceled
			r.want.Canceled++
		default:
			r.reject(c, seawall.ReasonQueueTimeout, &r.want.Rejected.QueueTimeout)
		}
		return true
	})
	r.rest()
}

func (r *reference) update(cfg bulkhead.Config) {
	if cfg.Limit != r.cfg.Limit {
		r.handOvers = nil
	}
	r.cfg = cfg
	switch cfg.Mode {
	case seawall.ForcedOpen:
		for _, c := range r.queue {
			r.reject(c, seawall.ReasonForced, &r.want.Rejected.Forced)
		}
		r.queue = nil
	case seawall.Enforce:
		for len(r.queue) > 0 && len(r.in) < cfg.Limit {
			r.admitFirst()
		}
	case seawall.Shadow, seawall.ForcedClosed, seawall.Off:
		for len(r.queue) > 0 {
			r.admitFirst()
		}
	}
	r.rest()
}

func (r *reference) rest() {
	if len(r.queue) == 0 {
		r.handOvers = nil
	}
}

// pace is the moving average over all hand-overs of this queue.
func (r *reference) pace() (average time.Duration) {
	for i := 1; i < len(r.handOvers); i++ {
		gap := r.handOvers[i] - r.handOvers[i-1]
		if i == 1 {
			average = gap
		} else {
			average += (gap - average) / 8
		}
	}
	return average
}

func (r *reference) stats() bulkhead.Stats {
	s := r.want
	s.Limit, s.InUse, s.Waiting = r.cfg.Limit, len(r.in), len(r.queue)
	s.ExpectedWait = time.Duration(len(r.queue)+1) * r.pace()
	return s
}

// rigCall is one call through the bulkhead and through the reference.
type rigCall struct {
	modelCall
	*attempt
	cancel context.CancelFunc
}

// rig runs a list of operations through a bulkhead and its reference, in a synctest bubble, and compares after each
// one, when all is quiet.
type rig struct {
	b       *bulkhead.Bulkhead
	model   reference
	began   time.Time
	current []*rigCall // not yet ended
}

const opSize = 2 // bytes of one operation: what, and with what

// runOps returns the first difference. Whatever the bytes are, they are a list of operations.
func runOps(ctx context.Context, ops []byte) (err error) {
	cfg := bulkhead.Config{Limit: 2, Queue: bulkhead.Queue{Limit: 4, MaxWait: 20 * time.Millisecond}}
	r := &rig{b: newBulkhead(cfg), model: reference{cfg: cfg}, began: time.Now()}
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
	return r.finish()
}

// apply carries out one operation. Most of them are arrivals and ends.
func (r *rig) apply(ctx context.Context, op byte, arg int) (what string) {
	now := time.Since(r.began)
	switch op %= 64; {
	case op < 16:
		r.arrive(ctx, 0)
		return "arrive"
	case op < 26:
		left := time.Duration(1+arg%30) * time.Millisecond
		r.arrive(ctx, left)
		return fmt.Sprintf("arrive with %v left", left)
	case op < 42:
		if c := r.pick(isIn, arg); c != nil {
			c.permit.Done(nil)
			r.model.end(&c.modelCall, now)
		}
		return "end"
	case op < 48:
		if c := r.pick(isWaiting, arg); c != nil {
			c.cancel()
			r.model.cancel(&c.modelCall)
		}
		return "cancel"
	case op < 61:
		pause := time.Duration(arg%8) * time.Millisecond
		time.Sleep(pause)
		r.model.pass(now + pause)
		return fmt.Sprintf("pass %v", pause)
	case op < 63:
		cfg := r.model.cfg
		cfg.Limit = 1 + arg%3
		cfg.Queue.Limit = []int{bulkhead.NoQueue, 1, 4, 8}[arg/3%4]
		r.update(cfg)
		return fmt.Sprintf("resize to %d and %d places", cfg.Limit, cfg.Queue.Limit)
	}
	cfg := r.model.cfg
	cfg.Mode = seawall.Mode(max(0, arg%9-4)) // enforce in five cases of nine
	if arg < 128 {
		_ = r.b.SetMode(cfg.Mode)
		r.model.update(cfg)
	} else {
		r.update(cfg)
	}
	return "switch to " + cfg.Mode.String()
}

func (r *rig) arrive(ctx context.Context, left time.Duration) {
	c := &rigCall{}
	if left > 0 {
		c.deadline = time.Since(r.began) + left
		ctx, c.cancel = context.WithTimeout(ctx, left)
	} else {
		ctx, c.cancel = context.WithCancel(ctx)
	}
	r.current = append(r.current, c)
	c.attempt = start(ctx, r.b)
	r.model.arrive(&c.modelCall, time.Since(r.began))
}

func (r *rig) update(cfg bulkhead.Config) {
	if err := r.b.Update(cfg); err != nil {
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
			if got, _ := errors.AsType[*seawall.RejectedError](c.err); got.Reason != c.reason {
				return fmt.Errorf("call %d is rejected because of %s, want %s", i, got.Reason, c.reason)
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
	got, want := r.b.Stats(), r.model.stats()
	if got != want {
		return fmt.Errorf("stats are\n%+v, want\n%+v", got, want)
	}
	if n := r.b.QueueLen(); n != got.Waiting {
		return fmt.Errorf("%d calls are in the queue, but %d are counted", n, got.Waiting)
	}
	if got.Waiting > 0 && got.InUse < got.Limit {
		return fmt.Errorf("%d calls wait while %d of %d slots are free", got.Waiting, got.Limit-got.InUse, got.Limit)
	}
	return nil
}

// stands returns how the call stands in truth.
func (c *rigCall) stands() callState {
	switch {
	case c.state == hasEnded:
		return hasEnded
	case !c.attempt.ended:
		return isWaiting
	case c.err == nil:
		return isIn
	case errors.Is(c.err, seawall.ErrRejected):
		return isRejected
	default:
		return isCanceled
	}
}

// finish ends all calls: not a slot may be missing then.
func (r *rig) finish() error {
	for len(r.current) > 0 {
		c := r.pick(isIn, 0)
		if c == nil {
			return fmt.Errorf("%d calls wait and none is in", len(r.current))
		}
		c.permit.Done(nil)
		r.model.end(&c.modelCall, time.Since(r.began))
		synctest.Wait()
		if err := r.compare(); err != nil {
			return fmt.Errorf("at the end: %w", err)
		}
	}
	return nil
}
