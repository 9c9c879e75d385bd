package verdict

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/span"
)

// By how much two arms of one kind may differ.
const (
	twinPoints  = 1  // of a hundred, goodput
	twinPercent = 10 // of the larger one, latency
	// twinFloor is the difference of latencies up to which 10 % means nothing: the clock of the machine.
	twinFloor = time.Millisecond
)

// Twins compares two arms of one kind, which got the same arrivals and the same faults: over the scenes of a run their
// goodput differs by at most 1 point, and each percentile up to p99 by at most 10 %, or 1 ms. Else the frame itself favours
// one of them, or the machine was not quiet. One scene may not say enough: half of the answers of a brownout are copies that
// cost nothing, so its median is one of either kind by luck. The zero value has seen no scene.
type Twins struct {
	good [2]measure.Share
	took [2][]time.Duration
	cut  bool
}

// Add adds what the two arms answered in a scene. After one that was interrupted nothing can be said.
func (t *Twins) Add(slo measure.SLO, arms [2][]load.Answer, interrupted bool) {
	t.cut = t.cut || interrupted
	for i, answers := range arms {
		for _, a := range answers {
			t.good[i].Whole++
			if slo.Grade(a) == measure.Good {
				t.good[i].Part++
			}
			t.took[i] = append(t.took[i], a.Latency())
		}
	}
}

// Finding is what the scenes so far amount to.
func (t *Twins) Finding() Finding {
	f := Finding{
		ID: "A/A", Claim: "two equal arms differ by at most 1 point of goodput and 10 % of each percentile up to p99",
	}
	a, b := t.good[0], t.good[1]
	la, lb := measure.LatencyOf(t.took[0]), measure.LatencyOf(t.took[1])
	f.Measured = fmt.Sprintf("good %s and %s, p50 %s and %s, p99 %s and %s", a, b,
		span.Short(la.P50), span.Short(lb.P50), span.Short(la.P99), span.Short(lb.P99))
	f.State = Holds
	// In integers: 0.9 and 0.89 are more than 0.01 apart in floating point.
	points := int64(a.Part)*int64(b.Whole) - int64(b.Part)*int64(a.Whole)
	if 100*max(points, -points) > twinPoints*int64(a.Whole)*int64(b.Whole) ||
		apart(la.P50, lb.P50) || apart(la.P90, lb.P90) || apart(la.P99, lb.P99) {
		f.State, f.Witness = Violated, f.Measured
	}
	if t.cut {
		f.State, f.Witness = Unjudged, ""
	}
	return f
}

func apart(a, b time.Duration) bool {
	difference := (a - b).Abs()
	return difference > twinFloor && 100*difference > twinPercent*max(a, b)
}
