package ratelimit_test

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

func same(key string) string { return key }

// T12
func TestModeOfOneKeyHoldsForThatKeyAloneUntilTheGroupsIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		registry := new(seawall.Registry)
		registry.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
		g := ratelimit.NewGroup("tenants", ratelimit.GroupConfig[string]{
			Limiter: ratelimit.Config{Rate: 1, Burst: 1}, Label: same, Registry: registry,
		})
		held := g.For("acme") // before there is such a key
		want := func(key string, mode seawall.Mode, reason seawall.Reason) {
			t.Helper()
			if got := g.For(key).Config(); got.Mode != mode || got.Rate != 1 {
				t.Errorf("%s is set to %+v, want mode %v", key, got, mode)
			}
			_, err := g.Acquire(t.Context(), key)
			r, _ := errors.AsType[*seawall.RejectedError](err)
			if reason == "" && err != nil || reason != "" && (r == nil || r.Reason != reason) {
				t.Errorf("%s got %v, want %q", key, err, reason)
			}
		}
		if err := held.SetMode(seawall.ForcedOpen); err != nil {
			t.Fatal(err)
		}
		want("acme", seawall.ForcedOpen, seawall.ReasonForced)
		want("other", seawall.Enforce, "")
		want("other", seawall.Enforce, seawall.ReasonLimited)
		if held.Config().Mode != seawall.ForcedOpen || held.Snapshot().Mode != seawall.ForcedOpen || g.Snapshot().Mode != seawall.Enforce {
			t.Errorf("the mode is shown as %v, that of the group as %v", held.Snapshot().Mode, g.Snapshot().Mode)
		}
		if s := held.Stats(); s.Rejected.Forced != 1 || s.Tokens != 1 {
			t.Errorf("the key has %+v", s)
		}

		for name, reset := range map[string]func() error{
			"the group's mode, again": func() error { return g.SetMode(seawall.Enforce) },
			"an update":               func() error { return g.Update(g.Config()) },
			"that of the group":       func() error { return g.For("acme").SetMode(seawall.Enforce) },
		} {
			if err := g.For("acme").SetMode(seawall.ForcedOpen); err != nil {
				t.Fatal(err)
			}
			if err := reset(); err != nil || held.Config().Mode != seawall.Enforce {
				t.Errorf("%s leaves the key in %v: %v", name, held.Config().Mode, err)
			}
		}
		if err := g.SetMode(seawall.Shadow); err != nil || held.Config().Mode != seawall.Shadow {
			t.Errorf("the group's mode does not reach the key: %v, %v", held.Config().Mode, err)
		}
		if g.For("acme").SetMode(99) == nil {
			t.Error("there is no such mode")
		}
		if got := strings.Count(log.String(), `seawall.gate.mode_changed kind=ratelimit name=tenants[acme] from=enforce to=forced_open`); got != 3 {
			t.Errorf("a switch of the key was logged %d times:\n%s", got, log.String())
		}
	})
}

// T76: a flood of keys would let in again whom somebody has shut out by hand.
func TestKeyWhoseModeWasSetByHandIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(ratelimit.GroupConfig[string]{Limiter: ratelimit.Config{Rate: 1000}, MaxKeys: 3, Label: same})
		shut := func(key string, mode seawall.Mode) {
			t.Helper()
			if err := g.For(key).SetMode(mode); err != nil {
				t.Fatal(err)
			}
		}
		shut("b", seawall.ForcedOpen)
		flood := func() (let int) {
			for key := range strings.SplitSeq("c d e f g h i j k l m n o p", " ") {
				time.Sleep(time.Second) // the buckets of all others are full
				if g.Do(t.Context(), key, succeed) == nil {
					let++
				}
			}
			return let
		}
		if n := flood(); n != 14 || !errors.Is(g.Do(t.Context(), "b", succeed), ratelimit.ErrLimited) {
			t.Errorf("%d new keys came in; the key that was shut: %+v", n, g.For("b").Stats())
		}
		if first := g.Snapshot().Members[0]; first.Name != "tenants[b]" || first.Mode != seawall.ForcedOpen {
			t.Errorf("the first that is shown is %s in %v", first.Name, first.Mode)
		}
		time.Sleep(time.Second)
		shut("y", seawall.Off)
		shut("z", seawall.Shadow)
		_, err := g.Acquire(t.Context(), "new")
		wantRejection(t, err, seawall.ReasonLimited, 0) // nobody knows until when
		if err := g.For("new").SetMode(seawall.ForcedOpen); err == nil || !strings.Contains(err.Error(), `ratelimit "tenants[new]": no room`) {
			t.Errorf("the mode of a key for which there is no room: %v", err)
		}
		shut("b", seawall.Enforce)
		if n := flood(); n != 14 || g.Len() != 3 || g.Member("tenants[b]") != nil {
			t.Errorf("%d new keys came in, and %d are there, after the key was let go", n, g.Len())
		}
	})
}

// T76: a key can be forgotten while its group is off, for another one whose mode is set by hand. What a chain held of it
// let everything through from then on, whatever the mode of the group.
func TestHolderOfAKeyThatWasForgottenWhileItsGroupWasOffIsLimitedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(ratelimit.GroupConfig[string]{Limiter: ratelimit.Config{Rate: 0.001, Burst: 1}, MaxKeys: 1})
		take(t, g.For("held"), 1)
		held := g.For("held")
		time.Sleep(time.Hour) // its bucket is full
		for _, err := range []error{
			g.SetMode(seawall.Off), g.For("other").SetMode(seawall.ForcedOpen), g.SetMode(seawall.Off),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if g.Stats().Forgotten != 1 {
			t.Fatal("it was not forgotten: this shows nothing")
		}
		take(t, held, 3) // off is off for it as well
		if err := g.SetMode(seawall.Enforce); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		take(t, held, 1)
		if _, err := held.Acquire(t.Context()); !errors.Is(err, ratelimit.ErrLimited) {
			t.Errorf("a second call, with a burst of 1: %v", err)
		}
	})
}

func TestKeysOfAGroupAreFoundAndNotMade(t *testing.T) {
	g := newGroup(ratelimit.GroupConfig[string]{Limiter: ratelimit.Config{Rate: 0.001, Burst: 5}, Label: same})
	a := g.For("a")
	if s, cfg := a.Stats(), a.Config(); g.Len() != 0 || g.Member("tenants[a]") != nil || s.Tokens != 5 || cfg.Burst != 5 || a.Snapshot().Name != "tenants[a]" {
		t.Errorf("before a call: %d keys, %+v, %+v", g.Len(), s, cfg)
	}
	take(t, a, 2)
	take(t, g.For("b"), 1)
	var keys []string
	for key, k := range g.All() {
		keys = append(keys, key+" "+k.Name())
	}
	slices.Sort(keys)
	if got := strings.Join(keys, ", "); got != "a tenants[a], b tenants[b]" || g.Len() != 2 {
		t.Errorf("there are %s; Len is %d", got, g.Len())
	}
	for range g.All() {
		break
	}
	m := g.Member("tenants[a]")
	if m == nil || g.Member("a") != nil || g.Member("tenants") != nil {
		t.Fatal("it is not found by its name")
	}
	if s := m.Snapshot(); s.Name != "tenants[a]" || s.Kind != "ratelimit" || a.Stats().Allowed != 2 || m.(*ratelimit.KeyLimiter[string]).Stats().Allowed != 2 {
		t.Errorf("it is %+v with %+v", s, a.Stats())
	}
	long := g.For(strings.Repeat("x", 63) + "éé") // é is two bytes
	if want := "tenants[" + strings.Repeat("x", 63) + "]"; long.Name() != want {
		t.Errorf("a long name is %q, want %q", long.Name(), want)
	}
	if anonymous := newGroup(ratelimit.GroupConfig[string]{Limiter: ratelimit.Config{Rate: 1}}).For("a"); anonymous.Name() != "tenants" || anonymous.String() != `ratelimit "tenants"` {
		t.Errorf("without labels a key is called %s", anonymous)
	}
}
