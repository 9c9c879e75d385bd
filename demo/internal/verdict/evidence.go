package verdict

import (
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/scene"
)

// Evidence is all that is known of one arm in one scene.
type Evidence struct {
	Scene scene.Scene
	Kind  string // of the arm
	// Answers are what customers saw, by the number of the arrival: one for each request that was sent.
	Answers []load.Answer
	// Samples are what the arm said of itself, by time.
	Samples []measure.Sample
	Bins    []measure.Bin
	// Interrupted says that the scene did not come to its end.
	Interrupted bool

	Ledger Ledger
	// LedgerErr says why there is no ledger.
	LedgerErr error
	// Zero is when the scene began on the clock of the ledger, and Slack by how much that may be wrong.
	Zero  time.Time
	Slack time.Duration
}

// clock returns a time of the ledger on the clock of the scene.
func (e Evidence) clock(t time.Time) time.Duration { return t.Sub(e.Zero) }

// covers reports whether a holding may have been in force at some time from Sent to Done of an answer.
func (e Evidence) covers(h holding, a load.Answer) bool {
	return e.clock(h.from)-e.Slack <= a.Done && (h.end == open || e.clock(h.until)+e.Slack >= a.Sent)
}

// Judge holds the evidence against the scene's rule and the invariants. What does not bind the kind of arm is left out:
// the rule and the limits bind only the arm with Seawall.
func Judge(e Evidence) []Finding {
	var findings []Finding
	if e.Kind == Seawall {
		findings = rules(e)
	}
	findings = append(findings, e.withLedger(seatsOnce, capacity, orders, expiry)...)
	findings = append(findings, staleness(e))
	if e.Kind == Seawall {
		findings = append(findings, attempts(e), inFlight(e))
	}
	if _, end, ok := e.Scene.Trouble(); ok {
		findings = append(findings, recovered(e, end))
	}
	return findings
}

// withLedger runs the checks that need the ledger, or says that they could not run.
func (e Evidence) withLedger(checks ...func(Evidence) Finding) []Finding {
	var findings []Finding
	for _, check := range checks {
		if e.LedgerErr == nil {
			findings = append(findings, check(e))
			continue
		}
		f := check(Evidence{})
		f.State, f.Measured, f.Witness = Unknown, "the databases could not be read: "+e.LedgerErr.Error(), ""
		findings = append(findings, f)
	}
	return findings
}
