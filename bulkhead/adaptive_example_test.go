package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// A server admits as many requests as it can work on, and turns away the others at once.
func ExampleNewAdaptive() {
	admission := bulkhead.NewAdaptive("api", bulkhead.AdaptiveConfig{Max: 500, Registry: &seawall.Registry{}})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := admission.Do(r.Context(), func(ctx context.Context) error {
			fmt.Fprint(w, "a seat, ", admission.Stats().InUse, " of ", admission.Stats().Limit, " at work")
			return nil
		})
		if errors.Is(err, bulkhead.ErrFull) {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})

	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/seats", nil))
	fmt.Println(answer.Code, answer.Body)
	// Output: 200 a seat, 1 of 20 at work
}

// When all slots are in use, the more important calls get those that come free, and places in the queue.
func ExampleNewAdaptive_priorities() {
	admission := bulkhead.NewAdaptive("api", bulkhead.AdaptiveConfig{
		Shares:   bulkhead.Shares{Critical: 0.3, Sheddable: bulkhead.NoShare},
		Registry: &seawall.Registry{},
	})
	ctx := seawall.WithPriority(context.Background(), seawall.CriticalPlus)

	err := admission.Do(ctx, func(ctx context.Context) error {
		fmt.Println("paid")
		return nil
	})
	fmt.Println(err)
	// Output:
	// paid
	// <nil>
}

func ExampleAdaptive_Acquire() {
	ctx := context.Background()
	admission := bulkhead.NewAdaptive("streams", bulkhead.AdaptiveConfig{Registry: &seawall.Registry{}})

	permit, err := admission.Acquire(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(admission.Stats().InUse, "at work")
	permit.Done(nil) // as soon as the work has ended
	fmt.Println(admission.Stats().InUse, "at work,", admission.Stats().Outcomes.Successes, "done")
	// Output:
	// 1 at work
	// 0 at work, 1 done
}

func ExampleAdaptive_Update() {
	registry := &seawall.Registry{}
	registry.SetLogger(slog.New(slog.DiscardHandler)) // where changes are told as events
	admission := bulkhead.NewAdaptive("api", bulkhead.AdaptiveConfig{Registry: registry})

	cfg := admission.Config()
	cfg.Max = 10 // connections of the database
	fmt.Println(admission.Update(cfg), admission.Stats().Limit)

	cfg.Min = 50
	fmt.Println(admission.Update(cfg))
	// Output:
	// <nil> 10
	// bulkhead: AdaptiveConfig.Min is 50, want 1 to Max, which is 10
}

func ExampleAdaptive_SetMode() {
	registry := &seawall.Registry{}
	registry.SetLogger(slog.New(slog.DiscardHandler)) // where the switch is told as an event
	admission := bulkhead.NewAdaptive("api", bulkhead.AdaptiveConfig{Registry: registry})

	if err := admission.SetMode(seawall.ForcedOpen); err != nil {
		fmt.Println(err)
	}
	err := admission.Do(context.Background(), reserve)
	fmt.Println(err)
	fmt.Println(errors.Is(err, bulkhead.ErrFull), errors.Is(err, seawall.ErrRejected))
	// Output:
	// bulkhead "api": forced
	// true true
}
