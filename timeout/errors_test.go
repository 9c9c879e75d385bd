package timeout_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/timeout"
)

// exceeded returns the error of a call whose op returned err after the limit.
func exceeded(t *testing.T, err error) (got error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		got = newTimeout(t, time.Second).Do(t.Context(), func(context.Context) error {
			time.Sleep(time.Second)
			return err
		})
	})
	return got
}

func TestOperationsErrorStaysWithinReach(t *testing.T) {
	path := &os.PathError{Op: "open", Path: "x", Err: io.ErrUnexpectedEOF}
	rejection := seawall.Reject("bulkhead", "b", seawall.ReasonQueueTimeout, errDown, 0)
	err := exceeded(t, errors.Join(path, rejection, context.Canceled, context.DeadlineExceeded))
	for _, target := range []error{timeout.ErrExceeded, io.ErrUnexpectedEOF, seawall.ErrRejected, errDown} {
		if !errors.Is(err, target) {
			t.Errorf("%v does not match %v", err, target)
		}
	}
	if found, ok := errors.AsType[*os.PathError](err); !ok || found != path {
		t.Error("errors.As does not find the path error")
	}
	if found, ok := errors.AsType[*seawall.RejectedError](err); !ok || found != rejection {
		t.Error("errors.As does not find the rejection")
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		t.Error("errors.As finds what is not there")
	}
	if errors.Unwrap(err) != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v leads to the error of a context", err)
	}
}

// A standard timeout of package net matches context.DeadlineExceeded by its own Is. It does not here.
func TestNetworkTimeoutDoesNotSmuggleDeadlineExceededIn(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Skip(err)
	}
	defer conn.Close()
	err = newTimeout(t, time.Millisecond).Do(t.Context(), func(ctx context.Context) error {
		deadline, _ := ctx.Deadline()
		_ = conn.SetReadDeadline(deadline)
		_, err := conn.Read(make([]byte, 1))
		return err
	})
	if !errors.Is(err, timeout.ErrExceeded) || !errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	if found, ok := errors.AsType[*net.OpError](err); !ok || !found.Timeout() {
		t.Errorf("%v lost the network's error", err)
	}
}

func TestExceededErrorIsANetError(t *testing.T) {
	for _, op := range []error{errDown, context.DeadlineExceeded, io.EOF} {
		err := fmt.Errorf("wrapped: %w", exceeded(t, op))
		if found, ok := errors.AsType[net.Error](err); !ok || !found.Timeout() || !isOurs(found, "test") {
			t.Errorf("%v: found %v", op, found)
		}
		if temporary, ok := errors.AsType[interface {
			error
			Temporary() bool
		}](err); !ok || !temporary.Temporary() || !isOurs(temporary, "test") {
			t.Errorf("%v: found %v", op, temporary)
		}
	}
}

func TestTextLeavesBareContextErrorsOut(t *testing.T) {
	const bare = `timeout "test": limit of 1s exceeded`
	for err, want := range map[error]string{
		context.DeadlineExceeded: bare,
		context.Canceled:         bare,
		errDown:                  bare + ": connection refused",
		fmt.Errorf("dial: %w", context.DeadlineExceeded): bare + ": dial: context deadline exceeded",
	} {
		if got := exceeded(t, err).Error(); got != want {
			t.Errorf("%v: text is %s, want %s", err, got, want)
		}
	}
}

// T70: the error says who and what; an inner limit that was exceeded first is not replaced by an outer one.
func TestInnerLimitKeepsItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		total := timeout.New("total", timeout.Config{Limit: 2 * time.Second, Registry: &seawall.Registry{}})
		attempt := timeout.New("attempt", timeout.Config{Limit: time.Second, Registry: &seawall.Registry{}})
		err := seawall.Chain(total, attempt).Do(t.Context(), waitingOps["Err"])
		if e, ok := errors.AsType[*timeout.ExceededError](err); !ok || e.Name != "attempt" || e.Limit != time.Second {
			t.Errorf("error is %v", err)
		}
		if total.Stats().Ended != 1 || attempt.Stats().Expired != 1 {
			t.Errorf("stats are %+v and %+v", total.Stats(), attempt.Stats())
		}
	})
}

func TestRenamedTimeoutSaysItsNewName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := newTimeout(t, time.Second)
		registry := first.Config().Registry
		second := timeout.New("test", timeout.Config{Limit: time.Second, Registry: registry})
		if first.Name() != "test" || second.Name() != "test#2" || second.String() != `timeout "test#2"` {
			t.Errorf("names are %q and %q", first.Name(), second.Name())
		}
		for range 2 {
			if err := second.Do(t.Context(), waitingOps["Err"]); !isOurs(err, "test#2") {
				t.Errorf("error is %v", err)
			}
			if err := second.Update(timeout.Config{Limit: time.Minute}); err != nil {
				t.Error(err)
			}
		}
		s := registry.Snapshots()
		if len(s) != 2 || s[1].Name != "test#2" || s[1].Kind != "timeout" || s[1].Values[1].V != 2 {
			t.Errorf("snapshots are %+v", s)
		}
	})
}
