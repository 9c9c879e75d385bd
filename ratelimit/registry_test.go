package ratelimit_test

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

// T77
func TestPoliciesHaveTheNameThatTheRegistryGaveThem(t *testing.T) {
	registry := quietRegistry()
	cfg := ratelimit.Config{Rate: 1, Mode: seawall.ForcedOpen}
	group := ratelimit.NewGroup("geocoder", ratelimit.GroupConfig[int]{Limiter: cfg, Registry: registry})
	cfg.Registry = registry
	second := ratelimit.New("geocoder", cfg)
	throttles := [2]*ratelimit.Throttle{}
	for i := range throttles {
		throttles[i] = ratelimit.NewThrottle("geocoder", ratelimit.ThrottleConfig{Registry: registry, Mode: seawall.ForcedOpen})
	}
	for _, c := range []struct {
		policy seawall.Policy
		name   string
		text   string
	}{
		{group.For(7), group.Name(), `ratelimit "geocoder"`},
		{second, second.Name(), `ratelimit "geocoder#2"`},
		{throttles[0], throttles[0].Name(), `throttle "geocoder"`},
		{throttles[1], throttles[1].Name(), `throttle "geocoder#2"`},
	} {
		if fmt.Sprint(c.policy) != c.text {
			t.Errorf("%q is printed as %v", c.name, c.policy)
		}
		if err := c.policy.Do(t.Context(), succeed); err == nil || err.Error() != c.text+": forced" {
			t.Errorf("%s: error is %v", c.text, err)
		}
		traits := c.policy.(seawall.Describer).Traits()
		if want := c.text[:len(traits.Kind)]; traits.Kind != want || traits.Wait != 0 {
			t.Errorf("%s: traits are %+v", c.text, traits)
		}
	}
	if n := len(registry.Members()); n != 4 {
		t.Errorf("the registry has %d members, want 4: a group is one", n)
	}
	runtime.KeepAlive(throttles)
}

// T69: Lint warns of a queue only where there is one.
func TestTraitsSayHowLongACallMayWait(t *testing.T) {
	l := newLimiter(ratelimit.Config{Rate: 1, MaxWait: time.Minute})
	g := ratelimit.NewGroup("tenants", ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 1, MaxWait: time.Minute}, Registry: quietRegistry()})
	for _, p := range []seawall.Policy{l, g.For(1)} {
		if got := p.(seawall.Describer).Traits().Wait; got != time.Minute {
			t.Errorf("%v: wait is %v", p, got)
		}
	}
}

// T77
func TestRegistryKeepsNothingAlive(t *testing.T) {
	registry := quietRegistry()
	for i := range 2000 {
		l := ratelimit.New("dropped", ratelimit.Config{Rate: 1, Registry: registry})
		th := ratelimit.NewThrottle("dropped", ratelimit.ThrottleConfig{Registry: registry})
		g := ratelimit.NewGroup("dropped", ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 1}, Registry: registry})
		if err := seawall.Chain(l, th, g.For(i)).Do(t.Context(), succeed); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); len(registry.Members()) > 0; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%d are still there after a garbage collection", len(registry.Members()))
		}
	}
}

func wantValues(t *testing.T, s seawall.Snapshot, want map[string]float64) {
	t.Helper()
	for _, v := range s.Values {
		if v.V != want[v.Name] {
			t.Errorf("%s of %s is %v, want %v", v.Name, s.Kind, v.V, want[v.Name])
		}
		delete(want, v.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing in %s: %v", s.Kind, want)
	}
}

func TestSnapshotSaysWhatStatsSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 4, Burst: 3, MaxWait: 250 * time.Millisecond})
		take(t, l, 3)[0].Done(rejection())
		take(t, l, 1)
		waiting := start(t.Context(), l)
		_, err := l.Acquire(t.Context())
		wantRejection(t, err, seawall.ReasonLimited, 500*time.Millisecond)
		s := l.Snapshot()
		if s.Kind != "ratelimit" || s.Name != "geocoder" || s.Mode != seawall.Enforce || s.State != "" {
			t.Errorf("snapshot is %+v", s)
		}
		wantValues(t, s, map[string]float64{
			"rate": 4, "burst": 3, "tokens": 0, "pending": 1, "calls.allowed": 4, "calls.rejected": 1,
			"calls.refunded": 1, "rejections.limited": 1,
		})
		time.Sleep(250 * time.Millisecond)
		if err := waiting.settle(t); err != nil {
			t.Error(err)
		}
		th := newThrottle(ratelimit.ThrottleConfig{MinRequests: 1, Mode: seawall.Shadow})
		th.SetRandom(func() float64 { return 0 })
		_, _, _ = th.Do(t.Context(), refuse), th.Do(t.Context(), succeed), th.Do(t.Context(), fail)
		wantValues(t, th.Snapshot(), map[string]float64{
			"window.requests": 3, "reject.ratio": 0.75, "calls.admitted": 3, "calls.success": 1, "calls.failure": 1,
			"calls.overload": 1, "shadow_rejections": 2,
		})
	})
}
