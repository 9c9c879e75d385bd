package telemetry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/telemetry"
)

// program returns the path of a program that the test needs; without it the test is skipped, or fails where nothing may
// be skipped.
func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", names[0])
	}
	t.Skipf("%s is not installed", names[0])
	return ""
}

// server is a Prometheus that scrapes each second.
type server struct {
	t   *testing.T
	url string
}

func startPrometheus(t *testing.T, targets ...string) *server {
	t.Helper()
	path := program(t, "prometheus")
	folder := t.TempDir()
	config := filepath.Join(folder, "prometheus.yml")
	list, err := json.Marshal(targets)
	if err != nil {
		t.Fatal(err)
	}
	yaml := fmt.Sprintf("scrape_configs: [{job_name: shop, scrape_interval: 1s, static_configs: [{targets: %s}]}]\n", list)
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, //nolint:gosec // the program that was looked up
		"--config.file="+config, "--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+address)
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("prometheus:\n%s", log.String())
		}
	})
	s := &server{t, "http://" + address}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/-/ready", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return s
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("prometheus does not become ready")
		}
	}
}

// series returns how many series a query returns.
func (s *server) series(query string) int {
	s.t.Helper()
	body := fetch(s.t, http.DefaultClient, http.MethodGet, s.url+"/api/v1/query?query="+url.QueryEscape(query))
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		s.t.Fatalf("%s: %v: %s", query, err, body)
	}
	if answer.Status != "success" {
		s.t.Fatalf("%s: %s", query, answer.Error)
	}
	return len(answer.Data.Result)
}

// exported is the name of an instrument in Prometheus.
func exported(i telemetry.Instrument) string {
	name := strings.ReplaceAll(i.Name, ".", "_")
	if i.Unit == "s" {
		name += "_seconds"
	}
	switch i.Type {
	case telemetry.Counter:
		name += "_total"
	case telemetry.Histogram:
		name += "_bucket"
	case telemetry.UpDownCounter, telemetry.Gauge:
	}
	return name
}

// notHere are the instruments that no policy of these modules fills yet: a shared rate limit brings the first.
var notHere = map[string]bool{"seawall.ratelimit.local_fallback": true}

func TestPrometheusHasEveryInstrumentAndTheDashboardIsNotEmpty(t *testing.T) {
	shop := open(t)
	shop.serve(t)
	prometheus := startPrometheus(t, shop.admin.Listener.Addr().String())

	missing := func() (all []string) {
		for _, i := range telemetry.Instruments() {
			if !notHere[i.Name] && prometheus.series(exported(i)) == 0 {
				all = append(all, exported(i))
			}
		}
		for title, queries := range dashboard(t) {
			for _, q := range queries { // each: beside one that has series, a misspelt one looks well
				if !isDemos(q) && prometheus.series(q) == 0 {
					all = append(all, fmt.Sprintf("panel %q: %q", title, q))
				}
			}
		}
		return all
	}
	var last []string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Second) {
		shop.serve(t) // rates need something that goes on
		if last = missing(); len(last) == 0 {
			return
		}
	}
	t.Errorf("missing in Prometheus:\n%s", strings.Join(last, "\n"))
}

// isDemos reports whether a query is for what only the demo exports, which has customers to count.
func isDemos(query string) bool { return strings.Contains(query, "boxoffice_") }

// dashboard returns the queries of the dashboard's panels and annotations, by title, as they are when all is selected.
func dashboard(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../demo/grafana/dashboards/seawall.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Annotations struct {
			List []struct{ Name, Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	filled := strings.NewReplacer("$__rate_interval", "10s", "$name", ".*")
	queries := map[string][]string{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			queries[p.Title] = append(queries[p.Title], filled.Replace(target.Expr))
		}
	}
	for _, a := range d.Annotations.List {
		queries["annotation "+a.Name] = append(queries["annotation "+a.Name], filled.Replace(a.Expr))
	}
	if len(queries) < 20 {
		t.Fatalf("the dashboard has only %d panels with queries", len(queries))
	}
	return queries
}
