package telemetry_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpcache"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry"
	"github.com/seawall-go/seawall/timeout"
)

// oneOfEachKind returns a policy of every kind that has metrics, all in the registry. Those of the adapters are in the module
// conformance.
func oneOfEachKind(t *testing.T, r *seawall.Registry) []any {
	t.Helper()
	shop := health.New("p", health.Config{Registry: r})
	for i := range 40 {
		if err := shop.Add(health.Check{Name: fmt.Sprint("check", i), Run: pass}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("../fault/testdata/plan.json") // with every kind of a fault
	if err != nil {
		t.Fatal(err)
	}
	var plan fault.Plan
	if err := json.Unmarshal(text, &plan); err != nil {
		t.Fatal(err)
	}
	return []any{
		shop,
		breaker.New("p", breaker.Config{Registry: r}), retry.New("p", retry.Config{Registry: r}),
		bulkhead.New("p", bulkhead.Config{Registry: r}), bulkhead.NewAdaptive("q", bulkhead.AdaptiveConfig{Registry: r}),
		timeout.New("p", timeout.Config{Limit: time.Second, Registry: r}), hedge.New("p", hedge.Config{Delay: time.Second, Registry: r}),
		ratelimit.New("p", ratelimit.Config{Rate: 1, Registry: r}), ratelimit.NewThrottle("p", ratelimit.ThrottleConfig{Registry: r}),
		degrade.NewFallback("p", degrade.FallbackConfig{Func: degrade.Value(1), Registry: r}),
		degrade.NewBrownout("p", degrade.BrownoutConfig{Signal: func() float64 { return 0 }, Registry: r}),
		degrade.NewGather("p", degrade.GatherConfig{Registry: r}),
		cache.New("p", cache.Config[int, int]{Load: func(context.Context, int) (int, error) { return 0, nil }, Registry: r}),
		httpcache.New("p", httpcache.Config{Registry: r}, http.DefaultTransport),
		fault.New("p", fault.Config{Plan: plan, AllowHeaders: true, Registry: r}),
	}
}

// mostSeries is how many series a policy may have. The exceptions are those of the package comment, "Bounds".
func mostSeries(kind string) int {
	switch kind {
	case "check":
		return 3 // of each of the 32 that a health exports at the most: its statuses
	case "fault":
		return 36 // 2 for each of the 18 kinds that a plan can have
	}
	return 32
}

func TestNoPolicyHasMoreThan32Series(t *testing.T) {
	b := start(t, telemetry.Config{})
	all := oneOfEachKind(t, b.registry)
	type owner struct{ kind, name string }
	counts, checks, seen := map[owner]int{}, 0, map[string]bool{}
	for id := range b.collect() {
		instrument, list, _ := strings.Cut(strings.TrimSuffix(id, "}"), "{")
		seen[instrument] = true
		who := owner{kind: strings.Split(instrument, ".")[1]}
		for a := range strings.SplitSeq(list, ",") {
			switch key, v, _ := strings.Cut(a, "="); {
			case key == "kind":
				who.kind = v
			case key == "name" && who.kind != "check":
				who.name = v
			case key == "check" && v != "":
				who = owner{"check", v}
			}
		}
		counts[who]++
	}
	for who, n := range counts {
		if who.kind == "check" {
			checks++
		}
		if n > mostSeries(who.kind) {
			t.Errorf("%v has %d series, want %d at most", who, n, mostSeries(who.kind))
		}
	}
	if checks != 32 {
		t.Errorf("the health exports %d of its 40 checks, want 32", checks)
	}
	for _, s := range b.registry.Snapshots() {
		if counts[owner{s.Kind, s.Name}] == 0 {
			t.Errorf("nothing is exported of %s %q", s.Kind, s.Name)
		}
	}
	for _, i := range telemetry.Instruments() {
		kind := strings.Split(i.Name, ".")[1]
		if i.Type == telemetry.Histogram || kind == "idempotency" || kind == "server" {
			continue // histograms are told of calls, and the others are of adapters
		}
		if !seen[i.Name] && i.Name != "seawall.ratelimit.local_fallback" { // nothing has a shared store here
			t.Errorf("no policy of this test has %s", i.Name)
		}
	}
	runtime.KeepAlive(all)
}
