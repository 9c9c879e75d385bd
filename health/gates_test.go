package health_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
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

// A full bulkhead takes an instance out only where somebody has asked for that, later than it warns, and not all instances
// at once.
func TestFullBulkheadFailsReadinessOnlyWhereThatIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{FailWhenFull: []string{"stock"}, MaxHold: 20 * time.Second})
		if got := b.logged(); !strings.Contains(got, `seawall.health.fail_readiness name=test check="bulkhead stock" fall=6 risk=`) {
			t.Errorf("the risk is not named:\n%s", got)
		}
		stock := bulkhead.New("stock", bulkhead.Config{Limit: 1, Registry: b.registry})
		other := bulkhead.New("other", bulkhead.Config{Limit: 1, Registry: b.registry})
		fill := func(of *bulkhead.Bulkhead) *seawall.Permit {
			permit, err := of.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return &permit
		}
		defer fill(other).Done(nil)
		full := fill(stock)
		b.after(29 * time.Second)
		if r := b.report("/readyz"); r.Status != "warn" || len(r.Gates) != 2 {
			t.Errorf("full for 29 s: %+v", r)
		}
		b.after(26 * time.Second) // three times SaturatedAfter, MaxHold and a round
		b.answers("/readyz", 503)
		for _, g := range b.report("/readyz").Gates {
			if want := map[string]string{"stock": "fail", "other": "warn"}[g.Name]; g.Status != want {
				t.Errorf("%s: %s, want %s", g.Name, g.Status, want)
			}
		}
		full.Done(nil)
		b.after(5 * time.Second)
		b.answers("/readyz", 200)

		if err := stock.SetMode(seawall.Shadow); err != nil { // it turns nobody away
			t.Fatal(err)
		}
		defer fill(stock).Done(nil)
		b.after(2 * time.Minute)
		b.answers("/readyz", 200)

		if err := stock.SetMode(seawall.Enforce); err != nil { // as the whole fleet does at one moment
			t.Fatal(err)
		}
		b.after(29 * time.Second)
		b.answers("/readyz", 200)
		b.after(26 * time.Second)
		b.answers("/readyz", 503)
	})
}

func TestInstancesThatAreFullLeaveOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []*bench
		for range 20 {
			b := start(t, health.Config{FailWhenFull: []string{"stock"}, Interval: time.Second})
			stock := bulkhead.New("stock", bulkhead.Config{Limit: 1, Registry: b.registry})
			permit, err := stock.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer permit.Done(nil)
			all = append(all, b)
		}
		left := map[time.Duration]int{}
		for at := range 62 {
			time.Sleep(time.Second)
			synctest.Wait()
			for _, b := range all {
				if b.Status() == health.Fail {
					left[time.Duration(at+1)*time.Second]++
				}
			}
		}
		if left[29*time.Second] != 0 || left[45*time.Second] == 0 || left[45*time.Second] == 20 || left[62*time.Second] != 20 {
			t.Errorf("the instances that have left, by time: %v", left)
		}
	})
}

// A family in a mode is one line, and not one for each key as well.
func TestModeOfAFamilyIsShownOnceAndThatOfAKeyAsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{})
		tenants := bulkhead.NewGroup("tenants", bulkhead.GroupConfig[string]{
			Registry: b.registry, Label: func(k string) string { return k }, Bulkhead: bulkhead.Config{Mode: seawall.Shadow},
		})
		for _, key := range []string{"a", "b", "c"} {
			_ = tenants.For(key)
		}
		if err := tenants.For("b").SetMode(seawall.ForcedOpen); err != nil {
			t.Fatal(err)
		}
		b.after(5 * time.Second)
		shown := map[string]string{}
		for _, g := range b.report("/readyz").Gates {
			shown[g.Name] = g.Note
		}
		if len(shown) != 2 || shown["tenants"] != "mode shadow" || shown["tenants[b]"] != "mode forced_open" {
			t.Errorf("shown are %v", shown)
		}
	})
}

// The snapshot of a family has the busiest keys, and one that is stuck is not busy.
func TestFullKeyThatItsFamilyDoesNotShowFailsReadinessAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{FailWhenFull: []string{"tenants[stuck]", "tenants[nobody]"}, MaxHold: health.NoHold})
		tenants := bulkhead.NewGroup("tenants", bulkhead.GroupConfig[string]{
			Registry: b.registry, Label: func(k string) string { return k }, Bulkhead: bulkhead.Config{Limit: 1},
		})
		for range 3 {
			for key := range 40 {
				_ = tenants.For(fmt.Sprint(key)).Do(t.Context(), func(context.Context) error { return nil })
			}
		}
		permit, err := tenants.For("stuck").Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b.after(29 * time.Second)
		b.answers("/readyz", 200)
		b.after(6 * time.Second)
		b.answers("/readyz", 503)
		if r := b.report("/readyz"); len(r.Gates) != 1 || r.Gates[0].Name != "tenants[stuck]" || r.Gates[0].Status != "fail" {
			t.Errorf("%+v", r.Gates)
		}
		for _, m := range tenants.Snapshot().Members {
			if m.Name == "tenants[stuck]" {
				t.Error("the family shows it by itself")
			}
		}
		permit.Done(nil)
		b.after(5 * time.Second)
		b.answers("/readyz", 200)
		b.after(2 * time.Minute)
		if r := b.report("/readyz"); r.Status != "pass" {
			t.Errorf("a key that may still come: %+v", r)
		}
		runtime.KeepAlive(tenants) // the registry does not
	})
}

// hosts is a family without keys, which says nothing but that.
type hosts struct{ name string }

func (h *hosts) Snapshot() seawall.Snapshot {
	return seawall.Snapshot{Kind: "bulkhead", Name: h.name, Values: []seawall.Value{{Name: "members"}}}
}

// A name that is misspelled would leave the instance in service however full it is, and say nothing.
func TestNameInFailWhenFullThatNoBulkheadHasIsAWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{FailWhenFull: []string{
			"stock", "stok", "stok", "psp", "tenants[acme]", "adaptive[acme]", "nobody[acme]", "users[acme]",
		}})
		label := func(k string) string { return k }
		keep := []any{
			bulkhead.New("stock", bulkhead.Config{Registry: b.registry}),
			breaker.New("psp", breaker.Config{Registry: b.registry}), // which is never full
			bulkhead.NewGroup("tenants", bulkhead.GroupConfig[string]{Registry: b.registry, Label: label}),
		}
		adaptive := &hosts{"adaptive"}
		seawall.Register(b.registry, "bulkhead", &adaptive.name, adaptive)
		users := bulkhead.NewGroup("users", bulkhead.GroupConfig[string]{Registry: b.registry}) // without labels
		_ = users.For("acme")
		b.told()
		b.after(59 * time.Second)
		if r := b.report("/readyz"); r.Status != "pass" {
			t.Errorf("after 59 s: %+v", r)
		}
		b.after(6 * time.Second)
		b.answers("/readyz", 200)
		var names []string
		for _, g := range b.report("/readyz").Gates {
			names = append(names, g.Name)
			if g.Status != "warn" || g.Note != "fail_when_full: no bulkhead has this name" {
				t.Errorf("%+v", g)
			}
		}
		if got := strings.Join(names, " "); got != "stok psp nobody[acme] users[acme]" {
			t.Errorf("warned of %s", got)
		}
		if got := strings.Join(b.told(), "; "); !strings.Contains(got, "bulkhead stok pass->warn") {
			t.Errorf("told %s", got)
		}
		keep = append(keep, bulkhead.New("stok", bulkhead.Config{Registry: b.registry}), adaptive)
		b.after(5 * time.Second)
		if got := strings.Join(b.told(), "; "); got != "bulkhead stok warn->pass" {
			t.Errorf("when there is one: told %s", got)
		}
		runtime.KeepAlive(keep)
		runtime.KeepAlive(users)
	})
}

// stored is a member with a shared store: a rate limit, a cache, the keys of requests.
type stored struct {
	kind, name string
	lost       bool
}

func (s *stored) Snapshot() seawall.Snapshot {
	snapshot := seawall.Snapshot{Kind: s.kind, Name: s.name}
	switch {
	case s.kind == "ratelimit" && s.lost:
		snapshot.Values = []seawall.Value{{Name: "local_fallback", V: 1}}
	case s.lost:
		snapshot.State = map[string]string{"cache": "l2_lost", "idempotency": "store_lost"}[s.kind]
	}
	return snapshot
}

// A lost store is told at once where an event says so, and fails nothing: they all work on without it.
func TestLostSharedStoreWarnsAtOnce(t *testing.T) {
	for kind, c := range map[string]struct{ event, back, note string }{
		"ratelimit":   {"seawall.ratelimit.shared_lost", "seawall.ratelimit.shared_restored", "the shared store is lost, the limit is local"},
		"idempotency": {"seawall.idempotency.store_lost", "seawall.idempotency.store_restored", "store lost"},
		"cache":       {"seawall.breaker.state_changed", "seawall.breaker.state_changed", "l2 lost"}, // its store's breaker
	} {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, health.Config{Interval: time.Hour})
			m := &stored{kind: kind, name: "x"}
			seawall.Register(b.registry, kind, &m.name, m)
			change := func(lost bool, event string) {
				m.lost = lost
				b.registry.Log(t.Context(), slog.LevelWarn, event, slog.String("name", "x"))
				b.after(time.Second)
			}
			change(true, c.event)
			b.answers("/readyz", 200)
			if r := b.report("/readyz"); r.Status != "warn" || len(r.Gates) != 1 || r.Gates[0].Note != c.note {
				t.Errorf("%s: %+v", kind, r)
			}
			change(false, c.back)
			if r := b.report("/readyz"); r.Status != "pass" || len(r.Gates) != 0 {
				t.Errorf("%s is back: %+v", kind, r)
			}
			runtime.KeepAlive(m)
		})
	}
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
