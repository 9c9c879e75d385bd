package seawall_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seawall-go/seawall"
)

// T17: while nothing succeeds, all that comes out of a budget is its burst.
func TestBudgetGivesNoMoreThanItsBurstInAnOutage(t *testing.T) {
	for _, burst := range []int{1, 37, 1_000_000} {
		b := seawall.NewBudget(seawall.BudgetConfig{Burst: burst})
		var taken atomic.Int64
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				for range 2000 {
					if b.Take() {
						taken.Add(1)
					}
				}
			})
		}
		all.Wait()
		if taken.Load() != int64(burst) || b.Available() != 0 {
			t.Errorf("%d extra attempts of %d, and %v are left", taken.Load(), burst, b.Available())
		}
	}
}

// T17: under load nothing is lost and nothing is made up: what was put in is what was taken and what is left.
func TestBudgetIsExactUnderLoad(t *testing.T) {
	const workers, each = 1000, 200
	b := seawall.NewBudget(seawall.BudgetConfig{Ratio: 0.25, Burst: 1_000_000})
	for b.Take() { // so that it never overflows
	}
	var succeeded, taken, refunded atomic.Int64
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 17))
			for range each {
				switch r.IntN(4) {
				case 0, 1:
					succeeded.Add(1) // before, so that the check below never sees too few
					b.Succeeded()
				case 2:
					if b.Take() {
						taken.Add(1)
					}
				case 3:
					if b.Take() {
						taken.Add(1)
						refunded.Add(1)
						b.Refund()
					}
				}
				if got, limit := taken.Load()-refunded.Load(), float64(succeeded.Load())*0.25; float64(got) > limit {
					t.Errorf("%d extra attempts are out, and %v are paid for", got, limit)
				}
			}
		})
	}
	all.Wait()
	want := float64(succeeded.Load())*0.25 - float64(taken.Load()-refunded.Load())
	if got := b.Available(); got != want {
		t.Errorf("%v are left, want %v", got, want)
	}
	if taken.Load() == refunded.Load() {
		t.Error("nothing was taken")
	}
}

// T17: in every window of a run, extra attempts are at most the successes in it times the ratio, plus the burst.
func TestBudgetHoldsInEveryWindow(t *testing.T) {
	for _, cfg := range []seawall.BudgetConfig{{}, {Ratio: 1, Burst: 1}, {Ratio: 0.000001, Burst: 3}, {Ratio: 10, Burst: 2}, {Ratio: 0.3}} {
		b := seawall.NewBudget(cfg)
		cfg = b.Config()
		r := rand.New(rand.NewPCG(17, 1))
		// The rule for all windows at once: the level of a bucket that leaks nothing. worst is the most that a window
		// that ends here has over its successes.
		worst, rate := 0.0, 0.1
		for i := range 200_000 {
			if i%5000 == 0 {
				rate = r.Float64() // of successes
			}
			if r.Float64() < rate {
				b.Succeeded()
				worst = max(0, worst-cfg.Ratio)
			} else if b.Take() {
				if worst++; worst > float64(cfg.Burst)+1e-6 {
					t.Fatalf("%+v: step %d: a window has %v extra attempts over what its successes pay for", cfg, i, worst)
				}
			} else if worst < float64(cfg.Burst)-1-1e-6 {
				t.Fatalf("%+v: step %d: refused, and no window has more than %v", cfg, i, worst)
			}
			if got := b.Available(); got < 0 || got > float64(cfg.Burst) {
				t.Fatalf("%+v: %v are available", cfg, got)
			}
		}
	}
}

// T17: one call a minute for a day, all failing, stays within the floor.
func TestBudgetDoesNotRefillByTime(t *testing.T) {
	b := seawall.NewBudget(seawall.BudgetConfig{})
	taken := 0
	for range 24 * 60 {
		if b.Take() {
			taken++
		}
	}
	if taken != b.Config().Burst {
		t.Errorf("%d extra attempts in a day without a success", taken)
	}
}

func TestBudgetIsNeverMoreThanFull(t *testing.T) {
	b := seawall.NewBudget(seawall.BudgetConfig{Burst: 3})
	b.Refund()
	for range 100 {
		b.Succeeded()
	}
	if got := b.Available(); got != 3 {
		t.Errorf("%v are available of 3", got)
	}
	b.Take()
	b.Refund()
	if got := b.Available(); got != 3 {
		t.Errorf("%v are available after a refund", got)
	}
}

// T78
func TestBudgetConfig(t *testing.T) {
	if got := seawall.NewBudget(seawall.BudgetConfig{}).Config(); got != (seawall.BudgetConfig{Ratio: 0.1, Burst: 10}) {
		t.Errorf("the default is %+v", got)
	}
	for _, c := range []struct {
		cfg   seawall.BudgetConfig
		field string // "" if it is valid
	}{
		{seawall.BudgetConfig{Ratio: 0.000001, Burst: 1}, ""},
		{seawall.BudgetConfig{Ratio: 10, Burst: 1_000_000}, ""},
		{seawall.BudgetConfig{Ratio: 0.0000009}, "Ratio"}, // it was once taken for a thousand times as much and more
		{seawall.BudgetConfig{Ratio: -0.1}, "Ratio"},
		{seawall.BudgetConfig{Ratio: 10.1}, "Ratio"},
		{seawall.BudgetConfig{Ratio: math.NaN()}, "Ratio"},
		{seawall.BudgetConfig{Ratio: math.Inf(1)}, "Ratio"},
		{seawall.BudgetConfig{Ratio: math.Inf(-1)}, "Ratio"},
		{seawall.BudgetConfig{Burst: -1}, "Burst"},
		{seawall.BudgetConfig{Burst: 1_000_001}, "Burst"},
		{seawall.BudgetConfig{Burst: math.MaxInt}, "Burst"},
	} {
		err := c.cfg.Validate()
		panicked, _ := attempt(func() { seawall.NewBudget(c.cfg) })
		if c.field == "" {
			if err != nil || panicked != nil {
				t.Errorf("%+v: %v, %v", c.cfg, err, panicked)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), "seawall: BudgetConfig."+c.field+" is ") || panicked != err.Error() {
			t.Errorf("%+v: Validate says %v, and NewBudget panics with %v", c.cfg, err, panicked)
		}
	}
	text, err := json.Marshal(seawall.BudgetConfig{Ratio: 0.2, Burst: 5})
	if err != nil || string(text) != `{"ratio":0.2,"burst":5}` {
		t.Errorf("it is written as %s, %v", text, err)
	}
	var back seawall.BudgetConfig
	if err := json.Unmarshal(text, &back); err != nil || back != (seawall.BudgetConfig{Ratio: 0.2, Burst: 5}) {
		t.Errorf("it is read as %+v, %v", back, err)
	}
}
