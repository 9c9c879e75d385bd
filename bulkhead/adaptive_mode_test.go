package bulkhead_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// loggedRegistry returns a registry whose events can be read, without their times.
func loggedRegistry() (*seawall.Registry, *bytes.Buffer) {
	r, log := &seawall.Registry{}, &bytes.Buffer{}
	r.SetLogger(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})))
	return r, log
}

// T79: each mode does what it says to the calls beyond the limit.
func TestAdaptiveModes(t *testing.T) {
	for _, tc := range []struct {
		mode                              seawall.Mode
		in, rejected, shadow, inUse, ends int64
	}{
		{seawall.Enforce, 2, 3, 0, 2, 2},
		{seawall.Shadow, 5, 0, 3, 5, 5},
		{seawall.ForcedOpen, 0, 5, 0, 0, 0},
		{seawall.ForcedClosed, 5, 0, 0, 5, 5},
		{seawall.Off, 5, 0, 0, 0, 0},
	} {
		a := newAdaptive(bulkhead.AdaptiveConfig{Initial: 2, Mode: tc.mode, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}})
		var permits []*seawall.Permit
		for range 5 {
			if permit, err := a.Acquire(t.Context()); err == nil {
				permits = append(permits, &permit)
			}
		}
		s := a.Stats()
		if int64(len(permits)) != tc.in || s.Rejected.Total() != tc.rejected || s.ShadowRejected != tc.shadow || int64(s.InUse) != tc.inUse {
			t.Errorf("%v: %d got in, %d rejected, %d would have been, %d in use; want %+v",
				tc.mode, len(permits), s.Rejected.Total(), s.ShadowRejected, s.InUse, tc)
		}
		if a.Keep() != (tc.inUse > 0) {
			t.Errorf("%v: Keep is %t with %d slots in use", tc.mode, a.Keep(), tc.inUse)
		}
		for _, p := range permits {
			p.Done(nil)
		}
		if s := a.Stats(); s.InUse != 0 || s.Outcomes.Total() != tc.ends {
			t.Errorf("%v: %d in use and %d ends, want 0 and %d", tc.mode, s.InUse, s.Outcomes.Total(), tc.ends)
		}
	}
}

// T79, T29: where the limit is not kept, nothing is learned, and what was learned is still there afterwards.
func TestAdaptiveLearnsNothingWhileTheLimitIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, server := newAdaptive(bulkhead.AdaptiveConfig{}), newPool(10, laws[0])
		load(t, a, 30, 20*time.Second, server.serve)
		before := a.Stats()
		if before.Learned < 9 || before.Learned > 14 {
			t.Fatalf("the limit is %d, want some 11", before.Learned)
		}
		for _, m := range []seawall.Mode{seawall.Shadow, seawall.ForcedClosed, seawall.Off} {
			if err := a.SetMode(m); err != nil {
				t.Fatal(err)
			}
			load(t, a, 60, 20*time.Second, server.serve)
			if s := a.Stats(); s.Learned != before.Learned || s.Baseline != before.Baseline {
				t.Errorf("%v: the limit has become %d and the baseline %v, want %d and %v",
					m, s.Learned, s.Baseline, before.Learned, before.Baseline)
			}
		}
		if err := a.SetMode(seawall.Enforce); err != nil {
			t.Fatal(err)
		}
		if a.SetMode(9) == nil {
			t.Error("there is no mode 9")
		}
		load(t, a, 30, 20*time.Second, server.serve)
		if s := a.Stats(); s.Learned < 9 || s.Learned > 14 {
			t.Errorf("back in force the limit is %d, want some 11", s.Learned)
		}
	})
}

// T75: an update is all or nothing, and keeps what was learned.
func TestAdaptiveKeepsWhatItHasLearnedThroughAnUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry, log := loggedRegistry()
		a, server := newAdaptive(bulkhead.AdaptiveConfig{Registry: registry}), newPool(10, laws[0])
		load(t, a, 30, 20*time.Second, server.serve)
		before := a.Stats()
		if err := a.Update(bulkhead.AdaptiveConfig{Min: 5, Max: 4}); err == nil {
			t.Error("an impossible update was taken")
		}
		log.Reset()
		cfg := a.Config()
		cfg.Knee.Remeasure, cfg.Queue.MaxWait, cfg.Mode, cfg.Initial = time.Minute, time.Minute, seawall.Shadow, 500
		if err := a.Update(cfg); err != nil {
			t.Fatal(err)
		}
		if s := a.Stats(); s.Learned != before.Learned || s.Baseline != before.Baseline || s.Outcomes != before.Outcomes {
			t.Errorf("an update has made %+v of %+v", s, before)
		}
		want := "level=WARN msg=seawall.gate.mode_changed kind=bulkhead name=inventory from=enforce to=shadow\n" +
			"level=INFO msg=seawall.config.updated kind=bulkhead name=inventory fields=\"initial knee.remeasure queue.max_wait\"\n"
		if log.String() != want {
			t.Errorf("logged:\n%swant:\n%s", log, want)
		}
		cfg.Max, cfg.Initial, cfg.Mode, cfg.Algorithm = 4, 4, seawall.Enforce, bulkhead.AIMD
		cfg.Registry = nil
		if err := a.Update(cfg); err != nil {
			t.Fatal(err)
		}
		if s := a.Stats(); s.Learned != 4 || s.Limit != 4 {
			t.Errorf("the limit is %d and %d in force, want the new maximum of 4", s.Learned, s.Limit)
		}
		if !a.Config().Equal(cfg) || a.Config().Registry != registry {
			t.Errorf("the configuration is %+v, want %+v", a.Config(), cfg)
		}
	})
}

// T3: changes of the limit are told in order, not too often, and as a warning when there is nothing left to lower.
func TestAdaptiveTellsHowTheLimitChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry, log := loggedRegistry()
		var mu sync.Mutex // guards told and at
		var told []bulkhead.LimitEvent
		var at []time.Time
		a := newAdaptive(bulkhead.AdaptiveConfig{Registry: registry, OnLimitChange: func(e bulkhead.LimitEvent) {
			mu.Lock()
			told, at = append(told, e), append(at, time.Now())
			mu.Unlock()
			if e.To == 1 {
				panic("listener")
			}
		}})
		server := newPool(100, laws[0])
		load(t, a, 130, 30*time.Second, server.serve)
		late := func(context.Context) error { time.Sleep(100 * time.Millisecond); return context.DeadlineExceeded }
		load(t, a, 40, 20*time.Second, late)
		load(t, a, 40, 10*time.Second, server.serve)
		load(t, a, 40, 20*time.Second, late) // at the floor again
		mu.Lock()
		defer mu.Unlock()
		from, high := 20, 0
		floors := 0
		for i, e := range told {
			if i > 0 && at[i].Sub(at[i-1]) < time.Second {
				t.Errorf("event %d was told %v after the one before, want a second", i, at[i].Sub(at[i-1]))
			}
			if e.To == 1 {
				floors++
			}
			if e.From != from || e.From == e.To || e.Name != "inventory" {
				t.Errorf("event %d is %+v, want one from %d", i, e, from)
			}
			from, high = e.To, max(high, e.To)
		}
		if from != 1 || high < 90 || floors < 2 {
			t.Errorf("%d events, up to %d, %d times to 1, the last one to %d; want up to 100 and twice down to 1", len(told), high, floors, from)
		}
		text := log.String()
		if n := strings.Count(text, "level=WARN msg=seawall.bulkhead.limit_changed"); n != 1 {
			t.Errorf("%d warnings of the floor, want 1:\n%s", n, text)
		}
		if n := strings.Count(text, "level=DEBUG msg=seawall.bulkhead.limit_changed name=inventory from="); n != len(told)-1 {
			t.Errorf("%d changes were logged besides, want %d", n, len(told)-1)
		}
		if !strings.Contains(text, "seawall.listener.panicked") {
			t.Error("the panic of the listener was not logged")
		}
	})
}

// T3: a listener may use the bulkhead that calls it, change it, and leave by Goexit.
func TestAdaptiveListenerMayUseAndChangeTheBulkhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a *bulkhead.Adaptive
		var told atomic.Int64
		a = newAdaptive(bulkhead.AdaptiveConfig{OnLimitChange: func(e bulkhead.LimitEvent) {
			told.Add(1)
			if got := a.Stats().Learned; got < 1 {
				t.Errorf("the limit is %d", got)
			}
			if err := a.Do(t.Context(), succeed); err != nil && !errors.Is(err, bulkhead.ErrFull) {
				t.Error(err)
			}
			if err := a.Update(a.Config()); err != nil {
				t.Error(err)
			}
			if e.To < 10 {
				runtime.Goexit()
			}
		}})
		load(t, a, 40, 20*time.Second, func(context.Context) error {
			time.Sleep(100 * time.Millisecond)
			return context.DeadlineExceeded
		})
		if n := told.Load(); n < 2 {
			t.Errorf("the listener was told %d times, want twice at least", n)
		}
		if s := a.Stats(); s.Learned > 2 || s.InUse != 0 || s.Admitted != s.Outcomes.Total() {
			t.Errorf("stats are %+v", s)
		}
	})
}
