package httpx_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
)

func TestAServerIsReconfiguredWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log syncBuffer
		registry := new(seawall.Registry)
		registry.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
		cfg := httpx.ServerConfig{
			Registry:  registry,
			Inbound:   httpx.InboundConfig{TrustPeer: httpx.TrustAll},
			Admission: httpx.AdmissionConfig{Fixed: bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}}},
			Quotas: []httpx.QuotaConfig{{
				Limit: ratelimit.Config{Rate: 0.001, Burst: 100}, Key: httpx.KeyByField("X-Key"),
			}},
		}
		h := httpx.NewHandler("api", cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-r.Context().Done()
				return
			}
			ok(w, r)
		}))
		var first sync.WaitGroup
		first.Go(func() {
			start := time.Now()
			if w := serveOne(h, httptest.NewRequest("GET", "/slow", nil)); w.Code != 503 || time.Since(start) != 30*time.Second {
				t.Errorf("the request that was under way: %d after %v", w.Code, time.Since(start))
			}
		})
		synctest.Wait()
		if w := serveOne(h, httptest.NewRequest("GET", "/", nil)); w.Code != 503 {
			t.Errorf("a second request gets %d", w.Code)
		}

		next := cfg
		next.Inbound = httpx.InboundConfig{Margin: httpx.NoMargin} // as from a file: without functions
		next.Admission.Fixed.Limit = 3
		next.TimeLimit.FirstByte = time.Second
		next.HealthPaths = []string{"/up"}
		next.Quotas = []httpx.QuotaConfig{{Limit: ratelimit.Config{Rate: 0.001, Burst: 2}}}
		next.Degraded = httpx.DegradedTold
		if err := h.Update(next); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if w := serveOne(h, httptest.NewRequest("GET", "/slow", nil)); w.Code != 503 || time.Since(start) != time.Second {
			t.Errorf("with the new limit: %d after %v", w.Code, time.Since(start))
		}
		r := httptest.NewRequest("GET", "/slow", nil)
		r.Header.Set("X-Request-Timeout-Ms", "100")
		r.Header.Set("X-Key", "another")
		start = time.Now()
		if w := serveOne(h, r); w.Code != 503 || time.Since(start) != 100*time.Millisecond {
			t.Errorf("the trusted peer, without a margin: %d after %v", w.Code, time.Since(start))
		}
		codes := ""
		for range 3 { // two had come before, of which one was refused, and one is to come
			codes += fmt.Sprint(serveOne(h, httptest.NewRequest("GET", "/", nil)).Code, " ")
		}
		if codes != "429 429 429 " && codes != "200 429 429 " {
			t.Errorf("under the new quota: %s", codes)
		}
		if w := serveOne(h, httptest.NewRequest("GET", "/up", nil)); w.Code != 200 {
			t.Errorf("the new health path gets %d", w.Code)
		}
		if w := serveOne(h, httptest.NewRequest("GET", "/livez", nil)); w.Code != 429 {
			t.Errorf("the old health path gets %d", w.Code)
		}
		first.Wait()
		if got := h.Config(); !got.Equal(next) || got.Equal(cfg) || !got.Equal(h.Config()) {
			t.Errorf("in force is %+v", got)
		}
		for _, field := range []string{"inbound.margin", "quotas", "admission.fixed", "time_limit.first_byte", "health_paths", "degraded"} {
			if !strings.Contains(log.String(), field) {
				t.Errorf("the log does not tell of %s:\n%s", field, log.String())
			}
		}
	})
}

func TestAnUpdateThatCannotBeChangesNothing(t *testing.T) {
	cfg := httpx.ServerConfig{Registry: quiet(), Quotas: []httpx.QuotaConfig{{Limit: ratelimit.Config{Rate: 1}}}}
	h := httpx.NewHandler("api", cfg, http.HandlerFunc(ok))
	for want, change := range map[string]func(*httpx.ServerConfig){
		"httpx: ServerConfig.TimeLimit: httpx: TimeLimitConfig.Idle is 1ns": func(c *httpx.ServerConfig) { c.TimeLimit.Idle = 1 },
		"httpx: ServerConfig.Admission.Fixed.Limit is 7, want 0: the":       func(c *httpx.ServerConfig) { c.Admission.Fixed.Limit = 7 },
		"httpx: ServerConfig.Quotas have other names":                       func(c *httpx.ServerConfig) { c.Quotas = nil },
	} {
		next := cfg
		next.TimeLimit.FirstByte = time.Minute
		change(&next)
		if err := h.Update(next); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if !h.Config().Equal(cfg) {
			t.Errorf("in force is %+v", h.Config())
		}
	}
	if err := h.Update(cfg); err != nil {
		t.Error(err)
	}
}

// T19, T5: requests and updates at the same time.
func TestUpdatesAndRequestsMayRunBesideEachOther(t *testing.T) {
	cfg := httpx.ServerConfig{Registry: quiet(), Quotas: []httpx.QuotaConfig{{Limit: ratelimit.Config{Rate: 1e6}}}}
	h := httpx.NewHandler("api", cfg, http.HandlerFunc(ok))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 300 {
				if w := serveOne(h, httptest.NewRequest("GET", "/", nil)); w.Code != 200 {
					t.Errorf("got %d", w.Code)
				}
			}
		})
	}
	all.Go(func() {
		for i := range 100 {
			next := cfg
			next.TimeLimit.FirstByte = time.Duration(i+1) * time.Second
			if err := h.Update(next); err != nil {
				t.Error(err)
			}
			_ = h.Config()
		}
	})
	all.Wait()
}

func ExampleHandler_Update() {
	handler := httpx.NewHandler("api", httpx.ServerConfig{Registry: quiet()}, http.NotFoundHandler())
	cfg := handler.Config()
	cfg.TimeLimit.FirstByte = 5 * time.Second
	if err := handler.Update(cfg); err != nil {
		fmt.Println(err)
	}
	fmt.Println(handler.Config().TimeLimit.FirstByte)
	// Output: 5s
}
