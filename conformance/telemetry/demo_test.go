package telemetry_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/telemetry"
)

// A Prometheus beside the demo, as it is started by people. It runs alone, as all that plays scenes in real time.
func TestPrometheusHasEveryInstrumentOfTheDemo(t *testing.T) {
	if os.Getenv("SEAWALL_REALTIME") != "1" {
		t.Skip("runs alone: SEAWALL_REALTIME=1 go test ./conformance/telemetry")
	}
	program(t, "prometheus")
	demo := filepath.Join(t.TempDir(), "boxoffice")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", demo, "github.com/seawall-go/seawall/demo").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), demo, //nolint:gosec // the program that was just built
		"-scenario", "brownout", "-for", "30s", "-report", t.TempDir())
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The first place that it tells of counts customers, the others are those of its services.
	var targets []string
	lines := bufio.NewScanner(out)
	place := regexp.MustCompile(`^ +http://([0-9.:]+)`)
	for len(targets) < 3 && lines.Scan() {
		if at := place.FindStringSubmatch(lines.Text()); at != nil {
			targets = append(targets, at[1])
		}
	}
	if len(targets) < 3 {
		t.Fatalf("the terminal names only %v", targets)
	}
	go func() { // ends with the demo
		for lines.Scan() {
		}
	}()
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}()
	prometheus := startPrometheus(t, targets...)
	unseen := demoQueries(t, targets[1:])
	for deadline := time.Now().Add(28 * time.Second); len(unseen) > 0 && time.Now().Before(deadline); time.Sleep(time.Second) {
		unseen = slices.DeleteFunc(unseen, func(q string) bool { return prometheus.series(q) > 0 })
	}
	if len(unseen) > 0 {
		t.Errorf("Prometheus had no series of the demo for:\n%s", strings.Join(unseen, "\n"))
	}
}

// demoQueries are queries that each return series at some time of the brownout: every instrument, some of them of each
// service; the panels and annotations of the dashboard; and what a brownout does to the policies.
func demoQueries(t *testing.T, services []string) (all []string) {
	t.Helper()
	for _, i := range telemetry.Instruments() {
		if notInTheDemo[i.Name] != "" {
			continue
		}
		all = append(all, exported(i))
		for _, target := range services {
			for _, each := range []string{"seawall.bulkhead.calls", "seawall.gate.mode", "seawall.health", "seawall.server"} {
				if strings.HasPrefix(i.Name, each) {
					all = append(all, fmt.Sprintf("%s{instance=%q}", exported(i), target))
				}
			}
		}
	}
	for title, queries := range dashboard(t) {
		switch {
		case isDemos(queries[0]): // each: both arms have customers
			for _, q := range queries {
				for _, arm := range []string{"seawall", "plain"} {
					all = append(all, fmt.Sprintf(`(%s) and on (arm) boxoffice_offered_total{arm=%q}`, q, arm))
				}
			}
		case notInTheDemo[title] == "":
			all = append(all, strings.Join(queries, " or "))
		}
	}
	return append(all,
		`boxoffice_arrivals_total{arm="seawall",result="good"} > 100`,
		`boxoffice_arrivals_total{arm="seawall",result="refused"} > 0`,
		`boxoffice_arrivals_total{arm="plain",result="failed"} > 0`,
		`seawall_breaker_state{seawall_breaker_state="open"} == 1`,
		`seawall_breaker_rejections_total{seawall_reason="open"} > 0`,
		`seawall_bulkhead_rejections_total > 0`,
		`seawall_cache_requests_total{seawall_result="stale"} > 0`,
		`seawall_cache_joined_total > 0`,
		`seawall_degrade_level > 0`,
		`seawall_degrade_served_total{seawall_source="stale"} > 0`,
		`seawall_fault_active > 0`,
		`seawall_fault_injections_total > 0`,
		`seawall_health_phase{seawall_phase="running"} == 1`,
		`seawall_health_status{seawall_check="",seawall_status="warn"} == 1`, // an open breaker is no reason to take no traffic
		`seawall_hedge_calls_total{seawall_result="hedge"} > 0`,
		`seawall_hedge_calls_total{seawall_result="primary"} > 0`,
		`seawall_idempotency_requests_total{seawall_result="new"} > 0`,
		`seawall_ratelimit_calls_total{seawall_result="allowed"} > 0`,
		`seawall_retry_calls_total{seawall_result="first_try"} > 0`,
		`seawall_timeout_calls_total{seawall_result="ended"} > 0`,
	)
}

// notInTheDemo are the instruments and panels that a brownout cannot show, and why.
var notInTheDemo = map[string]string{
	"seawall.bulkhead.latency.baseline": "the inventory's limit is by AIMD, which has no baseline",
	"Latency without load":              "as above",
	"seawall.ratelimit.local_fallback":  "the quota of one gateway needs no shared store",
}
