package lifecycle_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/lifecycle"
)

// diary is what has happened, and when, in seconds since the signal.
type diary struct {
	mu     sync.Mutex
	begun  time.Time
	events []string
}

func (d *diary) write(event string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, event+" "+time.Since(d.begun).String())
}

// part stops within takes of being asked to.
func (d *diary) part(name string, stage lifecycle.Stage, takes time.Duration) lifecycle.Part {
	return lifecycle.Part{
		Name: name, Stage: stage,
		Run: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(takes)
			d.write(name + " ended")
			return nil
		},
		Drain: func() { d.write(name + " drained") },
		Kill:  func() { d.write(name + " killed") },
	}
}

func config() lifecycle.Config {
	registry := new(seawall.Registry)
	registry.SetLogger(slog.New(slog.DiscardHandler))
	return lifecycle.Config{Registry: registry, Signals: []os.Signal{}}
}

// run runs parts for a minute of virtual time, and then ends them as a signal would.
func (d *diary) run(t *testing.T, cfg lifecycle.Config, parts ...lifecycle.Part) (lifecycle.Report, error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer time.AfterFunc(time.Minute, func() {
		d.mu.Lock()
		d.begun = time.Now()
		d.mu.Unlock()
		cancel(errors.New("asked to"))
	}).Stop()
	return lifecycle.Run(ctx, cfg, parts...)
}

func TestPartsEndInTheOrderInWhichNothingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		cfg := config()
		cfg.Health = health.New("test", health.Config{Registry: cfg.Registry, OnChange: func(c health.Change) {
			if c.ToPhase == health.Draining && c.FromPhase != c.ToPhase {
				d.write("not ready")
			}
		}})
		report, err := d.run(t, cfg,
			lifecycle.Flush("telemetry", func(context.Context) error { d.write("flushed"); return nil }),
			d.part("relay", lifecycle.Working, 2*time.Second),
			d.part("api", lifecycle.Serving, 3*time.Second),
			d.part("feed", lifecycle.Serving, time.Second))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"not ready 0s", "relay drained 0s", "api drained 0s", "feed drained 0s",
			"feed ended 6s", "api ended 8s", "relay ended 10s", "flushed 10s",
		}
		if !slices.Equal(d.events, want) {
			t.Errorf("it was\n%q, want\n%q", d.events, want)
		}
		if want := (lifecycle.Report{Cause: "asked to", Drain: 5 * time.Second, Servers: 3 * time.Second, Workers: 2 * time.Second}); report.Cause != want.Cause ||
			report.Drain != want.Drain || report.Servers != want.Servers || report.Workers != want.Workers || report.Cut != nil {
			t.Errorf("the report is %+v", report)
		}
	})
}

func TestStuckPartIsCutOffAndTheRestStillEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		release := make(chan struct{})
		stuck := d.part("stuck", lifecycle.Serving, 0)
		stuck.Run = func(context.Context) error { <-release; return nil }
		worker := d.part("worker", lifecycle.Working, 0)
		report, err := d.run(t, config(), stuck, worker,
			lifecycle.Flush("telemetry", func(context.Context) error { d.write("flushed"); return nil }))
		close(release)
		if err != nil || !slices.Equal(report.Cut, []string{"stuck"}) {
			t.Errorf("%+v, %v", report, err)
		}
		if want := []string{"stuck killed 25s", "worker ended 25.5s", "flushed 25.5s"}; !slices.Equal(d.events[2:], want) {
			t.Errorf("it was %q, want %q", d.events[2:], want)
		}
		synctest.Wait()
	})
}

func TestFailureOfOnePartEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bang := errors.New("bang")
		for name, run := range map[string]func(context.Context) error{
			"error": func(context.Context) error { time.Sleep(time.Second); return bang },
			"panic": func(context.Context) error { time.Sleep(time.Second); panic(bang) },
			"goexit": func(context.Context) error {
				time.Sleep(time.Second)
				runtime.Goexit()
				return nil
			},
		} {
			d := new(diary)
			report, err := lifecycle.Run(t.Context(), config(), lifecycle.Worker(name, run), d.part("api", lifecycle.Serving, 0))
			if err == nil || !strings.HasPrefix(err.Error(), name+": ") || !strings.HasPrefix(report.Cause, name+": ") {
				t.Errorf("%s: %+v, %v", name, report, err)
			}
			if name == "error" && !errors.Is(err, bang) {
				t.Errorf("%v is not the part's error", err)
			}
			if len(d.events) != 2 {
				t.Errorf("%s: the other part: %q", name, d.events)
			}
		}
	})
}

func TestPartThatHasDoneItsWorkEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		began := time.Now()
		_, err := d.run(t, config(), lifecycle.Worker("once", func(context.Context) error { return nil }), d.part("api", lifecycle.Serving, 0))
		if took := time.Since(began); err != nil || took != 65*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		report, err := lifecycle.Run(t.Context(), config(), lifecycle.Worker("once", func(context.Context) error { return nil }))
		if err != nil || report.Cause != "all parts have ended" || report.Drain != 0 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

func TestNobodyWaitsForTheDrainDelayWithoutAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		report, err := d.run(t, config(), d.part("relay", lifecycle.Working, 0))
		if err != nil || report.Drain != 0 || report.Workers != 0 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

func TestErrorsOfStopAndFlushAreReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		full := errors.New("disk full")
		part := d.part("api", lifecycle.Serving, 0)
		part.Stop = func(context.Context) error { return full }
		_, err := d.run(t, config(), part, lifecycle.Flush("telemetry", func(context.Context) error { panic("ouch") }))
		if !errors.Is(err, full) || !strings.Contains(err.Error(), "telemetry: stop: panic: ouch") {
			t.Errorf("%v", err)
		}
	})
}

func TestConfigOutOfRangeIsRefused(t *testing.T) {
	for want, cfg := range map[string]lifecycle.Config{
		"DrainDelay is -2s":    {DrainDelay: -2 * time.Second},
		"StopTimeout is 3s":    {StopTimeout: 3 * time.Second},
		"StopTimeout is -1ns":  {StopTimeout: -1},
		"FlushTimeout is 1ns":  {FlushTimeout: 1},
		"which is 1m0s, and a": {DrainDelay: time.Minute},
	} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if err := (lifecycle.Config{DrainDelay: lifecycle.NoDelay}).Validate(); err != nil {
		t.Error(err)
	}
}

// On a real socket: while it drains, the server answers, and sends its clients elsewhere.
func TestHTTPServerGoesOnServingWhileItDrains(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config()
	cfg.DrainDelay = 2 * time.Second
	cfg.Health = health.New("test", health.Config{Registry: cfg.Registry})
	mux := http.NewServeMux()
	mux.Handle("/readyz", cfg.Health.Handler())
	begun, release := make(chan struct{}), make(chan struct{})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-release
		_, _ = io.WriteString(w, "whole")
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type result struct {
		report lifecycle.Report
		err    error
	}
	ended := make(chan result, 1)
	go func() {
		report, err := lifecycle.Run(ctx, cfg, lifecycle.HTTP("api", &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}, listener))
		ended <- result{report, err}
	}()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	url := "http://" + listener.Addr().String()
	fetch := func(path string) (int, bool, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return 0, false, ""
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		return resp.StatusCode, resp.Close, string(body)
	}
	for { // ready once the first round of health is through
		code, closes, _ := fetch("/readyz")
		if closes {
			t.Fatal("the connection is closed before the end")
		}
		if code == http.StatusOK {
			break
		}
	}
	slow := make(chan string, 1)
	go func() {
		_, _, body := fetch("/slow")
		slow <- body
	}()
	<-begun
	cancel()
	for code := 0; code != http.StatusServiceUnavailable; { // until it has noticed
		var closes bool
		if code, closes, _ = fetch("/readyz"); code == http.StatusServiceUnavailable && !closes {
			t.Error("an answer while draining does not close its connection")
		}
		if code == 0 {
			t.Error("it has stopped to serve before it was seen to drain")
			break
		}
	}
	close(release)
	if body := <-slow; body != "whole" {
		t.Errorf("the request that was under way got %q", body)
	}
	if r := <-ended; r.err != nil || len(r.report.Cut) > 0 || r.report.Drain < cfg.DrainDelay {
		t.Errorf("%+v", r)
	}
}
