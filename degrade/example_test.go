package degrade_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
)

// silent is a registry that logs nothing, so that the examples print only what they show.
func silent() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

func ExampleNewFallback() {
	copies := map[string]string{"price": "9.80 (yesterday)"}
	prices := degrade.NewFallback("prices.copy", degrade.FallbackConfig{
		Func: degrade.Func(func(_ context.Context, err error) (string, error) {
			fmt.Println("using a copy:", err)
			return copies["price"], nil
		}),
	})
	price, err := seawall.Call(context.Background(), prices, func(context.Context) (string, error) {
		return "", errors.New("price service: connection refused")
	})
	fmt.Println(price, err)
	// Output:
	// using a copy: price service: connection refused
	// 9.80 (yesterday) <nil>
}

func ExampleFunc() {
	lastPrice := func(context.Context, error) (string, error) { return "9.80", nil }
	prices := degrade.NewFallback("prices.last", degrade.FallbackConfig{Func: degrade.Func(lastPrice)})
	price, err := seawall.Call(context.Background(), prices, func(context.Context) (string, error) {
		return "", errors.New("price service: connection refused")
	})
	fmt.Println(price, err)
	// Output: 9.80 <nil>
}

func ExampleValue() {
	recommendations := degrade.NewFallback("recommendations.none", degrade.FallbackConfig{
		Func: degrade.Value([]string{}),
	})
	titles, err := seawall.Call(context.Background(), recommendations, func(context.Context) ([]string, error) {
		return nil, errors.New("recommender: timeout")
	})
	fmt.Println(len(titles), err)
	// Output: 0 <nil>
}

func ExampleStaleFunc() {
	seats := degrade.NewFallback("seats.copy", degrade.FallbackConfig{
		Func: degrade.StaleFunc(func(context.Context, error) (string, time.Duration, error) {
			return "A1 A2 A5", 4 * time.Second, nil
		}),
	})
	ctx, record := seawall.WithRecord(context.Background())
	free, err := seawall.Call(ctx, seats, func(context.Context) (string, error) {
		return "", errors.New("inventory: timeout")
	})
	fmt.Println(free, err)
	fmt.Println(record.Facts().Stale, "old, by", record.Facts().DecidedBy)
	// Output:
	// A1 A2 A5 <nil>
	// 4s old, by fallback "seats.copy"
}

func ExampleChain() {
	titles := degrade.NewFallback("titles", degrade.FallbackConfig{
		Func: degrade.Chain(
			degrade.Func(func(context.Context, error) ([]string, error) { return nil, errors.New("no copy yet") }),
			degrade.Value([]string{"the classics"}),
		),
	})
	got, err := seawall.Call(context.Background(), titles, func(context.Context) ([]string, error) {
		return nil, errors.New("recommender: timeout")
	})
	fmt.Println(got, err)
	fmt.Println("static:", titles.Stats().Static, "func:", titles.Stats().Func)
	// Output:
	// [the classics] <nil>
	// static: 1 func: 0
}

func ExampleFallback_Do() {
	audit := degrade.NewFallback("audit.best_effort", degrade.FallbackConfig{Func: degrade.Value(struct{}{})})
	err := audit.Do(context.Background(), func(context.Context) error { return errors.New("audit log: full") })
	fmt.Println(err)
	// Output: <nil>
}

func ExampleFallback_Replace() {
	prices := degrade.NewFallback("prices.empty", degrade.FallbackConfig{
		Func: degrade.Func(func(context.Context, error) (string, error) { return "", errors.New("no copy yet") }),
		When: func(err error) bool { return !errors.Is(err, errNoSuchPrice) },
	})
	ctx := context.Background()
	_, err := seawall.Call(ctx, prices, func(context.Context) (string, error) { return "", errors.New("timeout") })
	fmt.Println(err)
	_, err = seawall.Call(ctx, prices, func(context.Context) (string, error) { return "", errNoSuchPrice })
	fmt.Println(err)
	// Output:
	// timeout (fallback "prices.empty": no copy yet)
	// no such price
}

var errNoSuchPrice = errors.New("no such price")

// The fallback has broken, and nobody would know before it is needed.
func ExampleFallbackConfig_alwaysExercise() {
	prices := degrade.NewFallback("prices.exercised", degrade.FallbackConfig{
		AlwaysExercise: 1, // of all calls; 0.01 is more usual
		Func: degrade.Func(func(context.Context, error) (string, error) {
			return "", errors.New("table prices_copy does not exist")
		}),
		Registry: silent(), // else this is logged: seawall.degrade.exercise_failed
	})
	price, err := seawall.Call(context.Background(), prices, func(context.Context) (string, error) { return "9.90", nil })
	fmt.Println(price, err)
	fmt.Println("exercises failed:", prices.Stats().ExerciseFailed)
	// Output:
	// 9.90 <nil>
	// exercises failed: 1
}

func ExampleFallback_Update() {
	prices := degrade.NewFallback("prices.updated", degrade.FallbackConfig{Func: degrade.Value("9.80"), Registry: silent()})
	cfg := prices.Config()
	cfg.AlwaysExercise = 0.01
	fmt.Println(prices.Update(cfg), prices.Config().AlwaysExercise)
	cfg.AlwaysExercise = 10
	fmt.Println(prices.Update(cfg))
	// Output:
	// <nil> 0.01
	// degrade: FallbackConfig.AlwaysExercise is 10, want 0 to 1
}

func ExampleNewGather() {
	page := degrade.NewGather("page", degrade.GatherConfig{})
	loadSeats := func(context.Context) ([]string, error) { return []string{"A1", "A2"}, nil }
	loadPrice := func(context.Context) (string, error) { return "", errors.New("price service: timeout") }
	lastPrice := func(context.Context, error) (string, time.Duration, error) { return "9.80", time.Minute, nil }
	loadRecs := func(context.Context) ([]string, error) { return nil, errors.New("recommender: timeout") }

	var seats, recs []string
	var price string
	report, err := page.Do(context.Background(),
		degrade.Section("seats", nil, &seats, loadSeats), // the policy of a real one is a chain
		degrade.Section("price", nil, &price, loadPrice).OrStale(lastPrice),
		degrade.Section("recs", nil, &recs, loadRecs).Optional(),
	)
	if err != nil {
		fmt.Println("no page:", err)
		return
	}
	fmt.Println(seats, price, recs)
	fmt.Println(report)
	if s, _ := report.Section("price"); s.State == degrade.Stale {
		fmt.Println("the price is", s.Age, "old:", s.Err)
	}
	// Output:
	// [A1 A2] 9.80 []
	// seats whole, price stale, recs missing
	// the price is 1m0s old: price service: timeout
}

func ExampleGather_Do() {
	page := degrade.NewGather("page.do", degrade.GatherConfig{})
	load := func(context.Context) (string, error) { return "", errors.New("inventory: connection refused") }
	var seats, ads string
	_, err := page.Do(context.Background(),
		degrade.Section("seats", nil, &seats, load),
		degrade.Section("ads", nil, &ads, func(context.Context) (string, error) { return "buy", nil }).Optional(),
	)
	fmt.Println(err)
	if missing, ok := errors.AsType[*degrade.SectionError](err); ok && errors.Is(err, degrade.ErrMissing) {
		fmt.Println("no page without", missing.Section)
	}
	// Output:
	// gather "page.do": section "seats": inventory: connection refused
	// no page without seats
}

func ExampleSection() {
	page := degrade.NewGather("page.section", degrade.GatherConfig{})
	down := func(context.Context) (string, error) { return "", errors.New("down") }
	empty := func(context.Context, error) (string, error) { return "", errors.New("no copy") }
	var title string
	report, err := page.Do(context.Background(), degrade.Section("title", nil, &title, down).Or(empty).OrValue("Welcome"))
	fmt.Println(title, err)
	fmt.Println(report.Whole(), report.Names(degrade.Degraded))
	// Output:
	// Welcome <nil>
	// false [title]
}

func ExampleSectionOf_Optional() {
	page := degrade.NewGather("page.optional", degrade.GatherConfig{Registry: silent()})
	ads := "none"
	report, err := page.Do(context.Background(),
		degrade.Section("ads", nil, &ads, func(context.Context) (string, error) { return "", errors.New("down") }).Optional())
	fmt.Println(ads, err, report.Names(degrade.Missing))
	// Output: none <nil> [ads]
}

func ExampleSectionOf_Or() {
	page := degrade.NewGather("page.or", degrade.GatherConfig{Registry: silent()})
	var price string
	report, err := page.Do(context.Background(),
		degrade.Section("price", nil, &price, func(context.Context) (string, error) { return "", errors.New("down") }).
			Or(func(_ context.Context, err error) (string, error) {
				return "from 5.00, as the exact one is " + err.Error(), nil
			}))
	fmt.Println(price, err, report)
	// Output: from 5.00, as the exact one is down <nil> price degraded
}

func ExampleSectionOf_OrStale() {
	page := degrade.NewGather("page.stale", degrade.GatherConfig{Registry: silent()})
	lastPrice := func(context.Context, error) (string, time.Duration, error) { return "9.80", time.Minute, nil }
	var price string
	report, err := page.Do(context.Background(),
		degrade.Section("price", nil, &price, func(context.Context) (string, error) { return "", errors.New("down") }).
			OrStale(lastPrice))
	s, _ := report.Section("price")
	fmt.Println(price, err, s.State, s.Age)
	// Output: 9.80 <nil> stale 1m0s
}

func ExampleGather_Update() {
	page := degrade.NewGather("page.updated", degrade.GatherConfig{Registry: silent()})
	fmt.Println(page.Update(degrade.GatherConfig{Parallel: 4}), page.Config().Parallel)
	// Output: <nil> 4
}

func ExampleNewBrownout() {
	utilisation := func() float64 { return 0.4 } // such as bulkhead.Stats: InUse / Limit
	page := degrade.NewBrownout("page", degrade.BrownoutConfig{Signal: utilisation, Registry: silent()})
	fmt.Println(page.Level(), page.Allows(context.Background(), seawall.Sheddable))
	// Output: full true
}

func ExampleBrownout_Allows() {
	page := degrade.NewBrownout("page.allows", degrade.BrownoutConfig{Registry: silent()})
	_ = page.SetLevel(degrade.WithoutSheddable) // with a Signal the load does that
	ctx := context.Background()
	text := "seats"
	if page.Allows(ctx, seawall.SheddablePlus) {
		text += ", reviews"
	}
	if page.Allows(ctx, seawall.Sheddable) {
		text += ", recommendations"
	}
	fmt.Println(text)
	// Output: seats, reviews
}

func ExampleBrownout_Work() {
	brown := degrade.NewBrownout("page.work", degrade.BrownoutConfig{Registry: silent()})
	_ = brown.SetLevel(degrade.WithoutSheddable)
	page := degrade.NewGather("page.work", degrade.GatherConfig{})
	load := func(context.Context) (string, error) { return "loaded", nil }
	var seats, recs string
	report, err := page.Do(context.Background(),
		degrade.Section("seats", nil, &seats, load),
		degrade.Section("recs", brown.Work(seawall.Sheddable), &recs, load).Optional(),
	)
	fmt.Println(report, err)
	s, _ := report.Section("recs")
	fmt.Println(s.Err, errors.Is(s.Err, degrade.ErrBrownout))
	// Output:
	// seats whole, recs missing <nil>
	// brownout "page.work": shed true
}

func ExampleBrownout_Do() {
	brown := degrade.NewBrownout("imports", degrade.BrownoutConfig{Registry: silent()})
	_ = brown.SetLevel(degrade.WithoutSheddable)
	ctx := seawall.WithPriority(context.Background(), seawall.Sheddable)
	err := brown.Do(ctx, func(context.Context) error { return nil })
	fmt.Println(err, errors.Is(err, seawall.ErrRejected))
	// Output: brownout "imports": shed true
}

func ExampleBrownout_SetLevel() {
	brown := degrade.NewBrownout("page.manual", degrade.BrownoutConfig{
		Signal:        func() float64 { return 0 },
		OnLevelChange: func(e degrade.LevelEvent) { fmt.Println(e.From, "to", e.To, "by", e.Reason) },
		Registry:      silent(),
	})
	fmt.Println(brown.SetLevel(degrade.WithoutSheddablePlus))
	brown.Auto() // from now on the signal decides again, after the level has been held for its time
	fmt.Println(brown.Level())
	// Output:
	// full to without_sheddable_plus by manual
	// <nil>
	// without_sheddable_plus
}

func ExampleBrownout_Auto() {
	page := degrade.NewBrownout("page.auto", degrade.BrownoutConfig{
		Signal: func() float64 { return 0.1 }, Registry: silent(),
	})
	_ = page.SetLevel(degrade.WithoutSheddable)
	fmt.Println(page.Level(), page.Stats().Manual)
	page.Auto() // from here on the signal decides, when the level has been held for the time of Recover
	fmt.Println(page.Level(), page.Stats().Manual)
	// Output:
	// without_sheddable true
	// without_sheddable false
}

func ExampleBrownout_SetMode() {
	brown := degrade.NewBrownout("page.rehearsal", degrade.BrownoutConfig{Registry: silent()})
	_ = brown.SetLevel(degrade.WithoutSheddable)
	fmt.Println(brown.SetMode(seawall.Shadow))
	fmt.Println(brown.Allows(context.Background(), seawall.Sheddable), brown.Stats().ShadowRejected)
	// Output:
	// <nil>
	// true 1
}

func ExampleBrownout_Update() {
	brown := degrade.NewBrownout("page.updated", degrade.BrownoutConfig{Registry: silent()})
	cfg := brown.Config()
	cfg.Sheddable = degrade.Threshold{Enter: 0.7, Leave: 0.5}
	fmt.Println(brown.Update(cfg))
	cfg.Sheddable.Leave = 0.7
	fmt.Println(brown.Update(cfg))
	// Output:
	// <nil>
	// degrade: BrownoutConfig.Sheddable.Leave is 0.7, want above 0, and below Enter, which is 0.7
}

func ExampleBrownout_Acquire() {
	brown := degrade.NewBrownout("stream", degrade.BrownoutConfig{Registry: silent()})
	permit, err := brown.Acquire(context.Background())
	if err != nil {
		fmt.Println("later:", err)
		return
	}
	defer permit.Done(nil)
	fmt.Println("streaming")
	// Output: streaming
}
