package lifecycle_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/lifecycle"
)

// A Stop that gives up when its time is over, as that of net/http does, is seen before or after that end; it is cut off
// either way, or its connections are left open.
func TestStopThatGivesUpIsCutOffWhicheverIsSeenFirst(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			var killed atomic.Int64
			part := func(name string, err func(context.Context) error) lifecycle.Part {
				return lifecycle.Part{
					Name: name, Stop: func(ctx context.Context) error { <-ctx.Done(); return err(ctx) }, Kill: func() { killed.Add(1) },
				}
			}
			report, err := new(diary).run(t, config(), part("a", context.Context.Err), part("b", context.Cause))
			slices.Sort(report.Cut)
			if err != nil || killed.Load() != 2 || !slices.Equal(report.Cut, []string{"a", "b"}) {
				t.Errorf("%+v, %v, killed %d times", report, err, killed.Load())
			}
		})
	}
}

func TestErrorThatOnlyLooksLikeATimeoutIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := new(diary).run(t, config(), lifecycle.Flush("telemetry", func(context.Context) error {
			return context.DeadlineExceeded // of the exporter's own
		}))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

func TestWorkerThatReturnsTheErrorOfItsContextHasNotFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, of := range []func(context.Context) error{context.Context.Err, context.Cause} {
			report, err := new(diary).run(t, config(), lifecycle.Worker("relay", func(ctx context.Context) error { <-ctx.Done(); return of(ctx) }))
			if err != nil || len(report.Cut) > 0 {
				t.Errorf("%+v, %v", report, err)
			}
		}
		report, err := lifecycle.Run(t.Context(), config(), lifecycle.Worker("relay", func(context.Context) error { return context.Canceled }))
		if !errors.Is(err, context.Canceled) || !strings.HasPrefix(report.Cause, "relay: ") {
			t.Errorf("one that nobody has stopped: %+v, %v", report, err)
		}
	})
}

// T3: hooks are the user's.
func TestHookThatPanicsOrHangsKeepsNobodyFromItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		d := new(diary)
		hangs, panics := d.part("hangs", lifecycle.Serving, time.Hour), d.part("panics", lifecycle.Serving, time.Hour)
		hangs.Drain = func() { <-release }
		hangs.Kill = func() { <-release }
		panics.Drain = func() { panic("drain") }
		panics.Kill = func() { panic("kill") }
		worker := d.part("worker", lifecycle.Working, 0)
		began := time.Now()
		report, err := d.run(t, config(), hangs, panics, worker, lifecycle.Flush("telemetry", func(context.Context) error { d.write("flushed"); return nil }))
		if err == nil {
			t.Fatal("no error")
		}
		for _, want := range []string{"hangs: drain: it does not return", "panics: drain: panic: drain", "panics: kill: panic: kill"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is missing in %v", want, err)
			}
		}
		d.mu.Lock()
		events := slices.Clone(d.events)
		d.mu.Unlock()
		if want := []string{"worker drained 500ms", "worker ended 25.5s", "flushed 25.5s"}; !slices.Equal(events, want) {
			t.Errorf("it was %q, want %q", events, want)
		}
		if took := time.Since(began) - time.Minute; took > 26*time.Second || !slices.Equal(report.Cut, []string{"hangs", "panics"}) {
			t.Errorf("%v, %+v", took, report)
		}
		time.Sleep(2 * time.Hour)
	})
}

// Kubernetes kills after 30 s.
func TestAllThatIsStuckIsOverWithin30Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stuck := func(context.Context) error { <-release; return nil }
		hang := func() { <-release }
		cfg := config()
		cfg.Health = health.New("test", health.Config{Registry: cfg.Registry, OnChange: func(c health.Change) {
			if c.ToPhase == health.Draining {
				<-release
			}
		}})
		if err := cfg.Health.Add(health.Check{Name: "db", Run: stuck}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		report, err := new(diary).run(t, cfg,
			lifecycle.Part{Name: "s", Run: stuck, Stop: stuck, Kill: hang, Drain: hang},
			lifecycle.Part{Name: "w", Stage: lifecycle.Working, Run: stuck, Stop: stuck, Kill: hang, Drain: hang},
			lifecycle.Part{Name: "f", Stage: lifecycle.Flushing, Run: stuck, Stop: stuck, Kill: hang, Drain: hang})
		if took := time.Since(began) - time.Minute; took > 30*time.Second {
			t.Errorf("it took %v", took)
		}
		if err == nil || len(report.Cut) != 4 || !strings.Contains(report.Cut[3], `health: checks that do not return: ["db"]`) {
			t.Errorf("%q, %v", report.Cut, err)
		}
		close(release)
		time.Sleep(time.Minute)
	})
}

func TestCheckThatHangsTakesNothingFromTheFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		cfg, d := config(), new(diary)
		cfg.Health = health.New("test", health.Config{Registry: cfg.Registry})
		err := cfg.Health.Add(health.Check{Name: "db", Run: func(context.Context) error { <-release; return nil }})
		if err != nil {
			t.Fatal(err)
		}
		report, err := d.run(t, cfg, lifecycle.Flush("telemetry", func(ctx context.Context) error {
			time.Sleep(1900 * time.Millisecond)
			d.write("flushed")
			return ctx.Err()
		}))
		if err != nil || len(report.Cut) != 1 || !slices.Equal(d.events, []string{"flushed 1.9s"}) {
			t.Errorf("%+v, %v, %q", report, err, d.events)
		}
		close(release)
		time.Sleep(time.Minute)
	})
}

type panicking struct{ slog.Handler }

func (panicking) Enabled(context.Context, slog.Level) bool  { return true }
func (panicking) Handle(context.Context, slog.Record) error { panic("no log") }

// T3
func TestLoggerThatPanicsKeepsNobodyFromItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, d := config(), new(diary)
		cfg.Registry.SetLogger(slog.New(panicking{slog.DiscardHandler}))
		if _, err := d.run(t, cfg, d.part("relay", lifecycle.Working, 0)); err != nil || len(d.events) != 2 {
			t.Errorf("%v, %q", err, d.events)
		}
	})
}

func TestRunWithoutPartsLastsUntilItIsToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		report, err := new(diary).run(t, config())
		if err != nil || report.Cause != "asked to" || time.Since(began) != time.Minute {
			t.Errorf("%+v, %v after %v", report, err, time.Since(began))
		}
	})
}

// fakeGRPC says, as a server of gRPC does, that it was stopped before it began to serve.
type fakeGRPC struct {
	stop chan struct{}
	once sync.Once
}

func (f *fakeGRPC) Serve(l net.Listener) error {
	time.Sleep(time.Millisecond)
	select {
	case <-f.stop:
		_ = l.Close()
		return errors.New("the server has been stopped")
	default:
	}
	<-f.stop
	return l.Close()
}
func (f *fakeGRPC) GracefulStop() { f.Stop() }
func (f *fakeGRPC) Stop()         { f.once.Do(func() { close(f.stop) }) }

func TestEndThatComesBeforeTheStartIsNoFailure(t *testing.T) {
	for range 20 {
		cfg := config()
		cfg.DrainDelay = lifecycle.NoDelay
		var listeners []net.Listener
		for range 2 {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			listeners = append(listeners, l)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("dead"))
		report, err := lifecycle.Run(ctx, cfg,
			lifecycle.HTTP("web", &http.Server{ReadHeaderTimeout: time.Second}, listeners[0]),
			lifecycle.GRPC("rpc", &fakeGRPC{stop: make(chan struct{})}, listeners[1], nil))
		if err != nil || report.Cause != "dead" || len(report.Cut) > 0 {
			t.Fatalf("%+v, %v", report, err)
		}
	}
}

func TestServerThatCannotAcceptEndsAll(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	d := new(diary)
	report, err := lifecycle.Run(t.Context(), config(),
		lifecycle.HTTP("web", &http.Server{ReadHeaderTimeout: time.Second}, closed), d.part("relay", lifecycle.Working, 0))
	if !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(report.Cause, "web: ") || len(d.events) != 2 {
		t.Errorf("%+v, %v, %q", report, err, d.events)
	}
}

// A hub of WebSockets is a part of its own: Shutdown of its HTTP server knows nothing of what was hijacked.
func TestHubSaysFarewellWhenTheServersStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(diary)
		report, err := d.run(t, config(), d.part("api", lifecycle.Serving, 0), lifecycle.Part{
			Name: "seats",
			Stop: func(context.Context) error { d.write("1012"); return nil },
			Kill: func() { d.write("killed") },
		})
		if err != nil || len(report.Cut) > 0 || !slices.Contains(d.events, "1012 5s") {
			t.Errorf("%+v, %v, %q", report, err, d.events)
		}
	})
}
