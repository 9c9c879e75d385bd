package timeout_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/timeout"
)

type key struct{}

func TestContextOfACallKeepsTheParentsValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newTimeout(t, time.Second)
		inner, leave := enter(t, limit, context.WithValue(t.Context(), key{}, "value"))
		check := func(when string) {
			t.Helper()
			child := context.WithValue(inner, childKey{}, 1)
			if inner.Value(key{}) != "value" || child.Value(key{}) != "value" || inner.Value(childKey{}) != nil {
				t.Errorf("%s: a value is lost", when)
			}
		}
		check("fresh")
		_ = inner.Done()
		check("live")
		_ = leave(nil)
		check("left")

		inner, leave = enter(t, limit, context.WithValue(t.Context(), key{}, "value"))
		time.Sleep(time.Second)
		_ = inner.Err()
		check("expired")
		_ = leave(nil)
		check("expired and left")

		inner, leave = enter(t, limit, context.WithValue(t.Context(), key{}, "value"))
		_ = leave(nil)
		check("left, never looked at")
	})
}

// After Leave the context has ended, whatever had been asked of it, and so have all that were derived from it.
func TestNothingLivesOnAfterLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newTimeout(t, time.Hour)
		soon, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		foreign := &custom{Context: t.Context()}
		for _, parent := range []context.Context{context.Background(), t.Context(), soon, foreign} {
			for name, look := range map[string]func(context.Context){
				"nothing": func(context.Context) {},
				"Err":     func(ctx context.Context) { _ = ctx.Err() },
				"Done":    func(ctx context.Context) { _ = ctx.Done() },
			} {
				inner, leave := enter(t, limit, parent)
				look(inner)
				_ = leave(nil)
				child, cancel := context.WithCancel(inner)
				for _, ctx := range []context.Context{inner, child} {
					err, cause := ctx.Err(), context.Cause(ctx)
					same := errors.Is(err, context.Canceled) && errors.Is(cause, context.Canceled)
					if !same || !isClosed(ctx.Done()) {
						t.Errorf("%T, %s asked: error of %v is %v, cause %v", parent, name, ctx, err, cause)
					}
				}
				cancel()
			}
			inner, leave := enter(t, limit, parent)
			var after atomic.Bool
			stop := context.AfterFunc(inner, func() { after.Store(true) })
			child, cancel := context.WithTimeout(context.WithValue(inner, childKey{}, 1), time.Hour)
			_ = leave(errDown)
			synctest.Wait()
			if child.Err() != context.Canceled || !after.Load() || stop() {
				t.Errorf("%T: child's error is %v, AfterFunc ran: %v", parent, child.Err(), after.Load())
			}
			cancel()
		}
	})
}

// custom is a context that package context does not know, with a Done channel of its own.
type custom struct {
	context.Context
	done chan struct{}
	err  atomic.Value
}

func (c *custom) Done() <-chan struct{} { return c.done }
func (c *custom) Err() error {
	err, _ := c.err.Load().(error)
	return err
}

func (c *custom) end(err error) {
	c.err.Store(err)
	close(c.done)
}

// late is a context whose end is told before its deadline, as when two timers that are due fire in the wrong order.
type late struct {
	*custom
	deadline time.Time
}

func (c *late) Deadline() (time.Time, bool) { return c.deadline, true }

func TestLimitIsFirstWhicheverTimerFiresFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newTimeout(t, time.Second)
		parent := &late{&custom{Context: t.Context(), done: make(chan struct{})}, time.Now().Add(time.Second + 1)}
		inner, leave := enter(t, limit, parent)
		_ = inner.Done()
		time.Sleep(time.Second - 1)
		parent.end(context.DeadlineExceeded)
		synctest.Wait()
		time.Sleep(time.Nanosecond)
		if err := leave(inner.Err()); !isOurs(err, "test") {
			t.Errorf("error is %v", err)
		}
	})
}

// Two goroutines that ask for Done at the same time make two live contexts. One of them is given up.
func TestContextThatLostTheRaceIsReleased(t *testing.T) {
	inner, leave := enter(t, newTimeout(t, time.Hour), t.Context())
	done := inner.Done()
	if ctx := timeout.LoseRace(inner); ctx.Err() == nil || inner.Done() != done || isClosed(done) {
		t.Errorf("the one's error is %v, the other's %v", ctx.Err(), inner.Err())
	}
	_ = leave(nil)
}

// asked counts the look-ups of values.
type asked struct {
	context.Context
	n int
}

func (c *asked) Value(k any) any {
	c.n++
	return c.Context.Value(k)
}

func TestValueAsksTheParentOnce(t *testing.T) {
	root := &asked{Context: t.Context()}
	limit := newTimeout(t, time.Hour)
	var ctx context.Context = root
	for range 20 {
		inner, leave := enter(t, limit, ctx)
		defer func() { _ = leave(nil) }()
		_ = inner.Done()
		ctx = inner
	}
	root.n = 0
	if v := ctx.Value(childKey{}); v != nil || root.n != 1 {
		t.Errorf("through 20 contexts a value was looked up %d times", root.n)
	}
}

func TestCustomParentEndsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newTimeout(t, time.Hour)
		strange := errors.New("an error of its own")
		for _, end := range []error{context.Canceled, context.DeadlineExceeded, strange} {
			for _, live := range []bool{true, false} {
				parent := &custom{Context: t.Context(), done: make(chan struct{})}
				inner, leave := enter(t, limit, parent)
				if live {
					_ = inner.Done()
				}
				parent.end(end)
				synctest.Wait()
				if !errors.Is(inner.Err(), end) || !isClosed(inner.Done()) {
					t.Errorf("live %v: error is %v, want %v", live, inner.Err(), end)
				}
				time.Sleep(2 * time.Hour)
				if !errors.Is(inner.Err(), end) {
					t.Errorf("live %v: its error %v became %v at the limit", live, end, inner.Err())
				}
				err := leave(errDown)
				if err != errDown && end != context.DeadlineExceeded { //nolint:errorlint // untouched
					t.Errorf("live %v: Leave gave %v", live, err)
				}
			}
		}
	})
}

// A context derived from a scope registers with it: there is no goroutine to watch it.
func TestDerivedContextsStartNoGoroutine(t *testing.T) {
	limit := newTimeout(t, time.Hour)
	parent, cancelParent := context.WithCancel(t.Context())
	defer cancelParent()
	inner, leave := enter(t, limit, parent)
	before := runtime.NumGoroutine()
	var cancels []context.CancelFunc
	for range 100 {
		a, cancelA := context.WithCancel(inner)
		_, cancelB := context.WithTimeout(context.WithValue(a, childKey{}, 1), time.Hour)
		context.AfterFunc(inner, func() {})
		cancels = append(cancels, cancelA, cancelB)
	}
	if n := runtime.NumGoroutine(); n > before { // fewer, if one of another test has just ended
		t.Errorf("%d goroutines were started", n-before)
	}
	for _, cancel := range cancels {
		cancel()
	}
	_ = leave(nil)
}

func TestWithoutCancelHidesTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, leave := enter(t, newTimeout(t, time.Second), context.WithValue(t.Context(), key{}, "value"))
		free := context.WithoutCancel(inner)
		time.Sleep(time.Second)
		if inner.Err() == nil || free.Err() != nil || context.Cause(free) != nil || free.Value(key{}) != "value" {
			t.Errorf("error is %v, cause %v", free.Err(), context.Cause(free))
		}
		if err := leave(inner.Err()); !errors.Is(err, timeout.ErrExceeded) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestAfterFuncRunsAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, leave := enter(t, newTimeout(t, time.Second), t.Context())
		start, ran := time.Now(), make(chan time.Duration, 1)
		context.AfterFunc(inner, func() { ran <- time.Since(start) })
		stop := context.AfterFunc(inner, func() { t.Error("it runs although it was stopped") })
		if !stop() {
			t.Error("it could not be stopped")
		}
		if after := <-ran; after != time.Second {
			t.Errorf("it ran after %v", after)
		}
		if err := leave(errDown); !errors.Is(err, timeout.ErrExceeded) {
			t.Errorf("error is %v", err)
		}
	})
}

// Many goroutines ask for everything while the call ends by Leave, by the limit or by the caller. All that get a
// channel get one that is closed in the end, and nobody sees an error come and go.
func TestConcurrentUseOfTheContext(t *testing.T) {
	limit := newTimeout(t, 300*time.Microsecond)
	for round := range 400 {
		parent, cancel := context.WithCancel(t.Context())
		inner, leave := enter(t, limit, parent)
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 6 {
			wg.Go(func() {
				<-start
				if i%2 == 0 {
					ctx, cancel := context.WithCancel(inner)
					defer cancel()
					<-ctx.Done()
					if context.Cause(ctx) == nil {
						t.Error("a child ended without a cause")
					}
				}
				var seen error
				for range 100 {
					err := inner.Err()
					if seen != nil && err != seen { //nolint:errorlint // bare
						t.Errorf("the error %v became %v", seen, err)
					}
					seen = err
					if err != nil && !isClosed(inner.Done()) {
						t.Error("there is an error, and Done is not closed")
					}
					_, _ = inner.Value(key{}), fmt.Sprint(inner)
				}
				<-inner.Done()
				if inner.Err() == nil || context.Cause(inner) == nil {
					t.Error("Done is closed, and there is no error")
				}
			})
		}
		close(start)
		switch round % 4 {
		case 0:
			time.Sleep(400 * time.Microsecond)
		case 1:
			cancel()
		case 2:
			go cancel()
		}
		_ = leave(errDown)
		wg.Wait()
		cancel()
	}
}

func TestContextPrintsWithoutItsInsides(t *testing.T) {
	inner, leave := enter(t, newTimeout(t, time.Second), context.Background())
	nested, leaveNested := enter(t, newTimeout(t, time.Minute), inner)
	unknown, leaveUnknown := enter(t, newTimeout(t, time.Second), &custom{Context: context.Background()})
	for ctx, want := range map[context.Context]string{
		inner:   `context.Background.timeout("test", 1s)`,
		nested:  `context.Background.timeout("test", 1s).timeout("test", 1m0s)`,
		unknown: `*timeout_test.custom.timeout("test", 1s)`,
	} {
		if got := fmt.Sprint(ctx); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, l := range []func(error) error{leaveUnknown, leaveNested, leave} {
		_ = l(nil)
	}
}
