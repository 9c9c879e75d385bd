package seawall_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
)

// result is a result that has to be discarded once if it is not returned.
type result struct {
	n         int
	mu        sync.Mutex // guards discarded
	discarded int
}

func (r *result) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.discarded++
	return nil
}

// source makes results, one with each run of its op.
type source struct {
	ends []end // of the runs in order; the last one goes on

	mu   sync.Mutex // guards made
	made []*result
}

// end is how one run of an op ends.
type end struct {
	after time.Duration // deaf to the context
	err   error
	panic bool
	exit  bool
}

func (s *source) op(context.Context) (*result, error) {
	s.mu.Lock()
	n := len(s.made)
	r := &result{n: n + 1}
	e := s.ends[min(n, len(s.ends)-1)]
	if e.panic || e.exit {
		r = nil // there is no result
	}
	s.made = append(s.made, r)
	s.mu.Unlock()
	time.Sleep(e.after)
	switch {
	case e.panic:
		panic("op")
	case e.exit:
		runtime.Goexit()
	}
	return r, e.err
}

// discards are chains in which results are made that are not returned. In returned is the number of the one that is, or
// 0.
var discards = []struct {
	name     string
	ends     []end
	returned int
	policy   func(cancel func()) seawall.Policy // cancel ends the caller's context
}{
	{"success", []end{{}}, 1, func(func()) seawall.Policy { return &repeater{attempts: 3} }},
	{"third attempt", []end{{err: errDown}, {err: errDown}, {}}, 3, func(func()) seawall.Policy {
		return &repeater{attempts: 3}
	}},
	{"all attempts fail", []end{{err: errDown}}, 3, func(func()) seawall.Policy {
		return &repeater{attempts: 3}
	}},
	{"nine of nine attempts fail", []end{{err: errDown}}, 9, func(func()) seawall.Policy {
		return seawall.Chain(&repeater{attempts: 3}, &repeater{attempts: 3, wait: time.Second})
	}},
	{"the second attempt is rejected", []end{{err: errDown}}, 0, func(func()) seawall.Policy {
		g := &gate{}
		return seawall.Chain(&repeater{attempts: 2, next: func(context.Context, int) { g.full.Store(true) }}, g)
	}},
	{"the second attempt panics", []end{{err: errDown}, {panic: true}}, 0, func(func()) seawall.Policy {
		return &repeater{attempts: 3}
	}},
	{"the second attempt exits", []end{{err: errDown}, {exit: true}}, 0, func(func()) seawall.Policy {
		return &repeater{attempts: 3}
	}},
	{"canceled between two attempts", []end{{err: errDown}}, 0, func(cancel func()) seawall.Policy {
		return &repeater{attempts: 3, wait: time.Second, next: func(context.Context, int) { cancel() }}
	}},
	{"a scope makes an error of a success", []end{{}}, 1, func(func()) seawall.Policy {
		return &scope{change: func(error) error { return errDown }}
	}},
	{"a scope makes an error of a success, twice", []end{{}}, 2, func(func()) seawall.Policy {
		return seawall.Chain(&repeater{attempts: 2}, &scope{change: func(error) error { return errDown }})
	}},
	{"replaced", []end{{err: errDown}}, 0, func(func()) seawall.Policy {
		return &replacer{value: (*result)(nil)}
	}},
	{"replaced after three attempts", []end{{err: errDown}}, 0, func(func()) seawall.Policy {
		return seawall.Chain(&replacer{value: (*result)(nil)}, &repeater{attempts: 3})
	}},
	{"replaced by the wrong type", []end{{err: errDown}}, 1, func(func()) seawall.Policy {
		return &replacer{value: 5}
	}},
	{"replaced by an error", []end{{err: errDown}}, 1, func(func()) seawall.Policy {
		return &replacer{err: func(error) error { return errFull }}
	}},

	{
		"the first wins, and the others end later",
		[]end{{after: 5 * time.Second}, {after: time.Hour}, {after: time.Hour, err: errDown}},
		1,
		func(func()) seawall.Policy { return &racer{attempts: 3, delay: time.Second} },
	},
	{"the last wins", []end{{after: time.Hour}, {after: time.Hour, err: errDown}, {}}, 3, func(func()) seawall.Policy {
		return &racer{attempts: 3, delay: time.Second}
	}},
	{"a winner after two failures", []end{{err: errDown}, {err: errDown}, {}}, 3, func(func()) seawall.Policy {
		return &racer{attempts: 3, delay: time.Second}
	}},
	{"all lose", []end{{err: errDown}}, 3, func(func()) seawall.Policy {
		return &racer{attempts: 3, delay: time.Second}
	}},
	{"successes are not taken", []end{{}}, 3, func(func()) seawall.Policy {
		return &racer{attempts: 3, ended: func(int, error) seawall.Finish { return seawall.KeepRunning }, delay: time.Second}
	}},
	{"a loser panics later", []end{{}, {after: time.Hour, panic: true}}, 1, func(func()) seawall.Policy {
		return &racer{attempts: 2}
	}},
	{"an attempt panics after another has failed", []end{{err: errDown}, {panic: true}}, 0, func(func()) seawall.Policy {
		return &racer{attempts: 3, delay: time.Second}
	}},
	{"an attempt exits while another runs", []end{{after: time.Hour}, {exit: true}}, 0, func(func()) seawall.Policy {
		return &racer{attempts: 2, delay: time.Second}
	}},
	{
		"canceled during the race",
		[]end{{err: errDown}, {after: time.Hour}, {after: time.Hour, err: errDown}},
		0,
		func(cancel func()) seawall.Policy {
			return &racer{attempts: 3, delay: time.Second, next: func(started int) {
				if started == 3 {
					cancel()
				}
			}}
		},
	},
	{"canceled while an attempt succeeds", []end{{}}, 1, func(cancel func()) seawall.Policy {
		return &racer{attempts: 1, next: func(int) {
			synctest.Wait()
			cancel()
		}}
	}},
	{"canceled while an attempt succeeds, and another could start", []end{{}}, 1, func(cancel func()) seawall.Policy {
		return &racer{attempts: 2, delay: time.Hour, next: func(int) {
			synctest.Wait()
			cancel()
		}}
	}},
	{"a race in each of three attempts", []end{{after: 2 * time.Second, err: errDown}}, 9, func(func()) seawall.Policy {
		return seawall.Chain(&repeater{attempts: 3}, &racer{attempts: 3, delay: time.Second})
	}},
	{"three attempts in each of a race", []end{{after: time.Second, err: errDown}}, 0, func(func()) seawall.Policy {
		return seawall.Chain(&replacer{value: (*result)(nil)}, &racer{attempts: 3, delay: time.Second}, &repeater{attempts: 3})
	}},

	{"a policy repeats", []end{{err: errDown}, {err: errDown}, {}}, 3, func(func()) seawall.Policy { return repeats(3) }},
	{"a policy repeats in vain", []end{{err: errDown}}, 3, func(func()) seawall.Policy { return repeats(3) }},
	{"a policy repeats a success", []end{{}}, 1, func(func()) seawall.Policy {
		return policy(func(ctx context.Context, op func(context.Context) error) error { return errors.Join(op(ctx), op(ctx)) })
	}},
	{"a policy fails after a success", []end{{}, {err: errDown}}, 0, func(func()) seawall.Policy {
		return policy(func(ctx context.Context, op func(context.Context) error) error { return errors.Join(op(ctx), op(ctx)) })
	}},
	{"a policy drops the error", []end{{err: errDown}}, 0, func(func()) seawall.Policy {
		return policy(func(ctx context.Context, op func(context.Context) error) error { _ = op(ctx); return nil })
	}},
	{"a policy changes the error", []end{{err: errDown}}, 1, func(func()) seawall.Policy {
		return policy(func(ctx context.Context, op func(context.Context) error) error { return fmt.Errorf("x: %w", op(ctx)) })
	}},
	{"a policy makes an error of a success", []end{{}}, 0, func(func()) seawall.Policy {
		return policy(func(ctx context.Context, op func(context.Context) error) error { _ = op(ctx); return errDown })
	}},
	{"a policy panics after a success", []end{{}}, 0, func(func()) seawall.Policy {
		return policy(func(ctx context.Context, op func(context.Context) error) error { _ = op(ctx); panic("policy") })
	}},
	{"a policy exits after a failure", []end{{err: errDown}}, 0, func(func()) seawall.Policy {
		return policy(func(ctx context.Context, op func(context.Context) error) error {
			_ = op(ctx)
			runtime.Goexit()
			return nil
		})
	}},
	{"op panics in the second run of a policy", []end{{err: errDown}, {panic: true}}, 0, func(func()) seawall.Policy {
		return repeats(2)
	}},
	{"a policy races", []end{{after: 2 * time.Second}, {after: time.Second}, {after: time.Hour}}, 2, func(func()) seawall.Policy {
		return races(3)
	}},
	{"a policy races, and all fail", []end{{after: time.Second, err: errDown}}, 1, func(func()) seawall.Policy { return races(3) }},
	{"a policy calls op after it has returned", []end{{}}, 1, func(func()) seawall.Policy {
		return policy(func(ctx context.Context, op func(context.Context) error) error {
			time.AfterFunc(time.Second, func() { _ = op(ctx) })
			return op(ctx)
		})
	}},
	{"a policy calls op only after it has returned", []end{{}}, 0, func(func()) seawall.Policy {
		return policy(func(ctx context.Context, op func(context.Context) error) error {
			time.AfterFunc(time.Second, func() { _ = op(ctx) })
			return nil
		})
	}},
	{"a policy in a policy in a race", []end{{after: time.Second, err: errDown}}, 0, func(func()) seawall.Policy {
		return seawall.Chain(repeats(2), &replacer{value: (*result)(nil)}, races(2), &repeater{attempts: 2})
	}},
}

// repeats is a user's retry.
func repeats(n int) seawall.Policy {
	return policy(func(ctx context.Context, op func(context.Context) error) (err error) {
		for range n {
			if err = op(ctx); err == nil {
				break
			}
		}
		return err
	})
}

// races is a user's hedge: the first end is the policy's.
func races(n int) seawall.Policy {
	return policy(func(ctx context.Context, op func(context.Context) error) error {
		ends := make(chan error, n)
		for i := range n {
			time.AfterFunc(time.Duration(i)*time.Nanosecond, func() { ends <- op(ctx) })
		}
		return <-ends
	})
}

func TestEachResultIsReturnedOrDiscardedOnce(t *testing.T) {
	calls := map[string]func(ctx context.Context, p seawall.Policy, op func(context.Context) (*result, error)) (*result, error){
		"closer": seawall.Call[*result],
		"function": func(ctx context.Context, p seawall.Policy, op func(context.Context) (*result, error)) (*result, error) {
			return seawall.CallDiscard(ctx, p, op, func(r *result) { _ = r.Close() })
		},
	}
	captured(t) // losers that panic
	for _, c := range discards {
		for how, call := range calls {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &source{ends: c.ends}
					var got *result
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					attempt(func() { got, _ = call(ctx, c.policy(cancel), s.op) })
					time.Sleep(24 * time.Hour) // all has ended
					synctest.Wait()
					if n := number(got); c.returned != n {
						t.Errorf("result %d is returned, want %d", n, c.returned)
					}
					for _, r := range s.made {
						want := 1
						if r == got {
							want = 0
						}
						if r != nil && r.discarded != want {
							t.Errorf("result %d of %d was discarded %d times, want %d", r.n, len(s.made), r.discarded, want)
						}
					}
				})
			})
		}
	}
}

func number(r *result) int {
	if r == nil {
		return 0
	}
	return r.n
}

// Two attempts that end at the same instant: the loser, which had already been taken out of the queue behind the winner,
// was lost, and so was its panic.
func TestLoserThatEndsWithTheWinnerIsNotForgotten(t *testing.T) {
	for _, loser := range []end{{}, {err: errDown}, {panic: true}, {exit: true}} {
		t.Run(fmt.Sprintf("%+v", loser), func(t *testing.T) {
			log := captured(t)
			synctest.Test(t, func(t *testing.T) {
				loser.after = 2 * time.Second
				s := &source{ends: []end{{after: time.Second}, loser}}
				r := &racer{attempts: 2, delay: time.Millisecond, next: func(started int) {
					if started == 2 {
						time.Sleep(time.Minute) // both end meanwhile, and are found together
					}
				}}
				got, err := seawall.Call(t.Context(), r, s.op)
				if err != nil || got != s.made[0] || got.discarded != 0 {
					t.Fatalf("got %+v, %v", got, err)
				}
				if made := s.made[1]; made != nil && made.discarded != 1 {
					t.Errorf("the loser's result was discarded %d times", made.discarded)
				}
			})
			logged := log.list()
			if loser.panic != (len(logged) == 1 && strings.HasPrefix(logged[0], "seawall.race.loser_panicked")) {
				t.Errorf("logged %q", logged)
			}
		})
	}
}

// unsafe is a closer that does not stand to be closed when it is nil or zero.
type unsafe struct{ c io.Closer }

func (u unsafe) Close() error { return u.c.Close() }

type unsafePointer struct{ closed *bool }

func (u *unsafePointer) Close() error { *u.closed = true; return nil }

// A closer need not be a pointer.
func TestResultThatIsACloserByValueIsClosed(t *testing.T) {
	r := &result{}
	_, err := seawall.Call(t.Context(), &replacer{value: unsafe{}}, func(context.Context) (unsafe, error) {
		return unsafe{r}, errDown
	})
	if err != nil || r.discarded != 1 {
		t.Errorf("closed %d times; %v", r.discarded, err)
	}
}

// What an attempt without a result leaves is not discarded. A discard function once got the zero value for each attempt
// that was rejected, and its caller a nil dereference.
func TestNothingIsDiscardedWhereThereIsNoResult(t *testing.T) {
	log := captured(t)
	chain := seawall.Chain(&replacer{value: unsafe{}}, &repeater{attempts: 3}, &racer{attempts: 1})
	if _, err := seawall.Call(t.Context(), chain, func(context.Context) (unsafe, error) { return unsafe{}, errDown }); err != nil {
		t.Error(err)
	}
	pointers := seawall.Chain(&replacer{value: (*unsafePointer)(nil)}, &repeater{attempts: 3}, &racer{attempts: 1})
	if _, err := seawall.Call(t.Context(), pointers, func(context.Context) (*unsafePointer, error) { return nil, errDown }); err != nil {
		t.Error(err)
	}
	closers := seawall.Chain(&replacer{value: nil}, &repeater{attempts: 2}, repeats(2))
	for _, empty := range []io.Closer{nil, (*unsafePointer)(nil)} {
		if _, err := seawall.Call(t.Context(), closers, func(context.Context) (io.Closer, error) { return empty, errDown }); err != nil {
			t.Error(err)
		}
	}
	full := &gate{}
	full.full.Store(true)
	_, err := seawall.CallDiscard(t.Context(), seawall.Chain(&repeater{attempts: 5}, &racer{attempts: 1}, full),
		func(context.Context) (*result, error) { return &result{}, nil },
		func(r *result) { t.Errorf("discarded %v", r) })
	if !errors.Is(err, seawall.ErrRejected) {
		t.Error(err)
	}
	if got := log.list(); len(got) > 0 {
		t.Error(strings.Join(got, "\n"))
	}
}

// A panic in a loser's goroutine has nobody to recover it: it would end the process.
func TestDiscardThatPanicsCostsNeitherTheWinnerNorTheProcess(t *testing.T) {
	log := captured(t)
	synctest.Test(t, func(t *testing.T) {
		for _, loser := range []time.Duration{time.Second, time.Hour} { // together with the winner, and after it
			s := &source{ends: []end{{after: time.Second}, {after: loser}}}
			got, err := seawall.CallDiscard(t.Context(), &racer{attempts: 2}, s.op, func(*result) { panic("discard") })
			if got == nil || err != nil {
				t.Errorf("got %v, %v", got, err)
			}
			time.Sleep(2 * time.Hour)
		}
	})
	got := log.list()
	if len(got) != 2 || !strings.HasPrefix(got[0], "seawall.race.discard_panicked") {
		t.Errorf("logged %q", got)
	}
}

// counting is an operation that counts what becomes of its results.
type counting struct {
	fails            int // this many times
	calls, discarded int
}

func (c *counting) Call(context.Context) (int, error) {
	c.calls++
	if c.calls <= c.fails {
		return c.calls, errDown
	}
	return c.calls, nil
}

func (c *counting) Discard(int) { c.discarded++ }

func TestAnOperationIsCalledAndGetsBackWhatIsNotReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := &counting{fails: 2}
		v, err := seawall.CallOperation(t.Context(), seawall.Chain(&gate{}, &repeater{attempts: 3}), op)
		if v != 3 || err != nil || op.calls != 3 || op.discarded != 2 {
			t.Errorf("%d, %v after %d calls, %d discarded", v, err, op.calls, op.discarded)
		}
		replaced := &counting{fails: 9}
		v, err = seawall.CallOperation(t.Context(), &replacer{value: 77}, replaced)
		if v != 77 || err != nil || replaced.discarded != 1 {
			t.Errorf("%d, %v, %d discarded", v, err, replaced.discarded)
		}
	})
}
