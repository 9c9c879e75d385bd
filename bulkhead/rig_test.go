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

type weightKey struct{}

// weightOf is the Weight of the rig: what the context says, or 1.
func weightOf(ctx context.Context) int {
	n, ok := ctx.Value(weightKey{}).(int)
	if !ok {
		return 1
	}
	return n
}

// runOps returns the first difference. Whatever the bytes are, they are a list of operations.
func runOps(ctx context.Context, ops []byte) (err error) {
	cfg := bulkhead.Config{
		Limit: 2,
		Queue: bulkhead.Queue{
			Limit: 4, MaxWait: 20 * time.Millisecond,
			Order: bulkhead.FIFO, Target: 3 * time.Millisecond, Interval: 8 * time.Millisecond,
		},
		Weight: weightOf,
	}
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
	switch op %= 64; {
	case op < 16:
		return r.arrive(ctx, 0, seawall.Sheddable+seawall.Priority(arg%4), []int{1, 1, 1, 1, 1, 2, 3, 9}[arg/4%8])
	case op < 26:
		left := time.Duration(1+arg%30) * time.Millisecond
		return r.arrive(ctx, left, seawall.Sheddable+seawall.Priority(arg/30%4), 1+arg%2)
	case op < 42:
		if c := r.pick(isIn, arg); c != nil {
			c.permit.Done(nil)
			r.model.end(&c.modelCall, r.now())
		}
		return "end"
	case op < 48:
		if c := r.pick(isWaiting, arg); c != nil {
			c.cancel()
			r.model.cancel(&c.modelCall, r.now())
		}
		return "cancel"
	case op < 61:
		for range arg % 8 {
			time.Sleep(time.Millisecond)
			synctest.Wait()
			r.model.pass(r.now())
		}
		return fmt.Sprintf("pass %d ms", arg%8)
	case op < 63:
		cfg := r.model.cfg
		cfg.Limit = 1 + arg%3
		cfg.Queue.Limit = []int{bulkhead.NoQueue, 1, 4, 8}[arg/3%4]
		cfg.Queue.Order = []bulkhead.Order{bulkhead.FIFO, bulkhead.AdaptiveLIFO}[arg/12%2]
		cfg.Shares = []bulkhead.Shares{
			{},
			{Critical: bulkhead.NoShare, SheddablePlus: bulkhead.NoShare, Sheddable: bulkhead.NoShare},
			{CriticalPlus: 0.25, Critical: 0.25, SheddablePlus: 0.25, Sheddable: 0.25},
			{Critical: 0.1, Sheddable: 0.8},
		}[arg/24%4]
		r.update(cfg)
		return fmt.Sprintf("resize to %d, %+v, %+v", cfg.Limit, cfg.Queue, cfg.Shares)
	}
	cfg := r.model.cfg
	cfg.Mode = seawall.Mode(max(0, arg%9-4)) // enforce in five cases of nine
	if arg < 128 {
		_ = r.b.SetMode(cfg.Mode)
		r.model.update(cfg, r.now())
	} else {
		r.update(cfg)
	}
	return "switch to " + cfg.Mode.String()
}

func (r *rig) now() time.Duration { return time.Since(r.began) }

func (r *rig) arrive(ctx context.Context, left time.Duration, p seawall.Priority, weight int) string {
	c := &rigCall{}
	c.priority, c.asked = p, weight
	ctx = context.WithValue(seawall.WithPriority(ctx, p), weightKey{}, weight)
	if left > 0 {
		c.deadline = r.now() + left
		ctx, c.cancel = context.WithTimeout(ctx, left)
	} else {
		ctx, c.cancel = context.WithCancel(ctx)
	}
	r.current = append(r.current, c)
	c.attempt = start(ctx, r.b)
	r.model.arrive(&c.modelCall, r.now())
	return fmt.Sprintf("arrive, %v, for %d slots with %v left", p, weight, left)
}

func (r *rig) update(cfg bulkhead.Config) {
	if err := r.b.Update(cfg); err != nil {
		panic(err)
	}
	r.model.update(cfg, r.now())
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
	if next := r.model.next(); next != nil && got.InUse+r.model.fewest(next) <= got.Limit {
		return fmt.Errorf("a call waits for %d slots while %d of %d are free",
			next.asked, got.Limit-got.InUse, got.Limit)
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
		r.model.end(&c.modelCall, r.now())
		synctest.Wait()
		if err := r.compare(); err != nil {
			return fmt.Errorf("at the end: %w", err)
		}
	}
	return nil
}
