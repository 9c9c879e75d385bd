package timeout_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/timeout"
)

// T78
func TestConfigTable(t *testing.T) {
	for limit, want := range map[time.Duration]string{
		0:             "",
		1:             "",
		timeout.Off:   "",
		math.MaxInt64: "",
		-2:            "timeout: Config.Limit is -2ns, want at least 1ns, or Off",
		math.MinInt64: "timeout: Config.Limit is -2562047h47m16.854775808s, want at least 1ns, or Off",
	} {
		cfg := timeout.Config{Limit: limit, Registry: &seawall.Registry{}}
		text := ""
		if err := cfg.Validate(); err != nil {
			text = err.Error()
		}
		if text != want {
			t.Errorf("%d: error is %q, want %q", limit, text, want)
		}
		func() {
			defer func() {
				if got, _ := recover().(string); got != want {
					t.Errorf("%d: New panicked with %q", limit, got)
				}
			}()
			limited := timeout.New("test", cfg)
			if err := limited.Do(t.Context(), succeed); limit != 1 && err != nil {
				t.Errorf("%d: %v", limit, err)
			}
		}()
		good := newTimeout(t, time.Minute)
		if err := good.Update(cfg); (err == nil) != (want == "") || err != nil && good.Config().Limit != time.Minute {
			t.Errorf("%d: Update gave %v, and left %v", limit, err, good.Config().Limit)
		}
	}
}

// T78
func TestZeroConfigIsTheDocumentedOne(t *testing.T) {
	limit := newTimeout(t, 0)
	if got := limit.Config().Limit; got != 10*time.Second {
		t.Errorf("the limit is %v", got)
	}
	zero := timeout.Config{}
	if !zero.Equal(limit.Config()) || zero.Equal(timeout.Config{Limit: time.Second}) {
		t.Error("Equal does not see through the default")
	}
}

// T78
func TestConfigSurvivesJSON(t *testing.T) {
	for _, cfg := range []timeout.Config{{}, {Limit: timeout.Off}, {Limit: time.Minute}} {
		text, err := json.Marshal(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var back timeout.Config
		if err := json.Unmarshal(text, &back); err != nil || back != cfg {
			t.Errorf("%s came back as %+v, %v", text, back, err)
		}
	}
}

func TestUpdateKeepsTheRegistryOfNew(t *testing.T) {
	limit := newTimeout(t, time.Second)
	registry := limit.Config().Registry
	if err := limit.Update(timeout.Config{}); err != nil || registry == nil || limit.Config().Registry != registry {
		t.Errorf("after %v the registry is another one", err)
	}
}

// T46
func TestCallKeepsTheLimitThatItMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newTimeout(t, time.Second)
		err := limit.Do(t.Context(), func(ctx context.Context) error {
			before, _ := ctx.Deadline()
			if err := limit.Update(timeout.Config{Limit: time.Hour}); err != nil {
				t.Error(err)
			}
			if after, _ := ctx.Deadline(); after != before {
				t.Errorf("the deadline moved by %v", after.Sub(before))
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if e, ok := errors.AsType[*timeout.ExceededError](err); !ok || e.Limit != time.Second {
			t.Errorf("error is %v", err)
		}
		if inner, leave := enter(t, limit, t.Context()); leave(nil) != nil {
			t.Error("an error")
		} else if deadline, _ := inner.Deadline(); time.Until(deadline) != time.Hour {
			t.Errorf("the next call has %v", time.Until(deadline))
		}
	})
}

// T41
func TestReadersAndUpdatesRaceWithCalls(t *testing.T) {
	limit := newTimeout(t, time.Second)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	loop := func(f func()) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f()
				}
			}
		})
	}
	for _, d := range []time.Duration{time.Second, time.Microsecond, timeout.Off} {
		loop(func() {
			if err := limit.Update(timeout.Config{Limit: d}); err != nil {
				t.Error(err)
			}
		})
	}
	loop(func() { _ = limit.Do(t.Context(), succeed) })
	loop(func() {
		_ = limit.Do(t.Context(), func(ctx context.Context) error {
			if _, limited := ctx.Deadline(); limited {
				ctx, cancel := context.WithTimeout(ctx, time.Microsecond)
				defer cancel()
				<-ctx.Done()
			}
			return ctx.Err()
		})
	})
	loop(func() { _, _, _ = limit.Stats(), limit.Snapshot(), limit.String() })
	loop(func() { _ = limit.Config() })
	time.Sleep(200 * time.Millisecond)
	close(stop)
	wg.Wait()
}
