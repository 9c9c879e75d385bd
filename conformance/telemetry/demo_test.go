package telemetry_test

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/telemetry"
)

// A Prometheus beside the demo, as it is started by people. It runs alone, as all that plays scenes in real time.
func TestPrometheusScrapesEachServiceOfTheDemo(t *testing.T) {
	if os.Getenv("SEAWALL_REALTIME") != "1" {
		t.Skip("runs alone: SEAWALL_REALTIME=1 go test ./conformance/telemetry")
	}
	program(t, "prometheus")
	demo := filepath.Join(t.TempDir(), "boxoffice")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", demo, "github.com/seawall-go/seawall/demo").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), demo, //nolint:gosec // the program that was just built
		"-scenario", "brownout", "-arms", "seawall", "-for", "30s", "-report", t.TempDir())
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var targets []string
	lines := bufio.NewScanner(out)
	for len(targets) < 2 && lines.Scan() {
		if _, page, ok := strings.Cut(lines.Text(), "operations of "); ok {
			_, at, _ := strings.Cut(page, ": ")
			u, err := url.Parse(at)
			if err != nil {
				t.Fatal(err)
			}
			targets = append(targets, u.Host)
		}
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
	// The kinds that it uses. What the others export is tested with a program that has them all.
	used := []string{"breaker", "retry", "timeout", "bulkhead", "degrade.served", "gate.mode", "health", "fault", "server"}
	var missing []string
	for deadline := time.Now().Add(25 * time.Second); time.Now().Before(deadline); time.Sleep(time.Second) {
		missing = nil
		for _, target := range targets {
			for _, i := range telemetry.Instruments() {
				for _, kind := range used {
					if !strings.HasPrefix(i.Name, "seawall."+kind) || i.Name == "seawall.bulkhead.latency.baseline" {
						continue
					}
					if q := fmt.Sprintf("%s{instance=%q}", exported(i), target); prometheus.series(q) == 0 {
						missing = append(missing, q)
					}
				}
			}
		}
		if len(missing) == 0 {
			return
		}
	}
	t.Errorf("missing in Prometheus:\n%s", strings.Join(missing, "\n"))
}
