package verdict

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/span"
)

// staleness is I7: data that is older than fresh says so, and none is older than allowed.
func staleness(e Evidence) Finding {
	f := Finding{ID: "I7", Claim: "stale answers are marked, and not older than allowed", Safety: true}
	var v violation
	marked, oldest := 0, time.Duration(0)
	for _, a := range e.Answers {
		if !a.Kind.Read() || !a.Valid || !success(a) {
			continue
		}
		ages := e.Scene.SLO.Ages(a.Kind)
		if a.Stale {
			marked++
			oldest = max(oldest, a.Age)
		}
		switch {
		case !a.Stale && a.Age > ages.Fresh:
			v.add(a.At, "%s number %d was answered at %s with data that is %s old and not marked as stale",
				a.Kind, a.N, at(a.Done), span.Short(a.Age))
		case a.Age > ages.Stale:
			v.add(a.At, "%s number %d was answered at %s with data that is %s old, at most %s is allowed",
				a.Kind, a.N, at(a.Done), span.Short(a.Age), ages.Stale)
		}
	}
	if marked > 0 {
		f.Measured = fmt.Sprintf("%d stale answers, the oldest %s old", marked, span.Short(oldest))
	}
	return v.into(f)
}

// attempts is I8. It holds in every sample, not only at the end: a storm in the middle does not average out.
func attempts(e Evidence) Finding {
	f := Finding{ID: "I8", Claim: "attempts ≤ calls × (1 + budget) + floor of the budgets, in every sample", Safety: true}
	var v violation
	for _, s := range e.Samples {
		most := float64(s.Status.Calls)*(1+s.Status.Budget) + float64(s.Status.Floor)
		if float64(s.Status.Attempts) > most+rounding {
			v.add(s.At, "at %s there had been %d attempts for %d calls, at most %.1f are paid for (budget %v, floor %d)",
				at(s.At), s.Status.Attempts, s.Status.Calls, most, s.Status.Budget, s.Status.Floor)
		}
	}
	return v.into(f)
}

// inFlight is I9. A limit that falls sends nobody away who is in: what is above it may only be left over, from the sample
// before or from the limit of that time. Between two samples a limit moves once at most.
func inFlight(e Evidence) Finding {
	f := Finding{ID: "I9", Claim: "nothing is let in above the limit, by every sample of every gate", Safety: true}
	var v violation
	before := map[string]measure.Gate{}
	for _, s := range e.Samples {
		for _, g := range s.Status.Gates {
			last := before[g.Name]
			if g.InFlight > max(g.Limit, last.Limit, last.InFlight) {
				v.add(s.At, "at %s gate %q had %d in flight, its limit is %d, and was %d with %d in flight before",
					at(s.At), g.Name, g.InFlight, g.Limit, last.Limit, last.InFlight)
			}
			before[g.Name] = g
		}
	}
	return v.into(f)
}

// recovered is I11.
func recovered(e Evidence, end time.Duration) Finding {
	f := Finding{ID: "I11", Claim: fmt.Sprintf("recovered within %s after the last fault", span.Short(e.Scene.Recover))}
	took, ok := measure.Recovery(e.Bins, end, e.Scene.RecoverWindow)
	f.Measured = "not before the end of the scene"
	if ok {
		f.Measured = "after " + span.Short(took)
	}
	switch {
	case e.Interrupted && !ok:
		f.State, f.Measured = Unjudged, ""
	case ok && took <= e.Scene.Recover:
		f.State = Holds
	default:
		f.State, f.Witness = Violated, "the last fault ended at "+at(end)+", recovered "+f.Measured
	}
	return f
}
