package ratelimit_test

import (
	"context"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

// T81, T35: neither a call that gets in nor one that is rejected allocates, in any mode.
func TestFastPathDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx := context.Background()
	for mode := seawall.Enforce; mode <= seawall.Off; mode++ {
		l := newLimiter(ratelimit.Config{Rate: 1e9, Burst: 1_000_000, Mode: mode})
		dry := newLimiter(ratelimit.Config{Rate: 1e-3, Burst: 1, Mode: mode})
		th := newThrottle(ratelimit.ThrottleConfig{Mode: mode})
		shut := newThrottle(ratelimit.ThrottleConfig{Mode: mode})
		shut.SetRandom(func() float64 { return 0 })
		for range 1000 {
			_ = shut.Do(ctx, refuse)
		}
		g := newGroup(ratelimit.GroupConfig[string]{Limiter: ratelimit.Config{Rate: 1e9, Burst: 1_000_000, Mode: mode}})
		member := g.For("tenant")
		chain := seawall.Chain(l, member, th)
		for what, run := range map[string]func(){
			"Do":                      func() { _ = l.Do(ctx, succeed) },
			"a chain":                 func() { _ = chain.Do(ctx, succeed) },
			"the permit":              func() { acquireAndEnd(ctx, l) },
			"with a dead context":     func() { _ = l.Do(canceledContext, succeed) },
			"a dry bucket":            func() { acquireAndEnd(ctx, dry) },
			"a throttle":              func() { _ = th.Do(ctx, succeed) },
			"a throttle that rejects": func() { acquireAndEnd(ctx, shut) },
			"a key":                   func() { _, _ = g.Acquire(ctx, "tenant") },
			"a key by Do":             func() { _ = g.Do(ctx, "tenant", succeed) },
		} {
			if mode == seawall.Off && what == "a key by Do" {
				continue // an unknown key costs its handle
			}
			if mode == seawall.ForcedOpen && (what == "a key by Do" || what == "a chain") {
				continue // as above
			}
			if n := testing.AllocsPerRun(100, run); n != 0 {
				t.Errorf("%v: %s allocates %v times", mode, what, n)
			}
		}
	}
}

func acquireAndEnd(ctx context.Context, g seawall.Gate) {
	permit, err := g.Acquire(ctx)
	if err == nil {
		permit.Done(nil)
	}
}
