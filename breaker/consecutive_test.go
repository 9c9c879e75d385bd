package breaker_test

import (
	"testing"
	"testing/synctest"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

func TestFailuresInARowOpenTheBreaker(t *testing.T) {
	for _, c := range []struct {
		ends  string // f fails, s succeeds, o asks for less, i says nothing
		state breaker.State
	}{
		{"ff", breaker.Closed},
		{"fff", breaker.Open},
		{"ffsff", breaker.Closed},
		{"ffsfff", breaker.Open},
		{"foifof", breaker.Open}, // they do not interrupt
		{"ssssssssssssssssssssfff", breaker.Open},
	} {
		for name, window := range map[string]breaker.Window{"time": {}, "calls": {Calls: 1000}} {
			t.Run(c.ends+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var told events
					b := newBreaker(breaker.Config{
						MinCalls: 1000, FailureRate: 1, Window: window, ConsecutiveFailures: 3, OnStateChange: told.add,
					})
					for _, end := range c.ends {
						wantState(t, b, breaker.Closed)
						acquire(t, b).Done(map[rune]error{'f': errDown, 'o': errOverload, 'i': errIgnored}[end])
					}
					wantState(t, b, c.state)
					if all := told.list(); c.state == breaker.Open && all[0].Reason != "consecutive_failures" {
						t.Errorf("told of %+v", all[0])
					}
				})
			})
		}
	}
}

// Off by default.
func TestFailuresInARowDoNotMatterByDefault(t *testing.T) {
	b := newBreaker(breaker.Config{MinCalls: 1_000_000})
	for range 1000 {
		acquire(t, b).Done(errDown)
	}
	wantState(t, b, breaker.Closed)
}

// T75: a new window does not change what happened in a row.
func TestUpdateKeepsTheFailuresInARow(t *testing.T) {
	b := newBreaker(breaker.Config{MinCalls: 100})
	for range 5 {
		acquire(t, b).Done(errDown)
	}
	update(t, b, func(c *breaker.Config) { c.Window, c.ConsecutiveFailures = breaker.Window{Calls: 100}, 6 })
	wantState(t, b, breaker.Closed)
	acquire(t, b).Done(seawall.ErrAborted)
	wantState(t, b, breaker.Open)
}
