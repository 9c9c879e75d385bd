package telemetry_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpcache"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry"
)

// wantTold checks what the histograms were told, exactly.
func (b *bench) wantTold(want map[string][]float64) {
	b.t.Helper()
	got := b.told()
	for _, id := range slices.Sorted(maps.Keys(got)) {
		slices.Sort(got[id])
		if !slices.Equal(got[id], want[id]) {
			b.t.Errorf("%s was told %v, want %v", id, got[id], want[id])
		}
	}
	for id, v := range want {
		if got[id] == nil {
			b.t.Errorf("%s was told nothing, want %v", id, v)
		}
	}
}

func withHistograms(t *testing.T) *bench {
	t.Helper()
	return start(t, telemetry.Config{Histograms: telemetry.AllHistograms()})
}

func TestQueueWaitIsToldOfCallsThatHadToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := withHistograms(t)
		queue := bulkhead.Queue{Limit: 8, MaxWait: 3 * time.Second}
		slots := bulkhead.New("slots", bulkhead.Config{Limit: 1, Queue: queue, Registry: b.registry})
		tenants := bulkhead.NewGroup("tenants", bulkhead.GroupConfig[string]{
			Registry: b.registry, Label: func(k string) string { return k }, Bulkhead: bulkhead.Config{Limit: 1, Queue: queue},
		})
		stock := bulkhead.NewAdaptive("stock", bulkhead.AdaptiveConfig{Initial: 1, Min: 1, Max: 1, Queue: queue, Registry: b.registry})
		rate := ratelimit.New("rate", ratelimit.Config{Rate: 1, Burst: 1, MaxWait: 10 * time.Second, Registry: b.registry})
		users := ratelimit.NewGroup("users", ratelimit.GroupConfig[int]{
			Registry: b.registry, Limiter: ratelimit.Config{Rate: 1, Burst: 1, MaxWait: 10 * time.Second},
		})
		for _, gate := range []seawall.Gate{slots, tenants.For("acme"), stock, rate, users.For(7)} {
			var calls sync.WaitGroup
			call := func(ctx context.Context, lasts time.Duration) {
				calls.Go(func() {
					_ = gate.Do(ctx, func(context.Context) error { time.Sleep(lasts); return nil })
				})
				synctest.Wait()
			}
			call(t.Context(), time.Second)
			call(t.Context(), 0) // gets in after the first
			calls.Wait()
			time.Sleep(time.Minute)
			if gate == seawall.Gate(slots) {
				call(t.Context(), 10*time.Second)
				call(t.Context(), 0) // is rejected in time
				calls.Wait()
				leaves, cancel := context.WithCancel(t.Context())
				call(t.Context(), 2*time.Second)
				call(leaves, 0)
				time.Sleep(500 * time.Millisecond)
				cancel()
				calls.Wait()
			}
		}
		b.wantTold(map[string][]float64{
			"seawall.queue.wait{kind=bulkhead,name=slots,outcome=admitted}":   {1},
			"seawall.queue.wait{kind=bulkhead,name=slots,outcome=rejected}":   {3},
			"seawall.queue.wait{kind=bulkhead,name=slots,outcome=canceled}":   {0.5},
			"seawall.queue.wait{kind=bulkhead,name=tenants,outcome=admitted}": {1},
			"seawall.queue.wait{kind=bulkhead,name=stock,outcome=admitted}":   {1},
			"seawall.queue.wait{kind=ratelimit,name=rate,outcome=admitted}":   {1},
			"seawall.queue.wait{kind=ratelimit,name=users,outcome=admitted}":  {1},
		})
		runtime.KeepAlive([]any{slots, tenants, stock, rate, users})
	})
}

func TestAttemptDurationIsToldOfEachAttemptByItsOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := withHistograms(t)
		again := retry.New("again", retry.Config{Registry: b.registry})
		tries := 0
		try := func(context.Context) error {
			tries++
			time.Sleep(time.Duration(tries) * time.Second)
			if tries < 3 {
				return errDown
			}
			return nil
		}
		if err := seawall.Chain(again).Do(t.Context(), try); err != nil {
			t.Error(err)
		}
		tries = 2
		if err := again.Do(t.Context(), try); err != nil { // by itself
			t.Error(err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = again.Do(t.Context(), func(context.Context) error { time.Sleep(4 * time.Second); panic("ouch") })
		}()
		leaves, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errDown)
		_ = again.Do(leaves, func(context.Context) error { time.Sleep(5 * time.Second); cancel(); return errDown })

		second := hedge.New("second", hedge.Config{Delay: time.Second, Registry: b.registry})
		err := second.Do(t.Context(), func(ctx context.Context) error {
			if seawall.Attempt(ctx) == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			time.Sleep(2 * time.Second)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		synctest.Wait()
		b.wantTold(map[string][]float64{
			"seawall.attempt.duration{kind=retry,name=again,outcome=failure}":  {1, 2, 4},
			"seawall.attempt.duration{kind=retry,name=again,outcome=success}":  {3, 3},
			"seawall.attempt.duration{kind=retry,name=again,outcome=ignored}":  {5},
			"seawall.attempt.duration{kind=hedge,name=second,outcome=success}": {2},
			"seawall.attempt.duration{kind=hedge,name=second,outcome=ignored}": {3},
		})
		runtime.KeepAlive([]any{again, second})
	})
}

func TestStaleAgeIsToldOfEachStaleAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := withHistograms(t)
		prices := cache.New("prices", cache.Config[string, int]{TTL: time.Minute, MaxStale: time.Hour, Jitter: cache.NoJitter, Registry: b.registry})
		defer func() { _ = prices.Close(context.Background()) }()
		down := false
		load := func(context.Context, string) (int, error) {
			if down {
				return 0, errDown
			}
			return 1, nil
		}
		origin := roundTripper(func(r *http.Request) (*http.Response, error) {
			if down {
				return nil, errDown
			}
			w := httptest.NewRecorder()
			w.Header().Set("Cache-Control", "max-age=60, stale-if-error=3600")
			_, _ = io.WriteString(w, "9.80")
			return w.Result(), nil
		})
		pages := httpcache.New("pages", httpcache.Config{Registry: b.registry}, origin)
		copies := degrade.NewFallback("copies", degrade.FallbackConfig{
			Func: degrade.StaleFunc(func(context.Context, error) (int, time.Duration, error) { return 1, 7 * time.Second, nil }), Registry: b.registry,
		})
		ask := func() {
			if _, err := prices.Get(t.Context(), "a", load); err != nil {
				t.Error(err)
			}
			resp, err := pages.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://shop.example/", http.NoBody))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			synctest.Wait()
		}
		ask()
		ask()
		down = true
		time.Sleep(100 * time.Second)
		ask()
		_, _ = seawall.Call(t.Context(), copies, func(context.Context) (int, error) { return 0, errDown })
		b.wantTold(map[string][]float64{
			"seawall.stale.age{kind=cache,name=prices,outcome=load_failed}":    {100},
			"seawall.stale.age{kind=httpcache,name=pages,outcome=load_failed}": {100},
			"seawall.stale.age{kind=fallback,name=copies,outcome=fallback}":    {7},
		})
		runtime.KeepAlive([]any{prices, pages, copies})
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestHistogramsAreToldOnlyWhatIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempt := func(r *seawall.Registry) {
			again := retry.New("again", retry.Config{Registry: r})
			if again.Timed() {
				t.Error("somebody wants to know")
			}
			_ = again.Do(t.Context(), pass)
		}
		for name, cfg := range map[string]telemetry.Config{
			"none": {}, "another": {Histograms: []string{telemetry.StaleAge, telemetry.QueueWait}},
		} {
			b := start(t, cfg)
			attempt(b.registry)
			if told := b.told(); told != nil {
				t.Errorf("%s: told %v", name, told)
			}
		}
		b := &bench{&provider{meter: meter{units: map[string]string{}}}, t, silent()}
		r, err := telemetry.Register(b.provider, telemetry.Config{Histograms: telemetry.AllHistograms(), Registry: b.registry})
		if err != nil {
			t.Fatal(err)
		}
		again := retry.New("again", retry.Config{Registry: b.registry})
		b.disabled.Store(true) // by a view of the SDK
		_ = again.Do(t.Context(), pass)
		if told := b.told(); told != nil {
			t.Errorf("disabled, and told %v", told)
		}
		b.disabled.Store(false)
		_ = again.Do(t.Context(), pass)
		if told := b.told(); len(told) != 1 {
			t.Errorf("told %v", told)
		}
		if err := r.Unregister(); err != nil {
			t.Error(err)
		}
		_ = again.Do(t.Context(), pass)
		if told := b.told(); told != nil {
			t.Errorf("unregistered, and told %v", told)
		}
		runtime.KeepAlive(again)
	})
}

func TestHistogramsHaveBoundedSeries(t *testing.T) {
	b := start(t, telemetry.Config{Histograms: telemetry.AllHistograms(), MaxNames: 2})
	var all []any
	for i := range 5 {
		again := retry.New(fmt.Sprint("r", i), retry.Config{Registry: b.registry})
		_ = again.Do(t.Context(), pass)
		_ = again.Do(t.Context(), pass)
		all = append(all, again)
	}
	names := map[string]int{}
	for id, values := range b.told() {
		names[id] += len(values)
	}
	want := map[string]int{
		"seawall.attempt.duration{kind=retry,name=r0,outcome=success}":     2,
		"seawall.attempt.duration{kind=retry,name=r1,outcome=success}":     2,
		"seawall.attempt.duration{kind=retry,name=_other,outcome=success}": 6,
	}
	if !maps.Equal(names, want) {
		t.Errorf("told %v, want %v", names, want)
	}
	for _, h := range telemetry.AllHistograms() {
		if bounds := b.boundaries[h]; len(bounds) < 10 || !slices.IsSorted(bounds) {
			t.Errorf("%s has the boundaries %v", h, bounds)
		}
	}
	words := seawall.NewTiming(b.registry, seawall.StaleAge, "cache", "prices")
	for i := range 100 {
		words.Tell(t.Context(), fmt.Sprint("why", i), time.Second)
	}
	told := b.told()
	if others := len(told["seawall.stale.age{kind=cache,name=prices,outcome=_other}"]); len(told) != 16 || others != 85 {
		t.Errorf("%d series, %d times the other: %s", len(told), others, strings.Join(slices.Sorted(maps.Keys(told)), "\n"))
	}
	runtime.KeepAlive(all)
}
