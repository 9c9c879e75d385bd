package httpx_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

type contextKey string

// T58: the limit of a handler ends its context as a deadline does, with our cause, also for those derived from it.
func TestTheLimitOfAHandlerIsADeadlineToAllThatIsDerivedFromIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("the limit")
		request, cancel := context.WithCancel(context.WithValue(context.Background(), contextKey("k"), "v"))
		defer cancel()
		ctx, _, release, _ := httpx.NewLimitContext(request, time.Second, cause)
		defer release()
		if d, ok := ctx.Deadline(); !ok || time.Until(d) != time.Second {
			t.Errorf("the deadline is %v, %v", d, ok)
		}
		child, cancelChild := context.WithCancel(context.WithValue(ctx, contextKey("l"), "w"))
		defer cancelChild()
		var after atomic.Bool
		defer context.AfterFunc(child, func() { after.Store(true) })()

		time.Sleep(time.Second - 1)
		synctest.Wait()
		if ctx.Err() != nil || child.Err() != nil || context.Cause(ctx) != nil {
			t.Error("it ended before its time")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		for name, c := range map[string]context.Context{"context": ctx, "derived context": child} {
			select {
			case <-c.Done():
			default:
				t.Errorf("the %s is not done", name)
			}
			checkEnd(t, name, c, context.DeadlineExceeded, cause)
		}
		if !after.Load() || child.Value(contextKey("k")) != "v" || child.Value(contextKey("l")) != "w" {
			t.Error("AfterFunc or values are lost")
		}
		late, cancelLate := context.WithCancel(ctx)
		defer cancelLate()
		checkEnd(t, "context derived afterwards", late, context.DeadlineExceeded, cause)
		if request.Err() != nil {
			t.Error("the limit reached the request's own context")
		}
	})
}

func TestALiftedLimitIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		ctx, lift, release, _ := httpx.NewLimitContext(request, time.Second, errors.New("the limit"))
		lift()
		if d, ok := ctx.Deadline(); !ok || time.Until(d) != time.Minute {
			t.Errorf("the deadline is %v, want the request's", d)
		}
		time.Sleep(30 * time.Second)
		if ctx.Err() != nil {
			t.Errorf("it ended all the same: %v", ctx.Err())
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		checkEnd(t, "context after the request's own deadline", ctx, context.DeadlineExceeded, context.DeadlineExceeded)
		release()
	})
}

// checkEnd checks how a context has ended.
func checkEnd(t *testing.T, name string, ctx context.Context, err, cause error) {
	t.Helper()
	if !errors.Is(ctx.Err(), err) || !errors.Is(context.Cause(ctx), cause) {
		t.Errorf("the %s says %v, cause %v; want %v, cause %v", name, ctx.Err(), context.Cause(ctx), err, cause)
	}
}

// T13: a client that leaves is told apart from a limit.
func TestAClientThatLeavesEndsTheHandlersContextAsCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("gone")
		for _, why := range []error{gone, nil} {
			request, cancel := context.WithCancelCause(context.Background())
			ctx, lift, release, _ := httpx.NewLimitContext(request, time.Second, errors.New("the limit"))
			child, cancelChild := context.WithTimeout(ctx, time.Hour)
			cancel(why)
			synctest.Wait()
			want := why
			if want == nil {
				want = context.Canceled
			}
			checkEnd(t, "context", ctx, context.Canceled, want)
			checkEnd(t, "derived context", child, context.Canceled, want)
			time.Sleep(2 * time.Second) // the limit comes too late to change that
			if ctx.Err() != context.Canceled {
				t.Errorf("later: %v", ctx.Err())
			}
			lift()
			release()
			cancelChild()
		}
	})
}

func TestAReleasedLimitLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		request := &countingContext{Context: t.Context()}
		for range 1000 {
			ctx, _, release, timing := httpx.NewLimitContext(request, time.Hour, errors.New("the limit"))
			child, cancelChild := context.WithCancel(ctx)
			release()
			release()
			if ctx.Err() != context.Canceled || child.Err() != context.Canceled {
				t.Fatalf("released, it says %v, derived %v", ctx.Err(), child.Err())
			}
			if timing() {
				t.Fatal("the timer runs on")
			}
			cancelChild()
		}
		if request.waiting != 0 {
			t.Errorf("%d functions still wait for the end of the request", request.waiting)
		}
	})
}

// countingContext counts the functions that wait for its end.
type countingContext struct {
	context.Context
	waiting int
}

// Done is of its own, so that package context asks for AfterFunc.
func (c *countingContext) Done() <-chan struct{} { return make(chan struct{}) }

func (c *countingContext) AfterFunc(func()) (stop func() bool) {
	c.waiting++
	return sync.OnceValue(func() bool {
		c.waiting--
		return true
	})
}
