package retry_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

var (
	_ seawall.Describer = (*retry.Retry)(nil)
	_ seawall.Keeper    = (*retry.Retry)(nil)
)

func TestTraitsAreThoseOfTheConfigInForce(t *testing.T) {
	r, _ := newRetry(t, retry.Config{})
	if want := (seawall.Traits{Kind: "retry", Attempts: 3, Budget: r.Budget()}); r.Traits() != want || r.Budget() == nil {
		t.Errorf("traits are %+v, want %+v", r.Traits(), want)
	}
	if err := r.Update(retry.Config{MaxAttempts: retry.Unlimited, Funding: retry.NoBudget}); err != nil {
		t.Fatal(err)
	}
	if want := (seawall.Traits{Kind: "retry"}); r.Traits() != want {
		t.Errorf("traits are %+v, want %+v", r.Traits(), want)
	}
}

// T76: a family must not forget an empty budget, and so fill it; nor must it hold it for ever.
func TestRetryIsKeptForAMinuteAfterItsBudgetRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := retry.Config{Backoff: retry.Backoff{Kind: retry.Immediate}}
		own, _ := newRetry(t, cfg)
		cfg.Budget = seawall.NewBudget(seawall.BudgetConfig{})
		shared, _ := newRetry(t, cfg)
		free, _ := newRetry(t, retry.Config{Funding: retry.NoBudget, Backoff: cfg.Backoff})
		expect := func(when string, want bool) {
			t.Helper()
			if own.Keep() != want || shared.Keep() || free.Keep() {
				t.Errorf("%s: %v, shared %v, free %v, want only the first, and that %v",
					when, own.Keep(), shared.Keep(), free.Keep(), want)
			}
		}
		empty := func() {
			for range 10 {
				for _, r := range []*retry.Retry{own, shared, free} {
					_ = r.Do(t.Context(), down)
				}
			}
		}
		expect("new", false)
		for range 5 {
			_ = own.Do(t.Context(), down)
		}
		expect("spent, but nothing refused", false)
		empty()
		expect("refused", true)
		time.Sleep(time.Minute - 1)
		expect("almost a minute later", true)
		time.Sleep(time.Nanosecond)
		expect("a minute later", false)
		empty()
		expect("refused again", true)
		for range 50 {
			_ = own.Do(t.Context(), succeed)
		}
		expect("half full again", false)
	})
}

// T76
func TestFamilyDoesNotFillAnEmptyBudgetByForgettingIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		hosts := seawall.NewGroup(2, func(host string) *seawall.Pipeline {
			made++
			return seawall.Chain(retry.New(host, retry.Config{
				Backoff: retry.Backoff{Kind: retry.Immediate}, Registry: new(seawall.Registry).Detached(),
			}))
		})
		others := func() {
			for host := range 100 {
				_ = hosts.For(strconv.Itoa(host)).Do(t.Context(), succeed)
			}
		}
		attempts := 0
		for range 20 {
			_ = hosts.For("down").Do(t.Context(), counting(&attempts, down))
			if attempts >= 20 { // the ten tokens are spent: from here on it is refused
				others()
			}
		}
		if attempts != 30 {
			t.Errorf("20 calls of a host that is down took %d attempts, want the calls and a burst of 10", attempts)
		}
		time.Sleep(time.Minute)
		before := made
		others()
		others()
		if hosts.Len() > 3 {
			t.Errorf("%d hosts are kept", hosts.Len())
		}
		_ = hosts.For("down")
		if made != before+201 {
			t.Errorf("%d chains were made, want those of the others twice and of the host that is forgotten at last", made-before)
		}
	})
}
