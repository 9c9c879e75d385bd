package health_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/health"
)

// Bug 5: an open breaker warns, at once and by its name, and takes nobody out.
func TestOpenBreakerWarnsAtOnceAndFailsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{Interval: time.Hour})
		psp := breaker.New("psp", breaker.Config{MinCalls: 4, OpenFor: 10 * time.Second, Registry: b.registry})
		b.told()
		for range 4 {
			_ = psp.Do(t.Context(), func(context.Context) error { return errDown })
		}
		b.answers("/readyz", 200)
		r := b.report("/readyz")
		if r.Status != "warn" || len(r.Gates) != 1 || r.Gates[0].Name != "psp" || !strings.HasPrefix(r.Gates[0].Note, "open for 0s, probes in ") {
			t.Errorf("%+v", r)
		}
		if got, want := b.told(), []string{"breaker psp pass->warn", "pass->warn"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

func TestGateThatHasRecoveredIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{})
		stock := bulkhead.New("stock", bulkhead.Config{Limit: 1, Registry: b.registry})
		permit, err := stock.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b.told()
		b.after(9 * time.Second)
		if r := b.report("/readyz"); r.Status != "pass" {
			t.Errorf("full for 9 s: %+v", r)
		}
		b.after(12 * time.Second)
		if r := b.report("/readyz"); r.Status != "warn" || !strings.HasPrefix(r.Gates[0].Note, "full for ") {
			t.Errorf("full for 21 s: %+v", r)
		}
		permit.Done(nil)
		b.after(5 * time.Second)
		if r := b.report("/readyz"); r.Status != "pass" || len(r.Gates) != 0 {
			t.Errorf("afterwards: %+v", r)
		}
		want := []string{"bulkhead stock pass->warn", "pass->warn", "bulkhead stock warn->pass", "warn->pass"}
		if got := b.told(); !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

func TestForcedModesAreAlwaysShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{})
		stock := bulkhead.New("stock", bulkhead.Config{Registry: b.registry})
		for mode, status := range map[seawall.Mode]string{
			seawall.Shadow: "pass", seawall.ForcedOpen: "warn", seawall.ForcedClosed: "pass", seawall.Off: "pass",
		} {
			if err := stock.SetMode(mode); err != nil {
				t.Fatal(err)
			}
			b.after(time.Second)
			r := b.report("/readyz")
			if len(r.Gates) != 1 || r.Gates[0].Note != "mode "+mode.String() || r.Gates[0].Status != status || r.Status != status {
				t.Errorf("%v: %+v", mode, r)
			}
		}
	})
}

func TestDegradedAnswersWarnWhileTheyAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{})
		prices := degrade.NewFallback("prices", degrade.FallbackConfig{
			Registry: b.registry,
			Func:     degrade.Value(1),
		})
		b.after(5 * time.Second)
		serve := func() {
			if _, err := seawall.Call(t.Context(), prices, func(context.Context) (int, error) { return 0, errDown }); err != nil {
				t.Fatal(err)
			}
		}
		serve() // the first is told from the next round on, when there is something to compare with
		b.after(5 * time.Second)
		serve()
		serve()
		b.after(5 * time.Second)
		if r := b.report("/readyz"); r.Status != "warn" || r.Gates[0].Note != "2 degraded answers" {
			t.Errorf("%+v", r)
		}
		b.after(5 * time.Second)
		if r := b.report("/readyz"); r.Status != "pass" {
			t.Errorf("%+v", r)
		}
	})
}

func TestGatesCanBeLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{IgnoreGates: true})
		stock := bulkhead.New("stock", bulkhead.Config{Registry: b.registry})
		if err := stock.SetMode(seawall.ForcedOpen); err != nil {
			t.Fatal(err)
		}
		b.after(time.Minute)
		if r := b.report("/readyz"); r.Status != "pass" || len(r.Gates) != 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestOverdueWatchdogFailsLivenessUntilItsNextBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{})
		w, err := b.Watchdog("loop", 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			b.after(9 * time.Second)
			w.Beat()
		}
		b.answers("/livez", 200)
		b.told()
		b.after(10 * time.Second)
		b.answers("/livez", 503)
		b.answers("/readyz", 200) // another question
		if r := b.report("/livez"); r.Watchdogs[0].Note != "no beat for 10s" || r.Status != "fail" {
			t.Errorf("%+v", r)
		}
		w.Beat()
		b.answers("/livez", 200)
		if got, want := b.told(), []string{"loop pass->fail", "loop fail->pass"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		b.after(10 * time.Second)
		b.answers("/livez", 503)
		w.Close()
		w.Close()
		b.answers("/livez", 200)
		if _, err := b.Watchdog("loop", time.Second); err != nil {
			t.Errorf("a closed watchdog's name is taken: %v", err)
		}
	})
}

func TestServicesAreReadyByTheirOwnChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk, mail switched
		b := start(t, health.Config{},
			health.Check{Name: "disk", Run: disk.run, Scope: health.Local},
			health.Check{Name: "mail", Run: mail.run})
		if err := b.AddService("orders.v1.Orders", "disk"); err != nil {
			t.Fatal(err)
		}
		if err := b.AddService("mail.v1.Mail", "mail"); err != nil {
			t.Fatal(err)
		}
		if err := b.AddService("x", "nothing"); err == nil {
			t.Error("a service of a check that is not there")
		}
		changes := 0
		defer b.OnChange(func() { changes++ })()
		disk.down.Store(true)
		mail.down.Store(true)
		b.after(15 * time.Second)
		want := map[string]bool{"": false, "orders.v1.Orders": false, "mail.v1.Mail": true}
		for name, serving := range b.Serving() {
			if want[name] != serving {
				t.Errorf("%q: %t", name, serving)
			}
		}
		if changes == 0 {
			t.Error("no change was told")
		}
		b.Drain()
		for name, serving := range b.Serving() {
			if serving {
				t.Errorf("%q is served by a program that drains", name)
			}
		}
	})
}

func TestHandlersAnswerWhatProbersExpect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{})
		for _, path := range []string{"/livez", "/readyz", "/startupz", "/admin/readyz", "/readyz?verbose=1&x=%zz"} {
			resp := get(b.Handler(), path)
			if resp.Code != 200 || resp.Body.String() != "{\"status\":\"pass\"}\n" || resp.Header().Get("Cache-Control") != "no-store" ||
				resp.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s: %d %q %v", path, resp.Code, resp.Body, resp.Header())
			}
		}
		if resp := get(b.Handler(), "/health"); resp.Code != http.StatusNotFound {
			t.Errorf("/health: %d", resp.Code)
		}
	})
}
