package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
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
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry"
	"github.com/seawall-go/seawall/timeout"
)

var errDown = errors.New("down")

func fail(context.Context) error { return errDown }
func pass(context.Context) error { return nil }

func silent() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

func TestEveryKindExportsWhatItCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, telemetry.Config{})
		ctx, r := t.Context(), b.registry
		psp := breaker.New("psp", breaker.Config{MinCalls: 4, OpenFor: time.Minute, MaxOpenFor: time.Minute, Registry: r})
		for range 4 {
			_ = psp.Do(ctx, fail)
		}
		_ = psp.Do(ctx, pass) // rejected
		again := retry.New("again", retry.Config{MaxAttempts: 2, Registry: r})
		_ = again.Do(ctx, fail)
		_ = again.Do(ctx, pass)
		slots := bulkhead.New("slots", bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}, Registry: r})
		permit, err := slots.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = slots.Acquire(seawall.WithPriority(ctx, seawall.Sheddable))
		limit := timeout.New("limit", timeout.Config{Limit: time.Second, Registry: r})
		_ = limit.Do(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		rate := ratelimit.New("rate", ratelimit.Config{Rate: 1, Burst: 1, MaxWait: ratelimit.NoWait, Registry: r})
		_ = rate.Do(ctx, pass)
		_ = rate.Do(ctx, pass)
		second := hedge.New("second", hedge.Config{Registry: r})
		_ = second.Do(ctx, pass)
		copies := degrade.NewFallback("copies", degrade.FallbackConfig{Func: degrade.Value(1), Registry: r})
		_, _ = seawall.Call(ctx, copies, func(context.Context) (int, error) { return 0, errDown })
		if err := slots.SetMode(seawall.Shadow); err != nil {
			t.Fatal(err)
		}

		b.collect()
		b.want(map[string]float64{
			"seawall.breaker.state{breaker.state=open,name=psp}":                   1,
			"seawall.breaker.state{breaker.state=closed,name=psp}":                 0,
			"seawall.breaker.state{breaker.state=half_open,name=psp}":              0,
			"seawall.breaker.state{breaker.state=ramping,name=psp}":                0,
			"seawall.breaker.calls{name=psp,outcome=failure}":                      4,
			"seawall.breaker.calls{name=psp,outcome=success}":                      0,
			"seawall.breaker.rejections{name=psp,reason=open}":                     1,
			"seawall.breaker.transitions{breaker.state=open,name=psp}":             1,
			"seawall.retry.calls{name=again,result=exhausted}":                     1,
			"seawall.retry.calls{name=again,result=first_try}":                     1,
			"seawall.retry.attempts{name=again}":                                   3,
			"seawall.bulkhead.active{name=slots}":                                  1,
			"seawall.bulkhead.limit{name=slots}":                                   1,
			"seawall.bulkhead.pending{name=slots}":                                 0,
			"seawall.bulkhead.calls{admitted=false,name=slots,priority=sheddable}": 1,
			"seawall.bulkhead.calls{admitted=true,name=slots,priority=unasked}":    1,
			"seawall.bulkhead.calls{admitted=false,name=slots,priority=unasked}":   0,
			"seawall.bulkhead.rejections{name=slots,reason=full}":                  1,
			"seawall.timeout.calls{name=limit,result=expired}":                     1,
			"seawall.ratelimit.calls{name=rate,result=allowed}":                    1,
			"seawall.ratelimit.calls{name=rate,result=rejected}":                   1,
			"seawall.gate.rejections{kind=ratelimit,name=rate,reason=limited}":     1,
			"seawall.hedge.calls{name=second,result=primary}":                      1,
			"seawall.degrade.served{kind=fallback,name=copies,source=static}":      1,
			"seawall.gate.mode{kind=bulkhead,mode=shadow,name=slots}":              1,
			"seawall.gate.mode{kind=bulkhead,mode=enforce,name=slots}":             0,
			"seawall.gate.mode{kind=breaker,mode=enforce,name=psp}":                1,
			"seawall.gate.shadow_rejections{kind=bulkhead,name=slots}":             0,
		})
		permit.Done(nil)
		for _, keep := range []any{psp, again, slots, limit, rate, second, copies} {
			runtime.KeepAlive(keep)
		}
	})
}

// Alerts and dashboards know the reasons by one closed list, whatever a policy counts besides.
func TestReasonsAreTheClosedList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, telemetry.Config{})
		r, load := b.registry, 0.99
		optional := degrade.NewBrownout("optional", degrade.BrownoutConfig{Signal: func() float64 { return load }, Registry: r})
		users := ratelimit.NewGroup("users", ratelimit.GroupConfig[int]{
			MaxKeys: 1, Registry: r, Limiter: ratelimit.Config{Rate: 0.001, Burst: 1},
		})
		all := []any{
			optional, users, ratelimit.New("rate", ratelimit.Config{Rate: 1, Registry: r}),
			ratelimit.NewThrottle("mail", ratelimit.ThrottleConfig{Registry: r}), breaker.New("psp", breaker.Config{Registry: r}),
			bulkhead.New("slots", bulkhead.Config{Registry: r}), bulkhead.NewAdaptive("stock", bulkhead.AdaptiveConfig{Registry: r}),
		}
		shed := 0
		for range 20 {
			time.Sleep(time.Second)
			if optional.Do(seawall.WithPriority(t.Context(), seawall.Sheddable), pass) != nil {
				shed++
			}
		}
		for key := range 3 {
			_ = users.Do(t.Context(), key, pass)
		}
		b.collect()
		if shed == 0 {
			t.Error("the brownout sheds nothing")
		}
		b.want(map[string]float64{
			"seawall.gate.rejections{kind=brownout,name=optional,reason=shed}":  float64(shed),
			"seawall.gate.rejections{kind=ratelimit,name=users,reason=limited}": 2,
		})
		closed := []seawall.Reason{
			seawall.ReasonOpen, seawall.ReasonProbing, seawall.ReasonRamping, seawall.ReasonForced, seawall.ReasonFull, seawall.ReasonQueueFull,
			seawall.ReasonQueueTimeout, seawall.ReasonDeadline, seawall.ReasonShed, seawall.ReasonLimited, seawall.ReasonBudget,
			seawall.ReasonDraining, seawall.ReasonCanceled, seawall.ReasonSlowConsumer,
		}
		for id := range b.series {
			if _, reason, ok := strings.Cut(id, "reason="); ok {
				reason, _, _ = strings.Cut(strings.TrimSuffix(reason, "}"), ",")
				if !slices.Contains(closed, seawall.Reason(reason)) {
					t.Errorf("%s has a reason of its own", id)
				}
			}
		}
		runtime.KeepAlive(all)
	})
}

func TestHealthIsExportedByCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, telemetry.Config{})
		h := health.New("shop", health.Config{Registry: b.registry})
		if err := h.Add(health.Check{Name: "db", Run: fail, Severity: health.Optional}); err != nil {
			t.Fatal(err)
		}
		h.Start()
		synctest.Wait()
		b.collect()
		b.want(map[string]float64{
			"seawall.health.status{check=,name=shop,status=warn}":   1,
			"seawall.health.status{check=,name=shop,status=pass}":   0,
			"seawall.health.status{check=db,name=shop,status=warn}": 1,
			"seawall.health.phase{name=shop,phase=running}":         1,
			"seawall.health.phase{name=shop,phase=draining}":        0,
		})
		if err := h.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestFamilyExportsItsMembersAndTheRestAsOther(t *testing.T) {
	b := start(t, telemetry.Config{})
	hosts := breaker.NewGroup("psp", breaker.GroupConfig[string]{
		Registry: b.registry, Breaker: breaker.Config{MinCalls: 4}, Label: func(k string) string { return k },
	})
	for i := range 40 {
		for range 3 {
			_ = hosts.For(fmt.Sprint("h", i)).Do(t.Context(), pass)
		}
	}
	for range 4 {
		_ = hosts.For("h39").Do(t.Context(), fail)
	}
	total := func() (members int, sum float64) {
		for id, v := range b.collect() {
			if strings.HasPrefix(id, "seawall.breaker.calls{") && strings.Contains(id, "outcome=success") {
				sum += v
				if !strings.Contains(id, "key=_other") {
					members++
				}
			}
		}
		return members, sum
	}
	for range 3 { // a further collection changes nothing
		if members, sum := total(); members != 32 || sum != 120 {
			t.Fatalf("%d members, %v calls, want 32 and 120", members, sum)
		}
	}
	open := 0
	for id, v := range b.series {
		if strings.HasPrefix(id, "seawall.breaker.state{breaker.state=open") && v == 1 && strings.Contains(id, "key=h39") {
			open++
		}
	}
	if open != 1 {
		t.Errorf("the open one is not among those that are shown:\n%s", b.like("seawall.breaker.state{"))
	}
	before := b.series["seawall.breaker.calls{key=_other,name=psp,outcome=success}"]
	for i := range 40 {
		_ = hosts.For(fmt.Sprint("h", i)).Do(t.Context(), pass)
	}
	b.collect()
	if after := b.series["seawall.breaker.calls{key=_other,name=psp,outcome=success}"]; before != 24 || after != before+8 {
		t.Errorf("_other went from %v to %v, want 24 to 32", before, after)
	}
	runtime.KeepAlive(hosts)
}

func TestTooManyNamesAreFoldedIntoOneThatNeverDecreases(t *testing.T) {
	b := start(t, telemetry.Config{MaxNames: 3})
	var log bytes.Buffer
	b.registry.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	var all []*retry.Retry
	for i := range 10 {
		r := retry.New(fmt.Sprint("r", i), retry.Config{Registry: b.registry})
		all = append(all, r)
		_ = r.Do(t.Context(), pass)
	}
	b.collect()
	b.want(map[string]float64{
		"seawall.retry.calls{name=r0,result=first_try}":     1,
		"seawall.retry.calls{name=_other,result=first_try}": 7,
	})
	if _, there := b.series["seawall.retry.budget.available{name=_other}"]; there {
		t.Error("gauges are added up")
	}
	if got := strings.Count(log.String(), "seawall.telemetry.folded"); got != 1 {
		t.Errorf("logged %d times", got)
	}
	_ = all[9].Do(t.Context(), pass)
	all[9] = nil // it goes with its counts
	b.collect()
	runtime.GC()
	runtime.GC()
	b.collect()
	b.want(map[string]float64{"seawall.retry.calls{name=_other,result=first_try}": 8})
	all[0] = nil // it makes room
	runtime.GC()
	runtime.GC()
	b.collect()
	b.want(map[string]float64{
		"seawall.retry.calls{name=_other,result=first_try}": 8,
		"seawall.retry.calls{name=r3,result=first_try}":     1,
	})
	named := 0
	for id := range b.series {
		if strings.HasPrefix(id, "seawall.retry.attempts{") && !strings.Contains(id, "_other") {
			named++
		}
	}
	if named != 3 {
		t.Errorf("%d names are exported, want 3", named)
	}
	runtime.KeepAlive(all)
}

func TestNamesAndUnitsAreTheDocumentedOnes(t *testing.T) {
	var b strings.Builder
	for _, i := range telemetry.Instruments() {
		fmt.Fprintf(&b, "%s %v %s %s\n", i.Name, i.Type, i.Unit, strings.Join(i.Attributes, " "))
	}
	const file = "testdata/instruments.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the instruments are\n%s\nwant\n%s", b.String(), want)
	}
	m := start(t, telemetry.Config{Histograms: telemetry.AllHistograms()})
	for _, i := range telemetry.Instruments() {
		if unit, made := m.units[i.Name]; !made || unit != i.Unit {
			t.Errorf("%s is made with the unit %q, want %q", i.Name, unit, i.Unit)
		}
	}
}

var update = flag.Bool("update", false, "write the golden file anew")

func TestBadConfigIsRefused(t *testing.T) {
	if _, err := telemetry.Register(&provider{}, telemetry.Config{MaxNames: -1}); err == nil || !strings.Contains(err.Error(), "MaxNames is -1") {
		t.Error(err)
	}
	_, err := telemetry.Register(&provider{}, telemetry.Config{Histograms: []string{telemetry.StaleAge, "seawall.x"}})
	if err == nil || !strings.Contains(err.Error(), `Histograms[1] is "seawall.x"`) {
		t.Error(err)
	}
	if _, err := telemetry.Register(nil, telemetry.Config{}); err == nil {
		t.Error("a nil provider")
	}
}

func ExampleRegister() {
	meters := &provider{meter: meter{units: map[string]string{}}} // otel.GetMeterProvider(), in a program
	registration, err := telemetry.Register(meters, telemetry.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = registration.Unregister() }()
	fmt.Println(len(telemetry.Instruments()) > 30)
	// Output: true
}

func ExampleAllHistograms() {
	meters := &provider{meter: meter{units: map[string]string{}}} // otel.GetMeterProvider(), in a program
	registration, err := telemetry.Register(meters, telemetry.Config{Histograms: telemetry.AllHistograms()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = registration.Unregister() }()
	fmt.Println(telemetry.AllHistograms())
	// Output: [seawall.queue.wait seawall.attempt.duration seawall.stale.age]
}
