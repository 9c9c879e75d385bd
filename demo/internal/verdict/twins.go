package verdict

import (
	"fmt"
	"time"

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

// Twins compares two arms of one kind, which got the same arrivals and the same faults: over the scene their goodput
// differs by at most 1 point, and each percentile up to p99 by at most 10 %, or 1 ms. Else the frame itself favours one
// of them, or the machine was not quiet.
func Twins(a, b Evidence) Finding {
	f := Finding{
		ID: "A/A", Claim: "two equal arms differ by at most 1 point of goodput and 10 % of each percentile up to p99",
	}
	ga := measure.Goodput(a.Scene.SLO, a.Answers, 0, a.Scene.Length)
	gb := measure.Goodput(b.Scene.SLO, b.Answers, 0, b.Scene.Length)
	la, lb := measure.Latencies(a.Answers, 0, a.Scene.Length), measure.Latencies(b.Answers, 0, b.Scene.Length)
	f.Measured = fmt.Sprintf("good %s and %s, p50 %s and %s, p99 %s and %s", ga, gb,
		span.Short(la.P50), span.Short(lb.P50), span.Short(la.P99), span.Short(lb.P99))
	f.State = Holds
	// In integers: 0.9 and 0.89 are more than 0.01 apart in floating point.
	points := int64(ga.Part)*int64(gb.Whole) - int64(gb.Part)*int64(ga.Whole)
	if 100*max(points, -points) > twinPoints*int64(ga.Whole)*int64(gb.Whole) ||
		apart(la.P50, lb.P50) || apart(la.P90, lb.P90) || apart(la.P99, lb.P99) {
		f.State, f.Witness = Violated, f.Measured
	}
	if a.Interrupted || b.Interrupted {
		f.State, f.Witness = Unjudged, ""
	}
	return f
}

func apart(a, b time.Duration) bool {
	difference := (a - b).Abs()
	return difference > twinFloor && 100*difference > twinPercent*max(a, b)
}
