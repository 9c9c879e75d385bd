package cache_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/cache"
)

func TestValidateNamesFieldValueAndRange(t *testing.T) {
	for _, c := range []struct {
		cfg  config
		want string
	}{
		{config{TTL: -time.Second}, "cache: Config.TTL is -1s, want 1ms to 10 years"},
		{config{TTL: time.Microsecond}, "Config.TTL is 1µs"},
		{config{Jitter: 0.6}, "Config.Jitter is 0.6, want more than 0 to 0.5, or NoJitter"},
		{config{Jitter: math.NaN()}, "Config.Jitter is NaN"},
		{config{EarlyRefresh: -2}, "Config.EarlyRefresh is -2"},
		{config{MaxStale: -1}, "Config.MaxStale is -1ns"},
		{config{RetryEvery: time.Hour * 25}, "Config.RetryEvery is 25h0m0s"},
		{config{NegativeTTL: -1}, "Config.NegativeTTL is -1ns"},
		{config{Soft: 1}, "Config.Soft is 1ns, want 1µs to 1h0m0s"},
		{config{Soft: time.Second, Hard: time.Millisecond}, "Config.Soft is 1s, want at most Hard, which is 1ms"},
		{config{Hard: -1}, "Config.Hard is -1ns"},
		{config{LoadTimeout: -1}, "Config.LoadTimeout is -1ns"},
		{config{TTL: time.Hour, MaxTTL: time.Minute}, "Config.MaxTTL is 1m0s, want 1h0m0s to "},
		{config{MaxStale: time.Hour, MarksFor: time.Hour}, "Config.MarksFor is 1h0m0s, want at least 25h0m0s"}, // marks outlive entries
		{config{L2: cache.L2Config{TTL: 100 * time.Hour}, MarksFor: 99 * time.Hour}, "Config.MarksFor is 99h0m0s"},
		{config{MaxEntries: -1}, "Config.MaxEntries is -1"},
		{config{MaxBytes: -1}, "Config.MaxBytes is -1"},
		{config{MaxBytes: 10, MaxEntries: 11}, "Config.MaxBytes is 10, want at least MaxEntries"},
		{config{L2: cache.L2Config{TTL: time.Second}}, "Config.L2.TTL is 1s, want 1m0s to 10 years"},
		{config{L2: cache.L2Config{Skew: 2 * time.Hour}}, "Config.L2.Skew is 2h0m0s, want 0s to 1h0m0s, or NoSkew"},
		{config{L2: cache.L2Config{Soft: -1}}, "Config.L2.Soft is -1ns"},
		{config{L2: cache.L2Config{Hard: 2 * time.Minute}}, "Config.L2.Hard is 2m0s"},
		{config{L2: cache.L2Config{Skew: -2}}, "Config.L2.Skew is -2ns"},
		{config{L2: cache.L2Config{CompressOver: -1}}, "Config.L2.CompressOver is -1"},
		{config{L2: cache.L2Config{Breaker: breaker.Config{FailureRate: 2}}}, "Config.L2.Breaker: breaker: "},
		{config{Peers: cache.PeersConfig{Limit: -1}}, "Config.Peers.Limit is -1ns"},
		{config{Peers: cache.PeersConfig{RecoverEvery: -1}}, "Config.Peers.RecoverEvery is -1ns"},
		{config{Peers: cache.PeersConfig{Queue: -1}}, "Config.Peers.Queue is -1"},
		{config{Peers: cache.PeersConfig{Breaker: breaker.Config{FailureRate: 2}}}, "Config.Peers.Breaker: breaker: "},
		{config{EncodeKey: func(s string) string { return s }}, "Config.EncodeKey is set without DecodeKey"},
	} {
		if err := c.cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("validated as %v, want %q", err, c.want)
		}
	}
	if err := (config{L2: cache.L2Config{Skew: cache.NoSkew}, Jitter: cache.NoJitter, EarlyRefresh: cache.NoEarlyRefresh}).Validate(); err != nil {
		t.Error(err)
	}
	defer func() {
		if p, ok := recover().(string); !ok || !strings.HasPrefix(p, "cache: Config.TTL") {
			t.Errorf("New panics with %v", p)
		}
	}()
	cache.New("bad", config{TTL: -1})
}

func TestConfigReadsBackWithItsDefaults(t *testing.T) {
	got := newCache(t, config{Jitter: 0.1, EarlyRefresh: 1}).Config()
	if got.TTL != time.Minute || got.RetryEvery != 30*time.Second || got.LoadTimeout != 30*time.Second || got.Hard != 30*time.Second ||
		got.MaxTTL != 24*time.Hour || got.MarksFor != 24*time.Hour || got.MaxEntries != 10_000 || got.MaxBytes != 0 || got.MaxStale != 0 ||
		got.L2.TTL != time.Minute || got.L2.Hard != time.Second || got.L2.Skew != time.Second || got.Peers.Queue != 1000 {
		t.Errorf("the defaults are %+v", got)
	}
	if !(config{}).Equal(got) || (config{}).Equal(config{TTL: time.Hour}) || (config{}).Equal(config{MaxEntries: 5}) {
		t.Error("Equal does not go by the meaning")
	}
}

// Every field of the data makes a difference to Equal.
func TestEqualSeesEveryField(t *testing.T) {
	base := config{MaxBytes: 1 << 20, MaxEntries: 1000}
	var visit func(v reflect.Value, path string)
	visit = func(v reflect.Value, path string) {
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Tag.Get("json") == "-" {
				continue
			}
			at, was := v.Field(i), reflect.New(field.Type).Elem()
			was.Set(at)
			switch at.Kind() {
			case reflect.Struct:
				if field.Type != reflect.TypeFor[breaker.Config]() {
					visit(at, path+field.Name+".")
				}
				continue
			case reflect.Float64:
				at.SetFloat(0.123)
			default:
				at.SetInt(123456789)
			}
			if base.Equal(config{MaxBytes: 1 << 20, MaxEntries: 1000}) {
				t.Errorf("%s%s makes no difference", path, field.Name)
			}
			at.Set(was)
		}
	}
	visit(reflect.ValueOf(&base).Elem(), "")
	if base.Equal(config{MaxBytes: 1 << 20, MaxEntries: 1000, L2: cache.L2Config{Breaker: breaker.Config{MinCalls: 7}}}) {
		t.Error("the breaker makes no difference")
	}
}

func TestUpdateChangesTimesAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config{TTL: time.Minute, Jitter: cache.NoJitter, EarlyRefresh: cache.NoEarlyRefresh, Load: always(5)}
		c := newCache(t, cfg)
		want(t, c, "old", nil, 5, cache.Loaded)
		cfg.TTL, cfg.Load = time.Second, nil
		if err := c.Update(cfg); err != nil {
			t.Fatal(err)
		}
		want(t, c, "new", nil, 5, cache.Loaded) // the function stays
		time.Sleep(time.Second)
		want(t, c, "new", always(6), 6, cache.Loaded)
		want(t, c, "old", always(6), 5, cache.Fresh)
		cfg.MaxEntries = 3
		if err := c.Update(cfg); err == nil || !strings.Contains(err.Error(), "max_entries") || c.Config().MaxEntries != 10_000 {
			t.Errorf("a bound was changed: %v", err)
		}
		if err := c.Update(config{TTL: -1}); err == nil {
			t.Error("an invalid configuration was taken")
		}
	})
}

func TestCacheEntersItsRegistryAndSaysWhatItIs(t *testing.T) {
	r := quiet()
	c, twin := newCache(t, config{Registry: r}), newCache(t, config{Registry: r})
	if c.Name() != "test" || c.String() != `cache "test"` || twin.Name() != "test#2" {
		t.Errorf("they are %v and %v", c, twin)
	}
	want(t, c, "a", always(1), 1, cache.Loaded)
	want(t, c, "a", always(1), 1, cache.Fresh)
	snapshots := r.Snapshots()
	if len(snapshots) != 2 || snapshots[0].Kind != "cache" || snapshots[0].State != "ok" {
		t.Fatalf("the registry has %+v", snapshots)
	}
	values := map[string]float64{}
	for _, v := range snapshots[0].Values {
		values[v.Name] = v.V
	}
	for name, want := range map[string]float64{
		"requests.fresh": 1, "requests.miss": 1, "requests.stale": 0, "requests.error": 0, "loads.success": 1, "entries": 1, "served.stale": 0,
	} {
		if got, ok := values[name]; !ok || got != want {
			t.Errorf("%s is %v, %t, want %v", name, got, ok, want)
		}
	}
	var _ seawall.Member = c
}

func TestStatesAndReasonsHaveNames(t *testing.T) {
	for state, want := range map[cache.State]string{
		cache.Miss: "miss", cache.Fresh: "fresh", cache.Loaded: "loaded", cache.Stale: "stale", cache.Default: "default", 99: "unknown",
	} {
		if state.String() != want {
			t.Errorf("%d is %v", state, state)
		}
	}
	if cache.Final(nil) != nil {
		t.Error("no error is a final one")
	}
}

// Update({TTL: 48h}) said that it cannot change marks_for, which the caller had not set.
func TestUpdateDoesNotBlameAFieldThatWasNotSet(t *testing.T) {
	c := cache.New("times", config{MarksFor: 50 * time.Hour, Registry: new(seawall.Registry)})
	defer func() { _ = c.Close(t.Context()) }()
	if err := c.Update(config{TTL: 48 * time.Hour}); err != nil {
		t.Errorf("marks are kept for long enough, and it says %v", err)
	}
	if got := c.Config().MarksFor; got != 50*time.Hour {
		t.Errorf("MarksFor is %v, want that of New", got)
	}
	const want = "cache: Config.MarksFor is 50h0m0s and cannot be changed, but by the new times an entry may live for 72h0m0s: " +
		"make the cache with a MarksFor of as much"
	if err := c.Update(config{TTL: 72 * time.Hour}); err == nil || err.Error() != want {
		t.Errorf("it says %v, want %q", err, want)
	}
	if got := c.Config().TTL; got != 48*time.Hour {
		t.Errorf("TTL is %v after an Update that failed", got)
	}
}
