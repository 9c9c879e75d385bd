package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

// T12, T79: the modes hold for known and for new keys, also where there is no room.
func TestGroupSwitchesTheModeOfAllKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(ratelimit.GroupConfig[string]{Limiter: ratelimit.Config{Rate: 1, Burst: 1}, MaxKeys: 1})
		take(t, g.For("known"), 1)
		try := func(key string) error {
			_, err := g.Acquire(t.Context(), key)
			return err
		}
		for _, c := range []struct {
			mode   seawall.Mode
			reason seawall.Reason
		}{
			{seawall.Enforce, seawall.ReasonLimited},
			{seawall.Shadow, ""},
			{seawall.ForcedOpen, seawall.ReasonForced},
			{seawall.ForcedClosed, ""},
			{seawall.Off, ""},
		} {
			if err := g.SetMode(c.mode); err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"known", "new"} {
				err := try(key)
				if c.reason == "" {
					if err != nil {
						t.Errorf("%v: %s got %v", c.mode, key, err)
					}
				} else if r, _ := errors.AsType[*seawall.RejectedError](err); r == nil || r.Reason != c.reason {
					t.Errorf("%v: %s got %v", c.mode, key, err)
				}
			}
		}
		want := ratelimit.GroupStats{Keys: 1, NoRoom: 1, Sum: ratelimit.Stats{
			Rate: 1, Burst: 1, Allowed: 5, ShadowRejected: 2,
			Rejected: ratelimit.Rejections{Limited: 2, Forced: 2},
		}}
		if s := g.Stats(); s != want {
			t.Errorf("stats are\n%+v, want\n%+v", s, want)
		}
		if g.SetMode(99) == nil {
			t.Error("there is no such mode")
		}
	})
}

// T75: an Update is no refill, and holds for keys that are known already.
func TestGroupUpdatesAllKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 1, Burst: 2}, MaxKeys: 3}
		g := newGroup(cfg)
		for key := range 3 {
			take(t, g.For(key), 2)
		}
		cfg.Limiter.Rate, cfg.Limiter.Burst, cfg.MaxKeys = 100, 20, 2
		if err := g.Update(cfg); err != nil {
			t.Fatal(err)
		}
		for key := range 3 {
			_, err := g.Acquire(t.Context(), key)
			wantRejection(t, err, seawall.ReasonLimited, 10*time.Millisecond)
		}
		time.Sleep(time.Second)
		if n := drain(t.Context(), g.For(77)); n != 20 || g.Stats().Keys != 2 {
			t.Errorf("%d calls got in, %d keys", n, g.Stats().Keys)
		}
		before := g.Config()
		cfg.MaxKeys = -1
		if err := g.Update(cfg); err == nil || !g.Config().Equal(before) {
			t.Errorf("the error is %v, the configuration %+v", err, g.Config())
		}
	})
}

func TestGroupSnapshotShowsTheBusyKeysFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := ratelimit.GroupConfig[int]{
			Limiter: ratelimit.Config{Rate: 1, Burst: 10}, Label: func(key int) string { return fmt.Sprint("key ", key) },
		}
		g := newGroup(cfg)
		for key := range 100 {
			take(t, g.For(key), 1)
		}
		time.Sleep(time.Second)
		take(t, g.For(77), 1)
		s := g.Snapshot()
		if len(s.Members) != 32 || s.Members[0].Name != "tenants[key 77]" || s.Members[0].Kind != "ratelimit" || s.Kind != "ratelimit" {
			t.Errorf("%d members, the first is %+v", len(s.Members), s.Members[0])
		}
		values := map[string]float64{}
		for _, v := range s.Values {
			values[v.Name] = v.V
		}
		if values["keys"] != 100 || values["calls.allowed"] != 101 || values["rate"] != 1 || values["burst"] != 10 {
			t.Errorf("values are %v", values)
		}
		cfg.Label = nil
		if err := g.Update(cfg); err != nil {
			t.Fatal(err)
		}
		if s := g.Snapshot(); len(s.Members) != 0 {
			t.Errorf("without a label %d keys are shown", len(s.Members))
		}
	})
}

// T41: readers and writers of everything, side by side, with keys that come and go.
func TestGroupCanBeReadWhileItIsChanged(t *testing.T) {
	registry := quietRegistry()
	g := ratelimit.NewGroup("tenants", ratelimit.GroupConfig[int]{
		Limiter: ratelimit.Config{Rate: 1e6, MaxWait: time.Millisecond}, MaxKeys: 8, Registry: registry,
		Label: func(key int) string { return fmt.Sprint(key) },
	})
	cfg := g.Config()
	var wg sync.WaitGroup
	for _, work := range []func(i int){
		func(i int) { _ = g.Do(t.Context(), i%40, succeed) },
		func(i int) { _ = g.Do(t.Context(), i%3, succeed) },
		func(i int) {
			_ = g.For(i%20).Do(t.Context(), func(context.Context) error { return seawall.ErrRejected })
		},
		func(i int) { _ = g.SetMode(seawall.Mode(i % 5)) },
		func(i int) { _ = g.For(i % 20).SetMode(seawall.Mode(i % 5)) },
		func(i int) {
			for key, k := range g.All() {
				_ = fmt.Sprint(key, k, k.Stats(), k.Config().Mode, g.Len(), g.Member(fmt.Sprintf("tenants[%d]", i%20)))
			}
		},
		func(i int) {
			cfg := cfg
			cfg.Limiter.Rate, cfg.Limiter.Burst, cfg.MaxKeys = float64(1+i*1000), 1+i%9, 1+i%16
			_ = g.Update(cfg)
		},
		func(int) { _ = g.Config().Equal(cfg) },
		func(int) { _ = g.Name() + g.String() },
		func(int) { _ = g.Stats() },
		func(int) { _ = registry.Snapshots() },
	} {
		wg.Go(func() {
			for i := range 500 {
				work(i)
			}
		})
	}
	wg.Wait()
}
