package fault_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// quiet returns a registry of its own whose events go nowhere.
func quiet() *seawall.Registry {
	r := &seawall.Registry{}
	r.SetLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	return r
}

func newInjector(faults ...fault.Fault) *fault.Injector {
	return fault.New("test", fault.Config{Plan: fault.Plan{Seed: 1, Faults: faults}, Registry: quiet()})
}

// started returns an injector whose plan begins now and is stopped at the end of the test.
func started(t *testing.T, faults ...fault.Fault) *fault.Injector {
	t.Helper()
	i := newInjector(faults...)
	mustStart(t, i)
	return i
}

func mustStart(t *testing.T, i *fault.Injector) {
	t.Helper()
	if err := i.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Stop)
}

// until sleeps until a time since start, and lets every timer of that instant run.
func until(start time.Time, at time.Duration) {
	time.Sleep(time.Until(start.Add(at)))
	synctest.Wait()
}

func slow(at, lasts time.Duration, target string, factor float64) fault.Fault {
	return fault.Fault{At: at, For: lasts, Kind: fault.Slow, Target: target, Factor: factor}
}

func capacity(at, lasts time.Duration, target string, factor float64) fault.Fault {
	return fault.Fault{At: at, For: lasts, Kind: fault.Capacity, Target: target, Factor: factor}
}

func failing(at, lasts time.Duration, target string, rate float64) fault.Fault {
	return fault.Fault{At: at, For: lasts, Kind: fault.Error, Target: target, Rate: rate}
}

func latency(at, lasts time.Duration, target string, by time.Duration) fault.Fault {
	return fault.Fault{At: at, For: lasts, Kind: fault.Latency, Target: target, Latency: by}
}

// on is a fault of a kind that needs no parameter.
func on(kind fault.Kind, at, lasts time.Duration, target string) fault.Fault {
	return fault.Fault{At: at, For: lasts, Kind: kind, Target: target}
}

func nothing(context.Context) error { return nil }

// fewer is for a number of draws or rounds: a tenth of it under the race detector, which makes each of them slow and
// looks for something else.
func fewer(n int) int {
	if raceEnabled {
		return n / 10
	}
	return n
}
