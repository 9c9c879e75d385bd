package hedge_test

import (
	"context"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
)

// racer starts what a Hedge starts, and does nothing else: what it allocates is the price of a race.
type racer struct{}

func (racer) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, racer{}, op)
}
func (racer) Race(context.Context) seawall.Race { return racer{} }
func (racer) Next() (time.Duration, bool)       { return time.Minute, true }
func (racer) Started(int) bool                  { return true }
func (racer) Ended(int, error) seawall.Finish   { return seawall.Win }
func (racer) End(_ int, err error) error        { return err }

// T81: attempts that run in goroutines allocate. What the Hedge adds is one allocation.
func TestHedgeAddsOneAllocationToARace(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	fixed, _ := newHedge(t, hedge.Config{Delay: time.Minute})
	followed, _ := newHedge(t, hedge.Config{Latency: hedge.Latency{MinCalls: 1, Min: time.Minute}})
	_ = followed.Do(seawall.NotIdempotent(t.Context()), succeed) // which does not look the delay up
	if _, ok := followed.Delay(); !ok {
		t.Fatal("the latency is not known: there would be no timer")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	count := func(p seawall.Policy) float64 {
		return testing.AllocsPerRun(1000, func() { _ = p.Do(ctx, succeed) })
	}
	bare := count(racer{})
	for name, h := range map[string]*hedge.Hedge{"fixed": fixed, "followed": followed} {
		if n := count(h); n > bare+1 {
			t.Errorf("%s: %v allocations, a race has %v", name, n, bare)
		}
	}
}
