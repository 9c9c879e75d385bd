package arm_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/arm"
	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/verdict"
	"github.com/seawall-go/seawall/demo/internal/wire"
	"github.com/seawall-go/seawall/fault"
)

func build(t *testing.T, cfg arm.Config, kind string) runner.Arm {
	t.Helper()
	registries := new(runner.Registries)
	a, err := arm.NewBuilder(cfg)(t.Context(), runner.Options{
		Name: kind, Kind: kind, Seed: 1, Scene: scene.Scene{SLO: measure.DefaultSLO()},
		Faults: fault.New("none", fault.Config{Registry: registries.Of(scene.Inventory)}), Registries: registries,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// order asks the arm to hold seats, on whatever wire and databases it has.
func order(t *testing.T, a runner.Arm, id string) load.Answer {
	t.Helper()
	show := a.House()[0]
	return a.Do(t.Context(), load.Request{N: 1, Kind: load.Hold, Performance: show.ID, Seats: show.Seats[:2], Order: id})
}

func TestArmsServeOnRealSocketsAndFiles(t *testing.T) {
	for _, kind := range verdict.Kinds() {
		t.Run(kind, func(t *testing.T) {
			a := build(t, arm.Config{Wire: wire.TCP{}}, kind)
			defer func() {
				if err := a.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			for _, id := range []string{"first", "first"} {
				if got := order(t, a, id); !got.Valid || got.Conflict {
					t.Fatalf("order %q: %+v", id, got)
				}
			}
			if got := order(t, a, "second"); !got.Conflict {
				t.Fatalf("the same seats again: %+v", got)
			}
			ledger, err := a.Ledger(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(ledger.Claims) != 2 || len(ledger.Events) != 2 || ledger.Claims[0].Order != "first" {
				t.Errorf("ledger %+v", ledger)
			}
			// The inventory of the plain arm knows the order again; the gateway of the other one does not even ask it.
			asked := map[string]uint64{verdict.Seawall: 2, verdict.Plain: 3, verdict.NoRetry: 3}[kind]
			s := a.Status()
			if s.Calls != asked || s.Attempts != asked || s.Draws != asked {
				t.Errorf("status %+v, want %d calls", s, asked)
			}
			if (len(s.Gates) > 0) != (kind == verdict.Seawall) {
				t.Errorf("gates %+v", s.Gates)
			}
		})
	}
}

func TestArmShowsItsSettingsAndMarksDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := build(t, arm.Config{Wire: new(wire.Memory), InMemory: true}, verdict.Seawall)
		defer func() { _ = a.Close(context.Background()) }()
		found := map[string]string{}
		for _, s := range a.Settings() {
			value := s.Value
			if s.Default {
				value += " (default)"
			}
			found[s.Of+" "+s.Name] = value
		}
		for setting, want := range map[string]string{
			`admission of handler "inventory" Algorithm`:    "aimd",
			`admission of handler "inventory" AIMD.Timeout`: "250ms",
			`admission of handler "inventory" AIMD.Backoff`: "0.9 (default)",
			`admission of handler "inventory" Queue.Limit`:  "256 (default)",
			`admission of handler "gateway" Limit`:          "256",
			`admission of handler "gateway" Queue.Order`:    "fifo (default)",
			`httpx "inventory", breaker of a host OpenFor`:  "500ms",
			`httpx "inventory", breaker of a host MinCalls`: "20 (default)",
			`httpx "inventory", retry MaxAttempts`:          "3 (default)",
			`httpx "inventory", hedge of a host Cap.Ratio`:  "0.1 (default)",
			`brownout "seats" Sheddable.Enter`:              "0.25",
			`brownout "seats" Recover`:                      "5s (default)",
			`idempotency "holds" Keep`:                      "5s",
			`idempotency "holds" Field`:                     "Idempotency-Key (default)",
			`quota of handler "gateway" Rate`:               "10",
			`quota of handler "gateway" Burst`:              "20",
		} {
			if found[setting] != want {
				t.Errorf("%s: %q, want %q", setting, found[setting], want)
			}
		}
	})
}

func TestBuilderRefusesAKindThatItDoesNotKnow(t *testing.T) {
	_, err := arm.NewBuilder(arm.Config{Wire: wire.TCP{}})(t.Context(), runner.Options{Kind: "fancy"})
	if err == nil || !strings.Contains(err.Error(), `"fancy"`) {
		t.Errorf("got %v", err)
	}
}

// One customer's script is told so, and no other customer and no policy takes notice.
func TestGatewayHasAQuotaForEachCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := build(t, arm.Config{Wire: new(wire.Memory), InMemory: true}, verdict.Seawall)
		defer func() { _ = a.Close(context.Background()) }()
		refused := 0
		for n := range 100 {
			script := a.Do(t.Context(), load.Request{N: uint64(n + 1), Kind: load.Catalog, Customer: 1})
			switch {
			case script.Status == http.StatusTooManyRequests && script.Pushback:
				refused++
			case !script.Valid:
				t.Fatalf("%+v", script)
			}
			if other := a.Do(t.Context(), load.Request{N: uint64(n + 1), Kind: load.Catalog, Customer: int64(n + 2)}); !other.Valid {
				t.Fatalf("another customer: %+v", other)
			}
		}
		if refused != 80 { // of 100 at one instant
			t.Errorf("%d of 100 requests of a customer were refused, want 80", refused)
		}
		if s := a.Status(); s.Open != 0 || s.Shed != 80 {
			t.Errorf("%+v", s)
		}
	})
}

// A customer who is impatient gets one hold, and is told to wait for it.
func TestGatewayHoldsOnceForAnImpatientCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := build(t, arm.Config{Wire: new(wire.Memory), InMemory: true}, verdict.Seawall)
		defer func() { _ = a.Close(context.Background()) }()
		first := make(chan load.Answer)
		go func() { first <- order(t, a, "first") }()
		time.Sleep(5 * time.Millisecond) // less than any service takes
		if again := order(t, a, "first"); again.Status != http.StatusConflict || !again.Pushback || again.Conflict {
			t.Errorf("while the first is at work: %+v", again)
		}
		held := <-first
		for range 3 {
			if again := order(t, a, "first"); !again.Valid || again.Status != held.Status {
				t.Errorf("afterwards: %+v, want what %+v was", again, held)
			}
		}
		if s := a.Status(); s.Draws != 1 || s.Calls != 1 || s.Open != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// The clock of the databases must not move with the machine's: it is the wall clock of the start plus the time since.
func TestArmClockRunsWithTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := build(t, arm.Config{Wire: new(wire.Memory), InMemory: true}, verdict.Plain)
		defer func() { _ = a.Close(context.Background()) }()
		begin := a.Now()
		time.Sleep(time.Minute)
		if passed := a.Now().Sub(begin); passed != time.Minute {
			t.Errorf("a minute took %v", passed)
		}
	})
}
