package httpcache_test

import (
	"encoding/json"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpcache"
)

func TestImpossibleConfigurationsAreRefusedByName(t *testing.T) {
	for _, row := range []struct {
		cfg  httpcache.Config
		want string
	}{
		{httpcache.Config{}, ""},
		{httpcache.Config{Shared: true, Targets: []string{"My-Cache-Control", "cdn-cache-control"}}, ""},
		{httpcache.Config{HeuristicMax: httpcache.NoHeuristic, StaleWhenDisconnected: httpcache.Off}, ""},
		{httpcache.Config{MaxBytes: 1 << 16, MaxObject: 1}, ""},
		{httpcache.Config{MaxBytes: 1}, "httpcache: Config.MaxBytes is 1, want 64 KiB to 1 TiB, in bytes"},
		{httpcache.Config{MaxBytes: math.MaxInt64}, "httpcache: Config.MaxBytes is 9223372036854775807, want"},
		{httpcache.Config{MaxBytes: 1 << 20, MaxObject: 1<<18 + 1}, "httpcache: Config.MaxObject is 262145, want 1 to 262144"},
		{httpcache.Config{MaxObject: -1}, "httpcache: Config.MaxObject is -1, want"},
		{httpcache.Config{HeuristicMax: time.Millisecond}, "httpcache: Config.HeuristicMax is 1ms, want at least 1s, or NoHeuristic"},
		{httpcache.Config{StaleIfError: time.Millisecond}, "httpcache: Config.StaleIfError is 1ms, want at least 1s, or Off"},
		{httpcache.Config{StaleWhenDisconnected: time.Millisecond}, "httpcache: Config.StaleWhenDisconnected is 1ms, want at least 1s, or Off"},
		{httpcache.Config{RefreshTimeout: -1}, "httpcache: Config.RefreshTimeout is -1ns, want at least 1ms"},
		{httpcache.Config{RetryEvery: 1}, "httpcache: Config.RetryEvery is 1ns, want at least 1ms"},
		{httpcache.Config{Targets: []string{"CDN-Cache-Control"}}, "httpcache: Config.Targets is [Cdn-Cache-Control], want none in a private cache"},
		{httpcache.Config{Shared: true, Targets: []string{"a b"}}, `httpcache: Config.Targets[0] is "a b", want the name of a field`},
	} {
		err := row.cfg.Validate()
		text := ""
		if err != nil {
			text = err.Error()
		}
		if (row.want == "") != (err == nil) || !strings.HasPrefix(text, row.want) {
			t.Errorf("%+v: %v, want %q", row.cfg, err, row.want)
		}
		func() {
			defer func() {
				if got, _ := recover().(string); got != text {
					t.Errorf("%+v: New panics with %q, want %q", row.cfg, got, text)
				}
			}()
			row.cfg.Registry = &seawall.Registry{}
			httpcache.New("test", row.cfg, nil).Close()
		}()
	}
}

func TestConfigIsDataWithDefaults(t *testing.T) {
	c := newCache(t, httpcache.Config{Shared: true}, nil)
	got := c.Config()
	got.Registry = nil
	want := httpcache.Config{
		Shared: true, MaxBytes: 64 << 20, MaxObject: 4 << 20, HeuristicMax: 24 * time.Hour, StaleWhenDisconnected: httpcache.Off, StaleIfError: httpcache.Off,
		RefreshTimeout: 30 * time.Second, RetryEvery: 5 * time.Second, Targets: []string{"Cdn-Cache-Control"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the defaults are %+v, want %+v", got, want)
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var back httpcache.Config
	if err := json.Unmarshal(text, &back); err != nil || !back.Equal(want) || !back.Equal(httpcache.Config{Shared: true}) {
		t.Errorf("%s reads back as %+v, %v", text, back, err)
	}
	if want.Equal(httpcache.Config{}) {
		t.Error("a shared cache equals a private one")
	}
}

func TestRegistryKnowsTheCache(t *testing.T) {
	registry := &seawall.Registry{}
	registry.SetLogger(slog.New(slog.DiscardHandler))
	one := newCache(t, httpcache.Config{Registry: registry}, &origin{handle: answers("x", "Cache-Control: max-age=60")})
	two := httpcache.New("test", httpcache.Config{Registry: registry}, nil)
	defer two.Close()
	if one.Name() != "test" || two.Name() != "test#2" || two.String() != `httpcache "test#2"` {
		t.Errorf("the names are %s and %s", one, two)
	}
	get(t, one, here)
	get(t, one, here)
	values := map[string]float64{}
	for _, v := range registry.Snapshots()[0].Values {
		values[v.Name] = v.V
	}
	for name, want := range map[string]float64{"requests.fresh": 1, "requests.miss": 1, "requests.stale": 0, "requests.error": 0, "loads.success": 1, "entries": 1, "served.stale": 0} {
		if got, ok := values[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestCloseIdleConnectionsReachesTheBase(t *testing.T) {
	closed := &idle{}
	newCache(t, httpcache.Config{}, closed).CloseIdleConnections()
	newCache(t, httpcache.Config{}, roundTripper(nil)).CloseIdleConnections()
	if !closed.done {
		t.Error("the base keeps its connections")
	}
}

type idle struct {
	roundTripper
	done bool
}

func (i *idle) CloseIdleConnections() { i.done = true }
