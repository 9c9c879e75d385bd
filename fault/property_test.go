package fault_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/fault"
)

var targets = []string{"a", "b", "c"}

// randomPlan has faults that overlap, touch, and begin and end together.
func randomPlan(seed uint64) fault.Plan {
	rng := rand.New(rand.NewPCG(seed, 45))
	p := fault.Plan{Seed: rng.Uint64()}
	for range rng.IntN(12) {
		at := time.Duration(rng.IntN(10)) * 100 * time.Millisecond
		lasts := time.Duration(1+rng.IntN(10)) * 100 * time.Millisecond
		target := targets[rng.IntN(len(targets))]
		switch rng.IntN(3) {
		case 0:
			p.Faults = append(p.Faults, slow(at, lasts, target, 1+float64(rng.IntN(3))*499.5))
		case 1:
			p.Faults = append(p.Faults, capacity(at, lasts, target, []float64{0.001, 0.4, 1}[rng.IntN(3)]))
		case 2:
			p.Faults = append(p.Faults, failing(at, lasts, target, []float64{0, 0.3, 1}[rng.IntN(3)]))
		}
	}
	return p
}

// naive is what points are to feel, by target, read off the plan; the zero value is nothing.
type naive struct {
	slow, capacity map[string]float64
	fails          map[string]bool // a rate of 1 is active
	acts           map[string]bool
	active         []int
}

func evaluate(p fault.Plan, now time.Duration) naive {
	n := naive{map[string]float64{}, map[string]float64{}, map[string]bool{}, map[string]bool{}, nil}
	for _, target := range targets {
		slowBy, rest := 1.0, 1.0
		for _, f := range p.Faults {
			if f.Target != target || now < f.At || now >= f.At+f.For {
				continue
			}
			switch f.Kind {
			case fault.Slow:
				slowBy *= f.Factor
				n.acts[target] = n.acts[target] || f.Factor != 1
			case fault.Capacity:
				rest *= f.Factor
				n.acts[target] = n.acts[target] || f.Factor != 1
			case fault.Error:
				n.fails[target] = n.fails[target] || f.Rate == 1
				n.acts[target] = n.acts[target] || f.Rate != 0
			}
		}
		n.slow[target], n.capacity[target] = min(slowBy, 1_000_000), max(rest, 0.000001)
	}
	for i, f := range p.Faults {
		if now >= f.At && now < f.At+f.For {
			n.active = append(n.active, i)
		}
	}
	return n
}

// differs says where an injector is not what the model says.
func (n naive) differs(i *fault.Injector) string {
	for _, target := range targets {
		point, slowBy, rest := i.Point(target), 1.0, 1.0
		if n.slow != nil {
			slowBy, rest = n.slow[target], n.capacity[target]
		}
		if got := point.Slow(); got != slowBy {
			return fmt.Sprintf("Slow of %s is %v, want %v", target, got, slowBy)
		}
		if got := point.Capacity(); got != rest {
			return fmt.Sprintf("Capacity of %s is %v, want %v", target, got, rest)
		}
		if point.Off() == n.acts[target] {
			return fmt.Sprintf("%s is off: %v", target, point.Off())
		}
		if err := point.Err(context.Background()); n.fails[target] && err == nil || !n.acts[target] && err != nil {
			return fmt.Sprintf("Err of %s is %v", target, err)
		}
	}
	var active []int
	for _, f := range i.Active() {
		active = append(active, f.Index)
	}
	if !slices.Equal(active, n.active) {
		return fmt.Sprintf("active are %v, want %v", active, n.active)
	}
	return ""
}

// T74: at every instant each point feels exactly what the plan says for that instant.
func TestPointsFeelAtEachInstantWhatThePlanSays(t *testing.T) {
	for seed := range uint64(fewer(500)) {
		p := randomPlan(seed)
		diff := playThrough(t, p)
		if diff == "" {
			continue
		}
		for n := 0; n < len(p.Faults); { // leave out what is not needed to fail
			shorter := fault.Plan{Seed: p.Seed, Faults: slices.Delete(slices.Clone(p.Faults), n, n+1)}
			if d := playThrough(t, shorter); d != "" {
				p, diff = shorter, d
			} else {
				n++
			}
		}
		t.Fatalf("seed %d: %s with %+v", seed, diff, p.Faults)
	}
}

// playThrough looks at the points just before, at and just after each change of a plan, and between them.
func playThrough(t *testing.T, p fault.Plan) (diff string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		i := fault.New("test", fault.Config{Plan: p, Registry: quiet()})
		mustStart(t, i)
		start := time.Now()
		var times []time.Duration
		for tick := range 22 {
			at := time.Duration(tick) * 100 * time.Millisecond
			times = append(times, at, at+1, at+50*time.Millisecond, at+100*time.Millisecond-1)
		}
		for _, at := range times {
			until(start, at)
			if d := evaluate(p, at).differs(i); d != "" {
				diff = fmt.Sprintf("at %v: %s", at, d)
				return
			}
		}
		if stats := i.Stats(); stats.State != fault.Ended || i.TimerLeft() {
			diff = fmt.Sprintf("the plan is over, and the injector is %v", stats.State)
		}
	})
	return diff
}
