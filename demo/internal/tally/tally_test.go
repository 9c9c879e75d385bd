package tally_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/tally"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// scrape returns the values of a scrape by series, as they are written.
func scrape(t *testing.T, of *tally.Tally) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	of.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	values := map[string]string{}
	for line := range strings.Lines(w.Body.String()) {
		if series, value, ok := strings.Cut(strings.TrimSpace(line), "} "); ok && !strings.HasPrefix(line, "#") {
			values[series+"}"] = value
		}
	}
	return values
}

// A rate needs a value from before: a series that comes with its first event hides that event.
func TestEverySeriesIsThereAtZero(t *testing.T) {
	got := scrape(t, tally.New("seawall", "plain"))
	for _, arm := range []string{"seawall", "plain"} {
		want := []string{`boxoffice_offered_total{arm="` + arm + `"}`}
		for _, g := range measure.Grades() {
			labels := `arm="` + arm + `",result="` + string(g) + `"`
			want = append(want, `boxoffice_arrivals_total{`+labels+`}`, `boxoffice_latency_seconds_count{`+labels+`}`,
				`boxoffice_latency_seconds_bucket{`+labels+`,le="0.25"}`, `boxoffice_latency_seconds_bucket{`+labels+`,le="0.5"}`)
		}
		for _, series := range want {
			if got[series] != "0" {
				t.Errorf("%s is %q, want 0", series, got[series])
			}
		}
	}
}

func TestWhatIsCountedIsOfItsArmAndResult(t *testing.T) {
	counts := tally.New("seawall", "plain")
	var customers sync.WaitGroup
	for range 100 {
		customers.Go(func() {
			counts.Arm("seawall").Offered()
			counts.Arm("plain").Offered()
			counts.Arm("seawall").Ended(measure.Good, 250*time.Millisecond)
			counts.Arm("plain").Ended(measure.Failed, 5*time.Second)
		})
	}
	customers.Wait()
	counts.Arm("plain").Offered()
	got := scrape(t, counts)
	for series, want := range map[string]string{
		`boxoffice_offered_total{arm="seawall"}`:                                    "100",
		`boxoffice_offered_total{arm="plain"}`:                                      "101",
		`boxoffice_arrivals_total{arm="seawall",result="good"}`:                     "100",
		`boxoffice_arrivals_total{arm="seawall",result="failed"}`:                   "0",
		`boxoffice_arrivals_total{arm="plain",result="failed"}`:                     "100",
		`boxoffice_latency_seconds_bucket{arm="seawall",result="good",le="0.2"}`:    "0",
		`boxoffice_latency_seconds_bucket{arm="seawall",result="good",le="0.25"}`:   "100",
		`boxoffice_latency_seconds_bucket{arm="plain",result="failed",le="4"}`:      "0",
		`boxoffice_latency_seconds_bucket{arm="plain",result="failed",le="5"}`:      "100",
		`boxoffice_latency_seconds_sum{arm="plain",result="failed"}`:                "500",
		`boxoffice_latency_seconds_bucket{arm="plain",result="refused",le="+Inf"}`:  "0",
		`boxoffice_latency_seconds_bucket{arm="seawall",result="wrong",le="+Inf"}`:  "0",
		`boxoffice_latency_seconds_bucket{arm="seawall",result="good",le="+Inf"}`:   "100",
		`boxoffice_latency_seconds_bucket{arm="seawall",result="too_old",le="0.1"}`: "0",
	} {
		if got[series] != want {
			t.Errorf("%s is %q, want %s", series, got[series], want)
		}
	}
}

func TestNobodyIsCountedWithoutATally(t *testing.T) {
	var none *tally.Tally
	none.Arm("seawall").Offered()
	none.Arm("seawall").Ended(measure.Good, time.Second)
	tally.New("plain").Arm("seawall").Offered()
}

func TestCountingAllocatesNothing(t *testing.T) {
	arm := tally.New("seawall").Arm("seawall")
	if n := testing.AllocsPerRun(100, func() {
		arm.Offered()
		arm.Ended(measure.Slow, time.Second)
	}); n > 0 {
		t.Errorf("%v allocations for a request", n)
	}
}
