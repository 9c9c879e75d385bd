package telemetry_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/telemetry/debugpage"
)

// The page knows nothing of the adapters, and shows their configurations all the same.
func TestDebugPageMarksTheDefaultsOfTheAdapters(t *testing.T) {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	none := http.NotFoundHandler()
	origin := httptest.NewServer(none)
	defer origin.Close()
	client := httpx.NewClient("shop", httpx.ClientConfig{
		Registry: r, Adaptive: &bulkhead.AdaptiveConfig{Max: 7}, Hedge: &hedge.Config{Delay: time.Second},
	})
	defer client.CloseIdleConnections()
	fetch(t, client, http.MethodGet, origin.URL)
	all := []any{
		client,
		httpx.NewHandler("api", httpx.ServerConfig{TimeLimit: httpx.TimeLimitConfig{FirstByte: time.Second}, Registry: r}, none),
		httpx.Inbound("door", httpx.InboundConfig{Margin: time.Second, Registry: r})(none),
		httpx.TimeLimit("limit", httpx.TimeLimitConfig{Idle: time.Second, Registry: r})(none),
		httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, StoreTimeout: 3 * time.Second, Registry: r}),
		grpcx.NewServer("stock", grpcx.ServerConfig{Registry: r}),
		grpcx.NewClient("stock", grpcx.ClientConfig{Registry: r}),
	}
	page := debugpage.New(debugpage.Config{Registry: r})
	defer page.Close()
	shown := map[string]map[string]string{}
	for _, s := range r.Snapshots() {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/?format=json&kind="+s.Kind+"&name="+s.Name, http.NoBody))
		var facts struct {
			Settings []struct {
				Field, Value string
				Default      bool
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &facts); err != nil {
			t.Fatal(err)
		}
		set, defaults := map[string]string{}, 0
		for _, f := range facts.Settings {
			if f.Default {
				defaults++
			} else {
				set[f.Field] = f.Value
			}
		}
		if defaults == 0 {
			t.Errorf("%s %s: no field has its default: %v", s.Kind, s.Name, facts.Settings)
		}
		shown[s.Kind+" "+s.Name] = set
	}
	for policy, want := range map[string]map[string]string{
		"handler api":        {"time_limit.first_byte": "1s"},
		"inbound door":       {"margin": "1s"},
		"timelimit limit":    {"idle": "1s"},
		"idempotency orders": {"store_timeout": "3s"},
		"server stock":       {},
		"bulkhead shop":      {"max": "7"},
		"hedge shop":         {"delay": "1s"},
		"retry shop":         {},
		"timeout shop.total": {"limit": "30s"},
	} {
		if got, ok := shown[policy]; !ok || !maps.Equal(got, want) {
			t.Errorf("%s: set are %v, want %v", policy, got, want)
		}
	}
	runtime.KeepAlive(all)
}
