package verdict

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/span"
)

// rules judges each line of the scene's rule.
func rules(e Evidence) []Finding {
	var findings []Finding
	for i, c := range e.Scene.Rule {
		f := Finding{ID: fmt.Sprintf("R%d", i+1), Claim: c.String()}
		var holds bool
		switch c.Measure {
		case scene.Goodput:
			holds, f.Measured = goodput(e, c)
		case scene.RefusedInTime:
			holds, f.Measured = refusedInTime(e, c)
		case scene.AttemptsPerCall:
			holds, f.Measured = attemptsPerCall(e, c)
		}
		switch {
		case e.Interrupted:
			f.State = Unjudged
		case holds:
			f.State = Holds
		default:
			f.State, f.Witness = Violated, f.Measured
		}
		findings = append(findings, f)
	}
	return findings
}

// goodput does not hold where nothing was asked for: a rule about nothing proves nothing.
func goodput(e Evidence, c scene.Check) (bool, string) {
	s := measure.Goodput(e.Scene.SLO, e.Answers, c.From, c.To, c.Kinds...)
	return s.Ratio() >= c.AtLeast, fmt.Sprintf("%s of %d", s, s.Whole)
}

func refusedInTime(e Evidence, c scene.Check) (bool, string) {
	var told []time.Duration
	var s measure.Share
	silent := 0
	for _, a := range e.Answers {
		if !c.Covers(a.Request) {
			continue
		}
		grade := e.Scene.SLO.Grade(a)
		if grade == measure.Failed || grade == measure.Slow {
			silent++
		}
		if grade != measure.Refused {
			continue
		}
		told = append(told, a.Latency())
		s.Whole++
		if a.Latency() <= c.Within {
			s.Part++
		}
	}
	if s.Whole == 0 {
		return silent == 0, fmt.Sprintf("none was refused, %d failed or came late", silent)
	}
	l := measure.LatencyOf(told)
	return s.Ratio() >= c.AtLeast && silent <= s.Whole,
		fmt.Sprintf("%s of %d, p99 %s, the last after %s; %d failed or came late",
			s, s.Whole, span.Short(l.P99), span.Short(l.Max), silent)
}

// rounding is what floating point may lose of a number of attempts that is exactly on its limit.
const rounding = 1e-6

func attemptsPerCall(e Evidence, c scene.Check) (bool, string) {
	if len(e.Samples) == 0 {
		return false, "the arm was never asked"
	}
	last := e.Samples[len(e.Samples)-1].Status
	most := c.AtMost*float64(last.Calls) + float64(last.Floor)
	ratio := 0.0
	if last.Calls > 0 {
		ratio = float64(last.Attempts) / float64(last.Calls)
	}
	return float64(last.Attempts) <= most+rounding,
		fmt.Sprintf("%.2f: %d attempts for %d calls, floor %d", ratio, last.Attempts, last.Calls, last.Floor)
}
