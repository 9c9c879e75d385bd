package breaker_test

import (
	"context"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// T81
func TestBreakerAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx := context.Background()
	closed := newBreaker(breaker.Config{})
	counting := newBreaker(breaker.Config{Window: breaker.Window{Calls: 100}})
	healthy := newBreaker(breaker.Config{FailureRate: 1, MinCalls: 1_000_000})
	untracked := newBreaker(breaker.Config{Slow: breaker.SlowCalls{Over: breaker.NoSlowCalls}})
	slow := newBreaker(breaker.Config{MinCalls: 1_000_000, Slow: breaker.SlowCalls{Over: time.Millisecond}})
	ramp := newBreaker(breaker.Config{
		MinCalls: 1, OpenFor: time.Millisecond, Ramp: breaker.Ramp{Start: 0.5, Step: time.Hour}, Probes: breaker.Probes{Calls: 1},
	})
	trip(t, ramp)
	for ramp.State() != breaker.Ramping {
		_ = ramp.Do(ctx, succeed)
	}
	takesLong := lasting(time.Millisecond)
	group := newGroup(breaker.GroupConfig[int]{})
	open := newBreaker(breaker.Config{MinCalls: 1, OpenFor: time.Hour})
	trip(t, open)
	shadow := newBreaker(breaker.Config{MinCalls: 1, OpenFor: time.Hour, Mode: seawall.Shadow})
	trip(t, shadow)
	forced := newBreaker(breaker.Config{Mode: seawall.ForcedOpen})
	off := newBreaker(breaker.Config{Mode: seawall.Off})
	probing := newBreaker(breaker.Config{
		MinCalls: 1, OpenFor: time.Millisecond, MaxOpenFor: time.Millisecond, Probes: breaker.Probes{Calls: 1, Timeout: time.Hour},
	})
	trip(t, probing)
	for probing.State() != breaker.HalfOpen {
		time.Sleep(time.Millisecond)
	}
	acquire(t, probing)
	for _, c := range []struct {
		name string
		call func()
	}{
		{"a success", func() { _ = closed.Do(ctx, succeed) }},
		{"a success in a count window", func() { _ = counting.Do(ctx, succeed) }},
		{"a success without slow calls", func() { _ = untracked.Do(ctx, succeed) }},
		{"a slow success", func() { _ = slow.Do(ctx, takesLong) }},
		{"calls while ramping", func() { _ = ramp.Do(ctx, succeed) }},
		{"a member of a group", func() { _ = group.For(1).Do(ctx, succeed) }},
		{"keep", func() { _ = closed.Keep() }},
		{"a failure", func() { _ = healthy.Do(ctx, fail) }},
		{"acquire and done", func() {
			p, _ := closed.Acquire(ctx)
			p.Done(nil)
		}},
		{"a rejection", func() { _ = open.Do(ctx, succeed) }},
		{"a rejection of Acquire", func() { _, _ = open.Acquire(ctx) }},
		{"a rejection beside a probe", func() { _ = probing.Do(ctx, succeed) }},
		{"a forced rejection", func() { _ = forced.Do(ctx, succeed) }},
		{"a shadow rejection", func() { _ = shadow.Do(ctx, succeed) }},
		{"off", func() { _ = off.Do(ctx, succeed) }},
		{"reading the state", func() { _ = closed.State() }},
		{"reading the stats", func() { _ = closed.Stats() }},
	} {
		if n := testing.AllocsPerRun(200, c.call); n != 0 {
			t.Errorf("%s allocates %v times", c.name, n)
		}
	}
}
