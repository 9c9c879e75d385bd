package seawall_test

import (
	"context"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/seawall-go/seawall"
)

// T2: op's panic passes all roles as it is, and everything is given back.
func TestChainLosesNothingWhenOpPanicsOrExits(t *testing.T) {
	tr := &trace{}
	outer, inner := &gate{}, &gate{}
	chain := seawall.Chain(
		&replacer{trace: tr, value: nil},
		outer,
		&scope{name: "total", trace: tr},
		&repeater{name: "retry", trace: tr, attempts: 3},
		policy(func(ctx context.Context, op func(context.Context) error) error { return op(ctx) }),
		inner,
		&scope{name: "attempt", trace: tr},
	)
	aborted := []string{
		"total enters", "attempt enters", "attempt leaves: " + seawall.ErrAborted.Error(),
		"retry: first ended: " + seawall.ErrAborted.Error(), "retry: ends: " + seawall.ErrAborted.Error(),
		"total leaves: " + seawall.ErrAborted.Error(),
	}

	var recovered any
	var stack string
	func() {
		defer func() {
			recovered = recover()
			stack = string(debug.Stack())
		}()
		_ = chain.Do(t.Context(), bangOp)
	}()
	if recovered != errBang || !strings.Contains(stack, "bangOp") { //nolint:errorlint // the very value
		t.Errorf("recovered %v, and the stack is\n%s", recovered, stack)
	}
	tr.want(t, aborted...)

	tr.events = nil
	if _, exited := attempt(func() {
		_ = chain.Do(t.Context(), func(context.Context) error { runtime.Goexit(); return nil })
	}); !exited {
		t.Error("the goroutine did not exit")
	}
	tr.want(t, aborted...)

	for name, g := range map[string]*gate{"outer": outer, "inner": inner} {
		if g.in.Load() != 0 || g.ended() != 2 || g.count(seawall.Failure) != 2 {
			t.Errorf("%s gate: %d inside, %d ends, %d failures", name, g.in.Load(), g.ended(), g.count(seawall.Failure))
		}
	}
}

// panic(nil) is a panic.
func TestPanicWithNilIsAPanic(t *testing.T) {
	g := &gate{}
	panicked, _ := attempt(func() { _ = g.Do(t.Context(), func(context.Context) error { panic(nil) }) })
	if _, ok := panicked.(*runtime.PanicNilError); !ok || g.count(seawall.Failure) != 1 {
		t.Errorf("the caller saw %v; %d failures", panicked, g.count(seawall.Failure))
	}
}

// Who leaves and panics is as neutral as who leaves and fails: http.ErrAbortHandler is such a panic.
func TestPanicOfACallerThatLeftIsIgnored(t *testing.T) {
	g := &gate{}
	ctx, cancel := context.WithCancel(t.Context())
	attempt(func() {
		_ = g.Do(ctx, func(ctx context.Context) error {
			cancel()
			return bangOp(ctx)
		})
	})
	if g.count(seawall.Ignored) != 1 || g.ended() != 1 {
		t.Errorf("%d ignored of %d", g.count(seawall.Ignored), g.ended())
	}
}
