package breaker_test

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// bang is a panic value that is only equal to itself.
type bang struct{ _ int }

// panickingOp has a name that its stack shows.
func panickingOp(value any) func(context.Context) error {
	return func(context.Context) error { panic(value) }
}

// attempt runs f in a goroutine of its own and returns how that ended.
func attempt(f func()) (panicked any, stack string, exited bool) {
	done := make(chan struct{})
	go func() {
		exited = true
		defer close(done)
		defer func() {
			if panicked = recover(); panicked != nil {
				stack, exited = string(debug.Stack()), false
			}
		}()
		f()
		exited = false
	}()
	<-done
	return panicked, stack, exited
}

// T2
func TestBreakerLosesNothingWhenOpPanicsOrExits(t *testing.T) {
	for _, state := range []breaker.State{breaker.Closed, breaker.HalfOpen, breaker.Ramping} {
		for _, way := range []string{"panic", "goexit"} {
			t.Run(state.String()+"/"+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBreaker(breaker.Config{MinCalls: 4, Ramp: breaker.Ramp{Start: 0.5}})
					bring(t, b, state)
					before := b.Stats()
					value := &bang{}
					panicked, stack, exited := attempt(func() {
						if way == "panic" {
							_ = b.Do(t.Context(), panickingOp(value))
						}
						_ = b.Do(t.Context(), func(context.Context) error { runtime.Goexit(); return nil })
					})
					switch way {
					case "panic":
						if panicked != value {
							t.Errorf("recovered %v, want the very value of op", panicked)
						}
						if !strings.Contains(stack, "panickingOp") {
							t.Errorf("the stack does not name op:\n%s", stack)
						}
					case "goexit":
						if !exited {
							t.Error("the goroutine did not exit")
						}
					}
					after := b.Stats()
					if got := ended(after) - ended(before); got != 1 || after.Calls.Failures != before.Calls.Failures+1 {
						t.Errorf("counted %d ends, want one failure; %+v", got, after)
					}
					if after.Window.Failures != before.Window.Failures+1 {
						t.Errorf("the verdict is not in the window: %+v", after.Window)
					}
				})
			})
		}
	}
}

// A classifier that panicked once kept its probe's slot until Probes.Timeout, and its call was counted nowhere.
func TestBreakerCountsACallWhoseClassifierPanics(t *testing.T) {
	for _, way := range []string{"panic", "goexit"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				errBad := errors.New("the classifier cannot stand this one")
				value := &bang{}
				b := newBreaker(breaker.Config{
					MinCalls: 4, Probes: breaker.Probes{Calls: 1},
					Classify: func(err error) seawall.Verdict {
						if err == errBad && way == "panic" { //nolint:errorlint // it is passed bare
							panic(value)
						}
						if err == errBad { //nolint:errorlint // it is passed bare
							runtime.Goexit()
						}
						return seawall.Classify(err)
					},
				})
				halfOpen(t, b)
				before := ended(b.Stats())
				panicked, _, exited := attempt(func() {
					_ = b.Do(t.Context(), func(context.Context) error { return errBad })
				})
				if way == "panic" && panicked != value || way == "goexit" && !exited {
					t.Errorf("the caller saw %v, exited %v", panicked, exited)
				}
				if got := ended(b.Stats()) - before; got != 1 {
					t.Errorf("counted %d ends", got)
				}
				wantState(t, b, breaker.Open) // the only probe has failed
			})
		})
	}
}
