package bulkhead_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// T78: the zero Config equals the documented table.
func TestConfigDefaultsAreTheDocumentedOnes(t *testing.T) {
	want := bulkhead.Config{
		Limit: 64,
		Queue: bulkhead.Queue{
			Limit: 64, MaxWait: time.Second,
			Order: bulkhead.FIFO, Target: 5 * time.Millisecond, Interval: 100 * time.Millisecond,
		},
		Shares: bulkhead.Shares{
			CriticalPlus: bulkhead.NoShare, Critical: 0.2, SheddablePlus: 0.05, Sheddable: 0.01,
		},
		Shedding: bulkhead.ByArrival,
	}
	got := newBulkhead(bulkhead.Config{}).Config()
	got.Registry = nil
	if !same(got, want) {
		t.Errorf("resolved to %+v, want %+v", got, want)
	}
	if got := newBulkhead(bulkhead.Config{Limit: 7}).Config().Queue.Limit; got != 7 {
		t.Errorf("the queue has %d places, want as many as there are slots", got)
	}
	none := bulkhead.Config{Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}}
	if got := newBulkhead(none).Config().Queue.Limit; got != bulkhead.NoQueue {
		t.Errorf("no queue has become one of %d", got)
	}
}

// T43, T78: impossible values are refused by Validate, New and Update alike, and the text names field, value and range.
func TestConfigRefusesImpossibleValues(t *testing.T) {
	for _, tc := range []struct {
		cfg  bulkhead.Config
		want string
	}{
		{bulkhead.Config{Limit: -1}, "bulkhead: Config.Limit is -1, want 1 to 1000000"},
		{bulkhead.Config{Limit: math.MinInt}, "Config.Limit"},
		{bulkhead.Config{Limit: 1_000_001}, "bulkhead: Config.Limit is 1000001, want 1 to 1000000"},
		{bulkhead.Config{Limit: math.MaxInt}, "Config.Limit"},
		{
			bulkhead.Config{Queue: bulkhead.Queue{Limit: -2}},
			"bulkhead: Config.Queue.Limit is -2, want 1 to 1000000, or NoQueue",
		},
		{bulkhead.Config{Queue: bulkhead.Queue{Limit: 1_000_001}}, "Config.Queue.Limit"},
		{bulkhead.Config{Queue: bulkhead.Queue{Limit: math.MaxInt}}, "Config.Queue.Limit"},
		{
			bulkhead.Config{Queue: bulkhead.Queue{MaxWait: time.Microsecond}},
			"bulkhead: Config.Queue.MaxWait is 1µs, want 1ms to 1h",
		},
		{bulkhead.Config{Queue: bulkhead.Queue{MaxWait: -time.Second}}, "Config.Queue.MaxWait"},
		{bulkhead.Config{Queue: bulkhead.Queue{MaxWait: math.MaxInt64}}, "Config.Queue.MaxWait"},
		{bulkhead.Config{Queue: bulkhead.Queue{Order: 9}}, "bulkhead: Config.Queue.Order is Order(9), want fifo or adaptive_lifo"},
		{bulkhead.Config{Queue: bulkhead.Queue{Target: -1}}, "bulkhead: Config.Queue.Target is -1ns, want 1ms to 1h"},
		{bulkhead.Config{Queue: bulkhead.Queue{Target: math.MaxInt64}}, "Config.Queue.Target"},
		{bulkhead.Config{Queue: bulkhead.Queue{Interval: 1}}, "bulkhead: Config.Queue.Interval is 1ns, want 1ms to 1h"},
		{bulkhead.Config{Queue: bulkhead.Queue{Interval: 2 * time.Hour}}, "Config.Queue.Interval"},
		{bulkhead.Config{Shedding: 9}, "bulkhead: Config.Shedding is Shedding(9), want by_arrival or by_user"},
		{bulkhead.Config{Shares: bulkhead.Shares{Critical: 1.5}}, "bulkhead: Config.Shares.Critical is 1.5, want 0 to 1, or NoShare"},
		{bulkhead.Config{Shares: bulkhead.Shares{Sheddable: -0.5}}, "Config.Shares.Sheddable is -0.5"},
		{bulkhead.Config{Shares: bulkhead.Shares{SheddablePlus: math.NaN()}}, "Config.Shares.SheddablePlus is NaN"},
		{bulkhead.Config{Shares: bulkhead.Shares{CriticalPlus: math.Inf(1)}}, "Config.Shares.CriticalPlus is +Inf"},
		{bulkhead.Config{Shares: bulkhead.Shares{CriticalPlus: math.Inf(-1)}}, "Config.Shares.CriticalPlus is -Inf"},
		{
			bulkhead.Config{Shares: bulkhead.Shares{CriticalPlus: 0.75}},
			"bulkhead: Config.Shares is 1.01, want a sum of at most 1, defaults included",
		},
		{bulkhead.Config{Mode: 99}, "bulkhead: Config.Mode is Mode(99), want one of the modes of package seawall"},
	} {
		err := tc.cfg.Validate()
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: Validate says %v, want %q", tc.cfg, err, tc.want)
			continue
		}
		b := newBulkhead(bulkhead.Config{Limit: 3})
		before := b.Config()
		if uerr := b.Update(tc.cfg); uerr == nil || uerr.Error() != err.Error() {
			t.Errorf("%+v: Update says %v, want %v", tc.cfg, uerr, err)
		}
		if !same(b.Config(), before) { // T75
			t.Errorf("%+v: a refused Update changed the configuration to %+v", tc.cfg, b.Config())
		}
		func() {
			defer func() {
				if value := recover(); value != err.Error() {
					t.Errorf("%+v: New panicked with %v, want %v", tc.cfg, value, err)
				}
			}()
			bulkhead.New("impossible", tc.cfg)
		}()
	}
}

func TestConfigTakesTheEndsOfItsRanges(t *testing.T) {
	for _, cfg := range []bulkhead.Config{
		{Limit: 1, Queue: bulkhead.Queue{Limit: 1, MaxWait: time.Millisecond}},
		{Limit: 1_000_000, Queue: bulkhead.Queue{Limit: 1_000_000, MaxWait: time.Hour}, Mode: seawall.Off},
		{Shares: bulkhead.Shares{CriticalPlus: 0.1, Critical: 0.2, SheddablePlus: 0.3, Sheddable: 0.4}}, // 1, but for rounding
		{Shares: bulkhead.Shares{
			CriticalPlus: 1, Critical: bulkhead.NoShare, SheddablePlus: bulkhead.NoShare, Sheddable: bulkhead.NoShare,
		}},
		{Queue: bulkhead.Queue{Target: time.Millisecond, Interval: time.Hour}},
		{Queue: bulkhead.Queue{Target: time.Hour, Interval: time.Millisecond}},
	} {
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
		if got := newBulkhead(cfg).Config(); !got.Equal(cfg) {
			t.Errorf("resolved to %+v, want %+v", got, cfg)
		}
	}
}

// T78
func TestConfigSurvivesJSON(t *testing.T) {
	for _, cfg := range []bulkhead.Config{
		{},
		{Limit: 5, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}, Mode: seawall.Shadow},
		{Limit: 9, Queue: bulkhead.Queue{Limit: 3, MaxWait: 250 * time.Millisecond}, Mode: seawall.ForcedClosed},
		{
			Queue:    bulkhead.Queue{Order: bulkhead.AdaptiveLIFO, Target: time.Second, Interval: time.Minute},
			Shares:   bulkhead.Shares{CriticalPlus: 0.5, Critical: bulkhead.NoShare, SheddablePlus: 0.25, Sheddable: 0.125},
			Shedding: bulkhead.ByUser,
		},
	} {
		text, err := json.Marshal(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var back bulkhead.Config
		if err := json.Unmarshal(text, &back); err != nil || !same(back, cfg) {
			t.Errorf("%s came back as %+v, %v", text, back, err)
		}
	}
	text, _ := json.Marshal(bulkhead.Config{Registry: &seawall.Registry{}})
	want := `{"limit":0,"queue":{"limit":0,"max_wait":0,"order":"","target":0,"interval":0},` +
		`"shares":{"critical_plus":0,"critical":0,"sheddable_plus":0,"sheddable":0},"shedding":"","mode":"enforce"}`
	if string(text) != want {
		t.Errorf("JSON is %s, want %s", text, want)
	}
}

func TestConfigEqualComparesTheMeaning(t *testing.T) {
	full := bulkhead.Config{Limit: 64, Queue: bulkhead.Queue{Limit: 64, MaxWait: time.Second}}
	full.Registry = quietRegistry()
	if !full.Equal(bulkhead.Config{}) || !(bulkhead.Config{}).Equal(full) {
		t.Error("a Config differs from its defaults filled in")
	}
	for _, other := range []bulkhead.Config{
		{Limit: 63, Queue: bulkhead.Queue{Limit: 64}},
		{Queue: bulkhead.Queue{Limit: 63}},
		{Queue: bulkhead.Queue{MaxWait: time.Minute}},
		{Queue: bulkhead.Queue{Order: bulkhead.AdaptiveLIFO}},
		{Queue: bulkhead.Queue{Target: time.Second}},
		{Queue: bulkhead.Queue{Interval: time.Second}},
		{Shares: bulkhead.Shares{CriticalPlus: 0.1}},
		{Shares: bulkhead.Shares{Critical: 0.1}},
		{Shares: bulkhead.Shares{SheddablePlus: bulkhead.NoShare}},
		{Shares: bulkhead.Shares{Sheddable: 0.1}},
		{Shedding: bulkhead.ByUser},
		{Mode: seawall.Off},
	} {
		if full.Equal(other) || other.Equal(full) {
			t.Errorf("%+v equals the default", other)
		}
	}
}

// T19: a Config has nothing that could be shared with the one who made it, but the registry
// and the function; and what is done to it
// after New and Update changes nothing.
func TestConfigSharesNothing(t *testing.T) {
	var walk func(reflect.Type, string)
	walk = func(typ reflect.Type, path string) {
		switch typ.Kind() {
		case reflect.Struct:
			for f := range typ.Fields() {
				walk(f.Type, path+"."+f.Name)
			}
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Chan, reflect.Func, reflect.Interface:
			if path != "Config.Registry" && path != "Config.Weight" {
				t.Errorf("%s is a %v", path, typ)
			}
		}
	}
	walk(reflect.TypeFor[bulkhead.Config](), "Config")

	cfg := bulkhead.Config{Limit: 2, Registry: quietRegistry()}
	b := bulkhead.New("inventory", cfg)
	resolved := b.Config()
	cfg.Limit, cfg.Queue.Limit, cfg.Mode = 9, 9, seawall.Off
	mine := b.Config()
	mine.Limit, mine.Queue.MaxWait = 9, time.Hour
	if !same(b.Config(), resolved) {
		t.Errorf("the configuration has become %+v, want %+v", b.Config(), resolved)
	}
}

// T46: two configurations, each of which lets nobody wait, but a mix of them would.
func TestBulkheadNeverMixesTwoConfigs(t *testing.T) {
	tight := bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}}
	wide := bulkhead.Config{Limit: 1000, Queue: bulkhead.Queue{Limit: 1000}}
	b := newBulkhead(tight)
	stop := make(chan struct{})
	var calls, swaps sync.WaitGroup
	swaps.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				for _, cfg := range []bulkhead.Config{wide, tight} {
					if err := b.Update(cfg); err != nil {
						t.Error(err)
					}
					runtime.Gosched()
				}
			}
		}
	})
	for range 16 {
		calls.Go(func() {
			for range 3000 {
				err := b.Do(t.Context(), func(context.Context) error {
					runtime.Gosched()
					return nil
				})
				if err != nil {
					wantFull(t, err)
				}
			}
		})
	}
	calls.Wait()
	close(stop)
	swaps.Wait()
	wantIdle(t, b)
	s := b.Stats()
	if s.Waited != 0 || s.Rejected.Full != s.Rejected.Total() {
		t.Errorf("stats are %+v, want nobody to have waited, and no other reason than that all was full", s)
	}
	if s.Rejected.Full == 0 || s.Admitted == 0 {
		t.Errorf("stats are %+v: nothing is proved", s)
	}
}

func wantFull(t *testing.T, err error) {
	t.Helper()
	if !strings.Contains(err.Error(), string(seawall.ReasonFull)) || strings.Contains(err.Error(), "queue") {
		t.Errorf("error is %v, want a rejection because all is full", err)
	}
}

// T75: the counts go on, and calls that are in stay in.
func TestBulkheadKeepsItsCountsThroughAnUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(bulkhead.Config{Limit: 2, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}})
		permits := fill(t, b, 2)
		_, err := b.Acquire(t.Context())
		wantReason(t, err, seawall.ReasonFull)
		update(t, b, bulkhead.Config{Limit: 3})
		want := bulkhead.Stats{Limit: 3, InUse: 2, Admitted: 2, Rejected: bulkhead.Rejections{Full: 1}}
		want.Levels.Critical.Rejected = 1
		if s := b.Stats(); s != want {
			t.Errorf("stats are %+v, want %+v", s, want)
		}
		for _, p := range permits {
			p.Done(nil)
		}
		wantIdle(t, b)
	})
}

// T75: twice as many slots come free twice as often.
func TestBulkheadReckonsWithTheNewLimitWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := bulkhead.Config{Queue: bulkhead.Queue{Limit: 20}}
		b, end := steadyQueue(t, cfg, 100*time.Millisecond, 4)
		defer end()
		cfg.Limit, cfg.Queue.MaxWait = 1, time.Minute
		update(t, b, cfg)
		if got := b.Stats().ExpectedWait; got != 500*time.Millisecond {
			t.Errorf("a newcomer has to expect %v, want 500ms as before: the limit has not changed", got)
		}
		cfg.Limit = 2
		update(t, b, cfg)
		if got := b.Stats().ExpectedWait; got != 200*time.Millisecond {
			t.Errorf("a newcomer has to expect %v, want 200ms: one got in, and the pace has doubled", got)
		}
	})
}

func TestBulkheadLogsWhatChanged(t *testing.T) {
	var log bytes.Buffer
	registry := &seawall.Registry{}
	registry.SetLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})))
	b := bulkhead.New("inventory", bulkhead.Config{Registry: registry})
	update := func(cfg bulkhead.Config) {
		if err := b.Update(cfg); err != nil {
			t.Fatal(err)
		}
	}
	update(bulkhead.Config{Limit: 64}) // changes nothing
	_ = b.SetMode(seawall.Shadow)
	_ = b.SetMode(seawall.Shadow) // changes nothing
	update(bulkhead.Config{Limit: 2, Queue: bulkhead.Queue{MaxWait: time.Minute}})
	if b.Config().Registry != registry {
		t.Error("an Update changed the registry")
	}
	want := strings.TrimPrefix(`
level=WARN msg=seawall.gate.mode_changed kind=bulkhead name=inventory from=enforce to=shadow
level=WARN msg=seawall.gate.mode_changed kind=bulkhead name=inventory from=shadow to=enforce
level=INFO msg=seawall.config.updated kind=bulkhead name=inventory fields="limit queue.limit queue.max_wait"
`, "\n")
	if log.String() != want {
		t.Errorf("logged:\n%swant:\n%s", &log, want)
	}
}
