package timeout_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/timeout"
)

const ms = time.Millisecond

// newAdaptive makes a Timeout with a ceiling of a minute.
func newAdaptive(t testing.TB, cfg timeout.Adaptive) *timeout.Timeout {
	t.Helper()
	return timeout.New("test", timeout.Config{Limit: time.Minute, Adaptive: cfg, Registry: (&seawall.Registry{}).Detached()})
}

// takes returns an op that takes so long, unless it is stopped, and then fails.
func takes(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
			return nil
		}
	}
}

// T60
func TestLimitThatFollowsTheLatencyHasAFloorAndACeiling(t *testing.T) {
	for latency, want := range map[time.Duration]time.Duration{
		0:                10 * ms,
		ms:               10 * ms,
		100 * ms:         200 * ms,
		29 * time.Second: 58 * time.Second,
		31 * time.Second: time.Minute,
		time.Hour:        time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			limit := newAdaptive(t, timeout.Adaptive{Percentile: 0.9, MinCalls: 20, Window: 24 * time.Hour})
			for i := range 20 {
				if got := limit.Limit(); got != time.Minute {
					t.Errorf("%v: after %d calls the limit is %v", latency, i, got)
				}
				_ = limit.Do(t.Context(), func(context.Context) error {
					time.Sleep(latency) // deaf
					return nil
				})
				time.Sleep(time.Second)
			}
			if got := limit.Limit(); got < want || got > min(want*33/32, time.Minute) {
				t.Errorf("%v: the limit is %v, want %v", latency, got, want)
			}
		})
	}
}

// T60: a limit that is too short sees only calls that are shorter still, and would never grow.
func TestLimitGrowsWhenTheLatencyDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newAdaptive(t, timeout.Adaptive{Percentile: 0.99})
		run := func(latency, mean time.Duration) (expired int) {
			random := rand.New(rand.NewPCG(60, uint64(latency)))
			for begin := time.Now(); time.Since(begin) < mean; {
				d := latency/2 + time.Duration(random.Int64N(int64(latency)))
				if err := limit.Do(t.Context(), takes(d)); errors.Is(err, timeout.ErrExceeded) {
					expired++
				}
			}
			return expired
		}
		if n := run(20*ms, 2*time.Minute); n != 0 {
			t.Errorf("%d calls expired at the steady latency", n)
		}
		if got := limit.Limit(); got < 58*ms || got > 62*ms {
			t.Errorf("the limit is %v", got)
		}
		first := run(500*ms, time.Minute)
		if got := limit.Limit(); first == 0 || got < time.Second {
			t.Errorf("a minute after the shift %d calls have expired, and the limit is %v", first, got)
		}
		if n := run(500*ms, 2*time.Minute); n != 0 {
			t.Errorf("%d calls expired after that", n)
		}
		run(20*ms, 2*time.Minute)
		if got := limit.Limit(); got > 62*ms {
			t.Errorf("back at the old latency the limit is %v", got)
		}
	})
}

func TestOnlySuccessesAndExpiredCallsAreLatencies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newAdaptive(t, timeout.Adaptive{Percentile: 0.5, MinCalls: 1, Window: 24 * time.Hour})
		is := func(what string, want time.Duration) {
			t.Helper()
			time.Sleep(time.Second)
			if got := limit.Limit(); got < want || got > want*33/32 {
				t.Errorf("%s: the limit is %v, want %v", what, got, want)
			}
		}
		for range 10 {
			_ = limit.Do(t.Context(), func(context.Context) error { return errDown })
			ctx, cancel := context.WithTimeout(t.Context(), 20*ms)
			_ = limit.Do(ctx, takes(time.Hour))
			cancel()
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(20*ms, cancel)
			_ = limit.Do(ctx, takes(time.Hour))
			func() {
				defer func() { _ = recover() }()
				_ = limit.Do(t.Context(), func(context.Context) error { panic("op") })
			}()
		}
		is("failures, and calls that the caller ended", time.Minute)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = limit.Do(ctx, takes(50*ms))
		is("a success under a shorter deadline", 100*ms)
		for range 3 {
			_ = limit.Do(t.Context(), takes(time.Hour))
		}
		is("calls that were given up", 200*ms)
	})
}

// T60: beyond what the histogram tells apart.
func TestCallsOfManyHoursHaveTheCeiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := timeout.Adaptive{Percentile: 0.5, MinCalls: 1, Window: 24 * time.Hour}
		limit := timeout.New("test", timeout.Config{Limit: 20 * time.Hour, Adaptive: cfg, Registry: (&seawall.Registry{}).Detached()})
		if err := limit.Do(t.Context(), takes(5*time.Hour)); err != nil {
			t.Error(err)
		}
		if got := limit.Limit(); got != 20*time.Hour {
			t.Errorf("the limit is %v", got)
		}
	})
}

// T8
func TestLimitIsTheCeilingAfterTheWholeWindowInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newAdaptive(t, timeout.Adaptive{Percentile: 0.9})
		for range 200 {
			_ = limit.Do(t.Context(), takes(50*ms))
		}
		if got := limit.Limit(); got > 110*ms {
			t.Errorf("the limit is %v", got)
		}
		time.Sleep(time.Minute)
		if got := limit.Limit(); got != time.Minute {
			t.Errorf("after a minute of silence the limit is %v", got)
		}
	})
}

func TestErrorSaysTheLimitThatWasInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newAdaptive(t, timeout.Adaptive{Percentile: 0.9, MinCalls: 1})
		_ = limit.Do(t.Context(), takes(16*ms))
		time.Sleep(time.Second)
		in := limit.Limit()
		err := limit.Do(t.Context(), func(ctx context.Context) error {
			deadline, _ := ctx.Deadline()
			if left := time.Until(deadline); left != in {
				t.Errorf("the call has %v, want %v", left, in)
			}
			<-ctx.Done()
			if !isOurs(context.Cause(ctx), "test") {
				t.Errorf("cause is %v", context.Cause(ctx))
			}
			return ctx.Err()
		})
		if e, ok := errors.AsType[*timeout.ExceededError](err); !ok || e.Limit != in || in > 33*ms+ms {
			t.Errorf("the error is %v, the limit was %v", err, in)
		}
	})
}

// T78
func TestAdaptiveConfigTable(t *testing.T) {
	for _, c := range []struct {
		limit time.Duration
		cfg   timeout.Adaptive
		want  string
	}{
		{0, timeout.Adaptive{Percentile: 0.99}, ""},
		{1, timeout.Adaptive{Percentile: 0.5}, ""},
		{timeout.Off, timeout.Adaptive{Percentile: 0.99}, "Config.Limit is Off, want a limit with Adaptive, as its ceiling"},
		{0, timeout.Adaptive{Factor: 3}, "Config.Adaptive.Percentile is 0, want 0.5 to 0.999, or Adaptive zero, which is off"},
		{0, timeout.Adaptive{Percentile: 1}, "Config.Adaptive.Percentile is 1, want 0.5 to 0.999, or Adaptive zero, which is off"},
		{0, timeout.Adaptive{Percentile: math.NaN()}, "Config.Adaptive.Percentile is NaN, want 0.5 to 0.999, or Adaptive zero, which is off"},
		{0, timeout.Adaptive{Percentile: 0.9, Factor: 1}, "Config.Adaptive.Factor is 1, want 1.1 to 100"},
		{0, timeout.Adaptive{Percentile: 0.9, Factor: math.Inf(1)}, "Config.Adaptive.Factor is +Inf, want 1.1 to 100"},
		{0, timeout.Adaptive{Percentile: 0.9, Min: -1}, "Config.Adaptive.Min is -1ns, want 1ns to Config.Limit, which is 10s"},
		{1, timeout.Adaptive{Percentile: 0.9, Min: 2}, "Config.Adaptive.Min is 2ns, want 1ns to Config.Limit, which is 1ns"},
		{0, timeout.Adaptive{Percentile: 0.9, Window: 1}, "Config.Adaptive.Window is 1ns, want 1s to 24h0m0s"},
		{0, timeout.Adaptive{Percentile: 0.9, MinCalls: -1}, "Config.Adaptive.MinCalls is -1, want 1 to 1000000"},
	} {
		cfg := timeout.Config{Limit: c.limit, Adaptive: c.cfg}
		text := ""
		if err := cfg.Validate(); err != nil {
			text = strings.TrimPrefix(err.Error(), "timeout: ")
		}
		if text != c.want {
			t.Errorf("%+v: error is %q, want %q", cfg, text, c.want)
		}
		if c.want != "" {
			continue
		}
		cfg.Registry = (&seawall.Registry{}).Detached()
		again := timeout.New("test", cfg).Config()
		if again.Validate() != nil || !again.Equal(cfg) || again.Equal(timeout.Config{Limit: c.limit}) {
			t.Errorf("%+v reads back as %+v", cfg, again)
		}
	}
}

func FuzzConfigFromJSONIsValidOrRefused(f *testing.F) {
	f.Add(`{}`)
	f.Add(`{"limit": -1}`)
	f.Add(`{"limit": 1000, "adaptive": {"percentile": 0.99, "factor": 3, "min": 1, "window": 1e9, "min_calls": 5}}`)
	f.Add(`{"limit": 9223372036854775807, "adaptive": {"percentile": 0.5, "min": 9223372036854775807}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var cfg timeout.Config
		if json.Unmarshal([]byte(text), &cfg) != nil {
			return
		}
		if err := cfg.Validate(); err != nil {
			if !strings.HasPrefix(err.Error(), "timeout: Config.") {
				t.Errorf("refused by %q", err)
			}
			return
		}
		cfg.Registry = (&seawall.Registry{}).Detached()
		limit := timeout.New("fuzz", cfg)
		if err := limit.Do(t.Context(), succeed); err != nil || !limit.Config().Equal(cfg) || limit.Config().Validate() != nil {
			t.Errorf("%s: %v, %+v", text, err, limit.Config())
		}
	})
}

func TestUpdateKeepsTheLatenciesAndIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newTimeout(t, time.Minute)
		registry := limit.Config().Registry
		var log strings.Builder
		registry.SetLogger(textLogger(&log))
		update := func(cfg timeout.Config, known bool, fields string) {
			t.Helper()
			log.Reset()
			if err := limit.Update(cfg); err != nil {
				t.Fatal(err)
			}
			if got := limit.Limit(); (got < time.Minute) != known {
				t.Errorf("the limit is %v", got)
			}
			if want := `msg=seawall.config.updated kind=timeout name=test fields=` + fields; !strings.Contains(log.String(), want) {
				t.Errorf("logged %q, want %q", log.String(), want)
			}
		}
		update(timeout.Config{Limit: time.Minute, Adaptive: timeout.Adaptive{Percentile: 0.9}}, false, "adaptive")
		for range 100 {
			_ = limit.Do(t.Context(), takes(10*ms))
		}
		time.Sleep(time.Second)
		update(timeout.Config{Limit: time.Hour, Adaptive: timeout.Adaptive{Percentile: 0.99, Factor: 3}}, true, `"limit adaptive"`)
		for _, v := range limit.Snapshot().Values {
			if v.Name == "limit" && (v.V < 0.03 || v.V > 0.031) {
				t.Errorf("the snapshot's limit is %v", v.V)
			}
		}
		if got := limit.Traits(); got != (seawall.Traits{Kind: "timeout", Limit: time.Hour}) {
			t.Errorf("traits are %+v", got)
		}
		update(timeout.Config{Limit: time.Minute, Adaptive: timeout.Adaptive{Percentile: 0.99, Window: time.Hour}}, false, `"limit adaptive"`)
		log.Reset()
		if err := limit.Update(limit.Config()); err != nil || log.Len() > 0 {
			t.Errorf("got %v, logged %q", err, log.String())
		}
		update(timeout.Config{Limit: timeout.Off}, true, `"limit adaptive"`)
		if got := limit.Traits(); got != (seawall.Traits{Kind: "timeout"}) || limit.Limit() != timeout.Off {
			t.Errorf("traits are %+v, the limit is %v", got, limit.Limit())
		}
		if n := len(limit.Snapshot().Values); n != 5 {
			t.Errorf("the snapshot has %d values", n)
		}
	})
}

// T81
func TestAdaptiveCallAllocatesOneContext(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	limit := newAdaptive(t, timeout.Adaptive{Percentile: 0.9, MinCalls: 1})
	if n := testing.AllocsPerRun(1000, func() { _ = limit.Do(t.Context(), succeed) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// A Timeout without a limit passes its context on.
func TestOffInsideLeavesTheAdaptiveContextAlone(t *testing.T) {
	limit, off := newAdaptive(t, timeout.Adaptive{Percentile: 0.9}), newTimeout(t, timeout.Off)
	outer, leave := enter(t, limit, t.Context())
	_, leaveOff := enter(t, off, outer)
	if err := leaveOff(nil); err != nil || outer.Err() != nil {
		t.Errorf("got %v, and the context around has ended: %v", err, outer.Err())
	}
	_ = leave(nil)
}
