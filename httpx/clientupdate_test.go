package httpx_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
)

// full has each optional part.
func full() httpx.ClientConfig {
	cfg := quick()
	cfg.Hedge = &hedge.Config{Delay: time.Second}
	cfg.Adaptive = &bulkhead.AdaptiveConfig{}
	cfg.RateLimit = &ratelimit.Config{Rate: 1000, Burst: 1000}
	return cfg
}

func TestAClientIsReconfiguredWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := httpx.NewTransport("test", full(), roundTripper(func(r *http.Request) (*http.Response, error) {
			return after(5*time.Second, 500, true)(r)
		}))
		if code, err := to(t, tr, "http://a.example/"); code != 500 || err != nil {
			t.Fatal(code, err)
		}
		next := full()
		next.Timeout, next.Retry.MaxAttempts = 3*time.Second, 1
		next.Breaker = breaker.Config{MinCalls: 7}
		next.Hedge.Delay, next.Adaptive.Max, next.RateLimit.Rate = time.Minute, 50, 77
		if err := tr.Update(next); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err := to(t, tr, "http://b.example/")
		checkOurLimit(t, err)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
		for host, b := range tr.Breakers() {
			if b.Config().MinCalls != 7 {
				t.Errorf("%s has the old breaker", host)
			}
		}
		for host, a := range tr.Adaptive() {
			if a.Config().Max != 50 {
				t.Errorf("%s has the old limit", host)
			}
		}
		for host, h := range tr.Hedges() {
			if h.Config().Delay != time.Minute {
				t.Errorf("%s has the old hedge", host)
			}
		}
		if got := tr.Config(); !got.Equal(next) || tr.Retry().Config().MaxAttempts != 1 {
			t.Errorf("the configuration is %+v", got)
		}
	})
}

func TestAnUpdateOfAClientThatCannotBeChangesNothing(t *testing.T) {
	tr := httpx.NewTransport("test", full(), idle{})
	for name, change := range map[string]func(*httpx.ClientConfig){
		"not valid":   func(c *httpx.ClientConfig) { c.Timeout = -5 },
		"max hosts":   func(c *httpx.ClientConfig) { c.MaxHosts = 5 },
		"no hedge":    func(c *httpx.ClientConfig) { c.Hedge = nil },
		"no limit":    func(c *httpx.ClientConfig) { c.RateLimit = nil },
		"no adaptive": func(c *httpx.ClientConfig) { c.Adaptive = nil },
	} {
		cfg := full()
		cfg.AttemptTimeout = time.Minute
		change(&cfg)
		if err := tr.Update(cfg); err == nil || !tr.Config().Equal(full()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a file can say survives it, and what it can say differently is a difference.
func TestEveryFieldOfAClientCounts(t *testing.T) {
	cfg := full()
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var read httpx.ClientConfig
	if err := json.Unmarshal(text, &read); err != nil || !read.Equal(cfg) {
		t.Errorf("read back as %+v, %v", read, err)
	}
	for name, change := range map[string]func(*httpx.ClientConfig){
		"timeout":          func(c *httpx.ClientConfig) { c.Timeout = time.Minute },
		"attempt timeout":  func(c *httpx.ClientConfig) { c.AttemptTimeout = time.Minute },
		"attempt span":     func(c *httpx.ClientConfig) { c.AttemptSpan = httpx.SpanEnd },
		"idle":             func(c *httpx.ClientConfig) { c.IdleTimeout = time.Minute },
		"retry":            func(c *httpx.ClientConfig) { c.Retry.MaxAttempts = 9 },
		"hedge":            func(c *httpx.ClientConfig) { c.Hedge.Delay++ },
		"hedge other conn": func(c *httpx.ClientConfig) { c.HedgeOtherConn = true },
		"breaker":          func(c *httpx.ClientConfig) { c.Breaker.MinCalls = 9 },
		"bulkhead":         func(c *httpx.ClientConfig) { c.Bulkhead.Limit = 9 },
		"adaptive":         func(c *httpx.ClientConfig) { c.Adaptive = nil },
		"rate limit":       func(c *httpx.ClientConfig) { c.RateLimit.Burst = 9 },
		"max hosts":        func(c *httpx.ClientConfig) { c.MaxHosts = 9 },
		"settle":           func(c *httpx.ClientConfig) { c.Settle = httpx.AtHeaders },
		"keys":             func(c *httpx.ClientConfig) { c.Keys = httpx.BareKeys },
		"replay":           func(c *httpx.ClientConfig) { c.ReplayBuffer = 9 },
		"fields":           func(c *httpx.ClientConfig) { c.Fields.Attempt = "X" },
	} {
		other := full()
		change(&other)
		if cfg.Equal(other) || other.Equal(cfg) {
			t.Errorf("%s is no difference", name)
		}
	}
	defaults := httpx.NewTransport("test", httpx.ClientConfig{Registry: quiet()}, idle{}).Config()
	if !defaults.Equal(httpx.ClientConfig{}) {
		t.Error("the defaults differ from the zero value")
	}
	kinds := reflect.TypeFor[httpx.ClientConfig]().NumField()
	if kinds != 20 { // those above, HedgeIf, TrustPeer, Classify and Registry
		t.Errorf("%d fields: does Equal know all of them?", kinds)
	}
}

// Families of hosts are one member of the registry, with the sums of all that there were.
func TestHostsAreOneMemberOfTheRegistry(t *testing.T) {
	cfg := full()
	cfg.MaxHosts, cfg.RateLimit = 2, nil // whose keys that are not idle stay
	tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
		return response(200, ""), nil
	}))
	for _, host := range []string{"a", "b", "c", "d", "e"} {
		if code, err := to(t, tr, "http://"+host+".example/"); code != 200 || err != nil {
			t.Fatal(code, err)
		}
	}
	found := map[string]seawall.Snapshot{}
	for _, s := range cfg.Registry.Snapshots() {
		found[s.Kind] = s
	}
	if s := found["hedge"]; value(s, "calls.primary") != 5 || len(s.Members) != 2 || value(s, "members") != 2 {
		t.Errorf("%+v", s)
	}
	if s := found["bulkhead"]; value(s, "outcomes.success") != 5 || len(s.Members) != 2 || value(s, "active") != 0 {
		t.Errorf("%+v", s)
	}
}

func value(s seawall.Snapshot, name string) float64 {
	for _, v := range s.Values {
		if v.Name == name {
			return v.V
		}
	}
	return -1
}
