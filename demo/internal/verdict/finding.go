package verdict

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall/demo/internal/span"
)

// The kinds of arm.
const (
	// Seawall is the arm that the rules bind.
	Seawall = "seawall"
	// Plain is the arm of a careful Go developer without a resilience library.
	Plain = "plain"
	// NoRetry is Plain without its retries.
	NoRetry = "noretry"
)

// Kinds returns all kinds of arm.
func Kinds() []string { return []string{Seawall, Plain, NoRetry} }

// Finding says whether one thing that must be true was.
type Finding struct {
	// ID is such as "I1" for an invariant, "R2" for the second line of the scene's rule, "A/A" for the comparison of two
	// equal arms.
	ID string `json:"id"`
	// Claim is what must be true.
	Claim string `json:"claim"`
	State State  `json:"state"`
	// Measured is what was found, for people.
	Measured string `json:"measured,omitempty"`
	// Witness is the shortest proof of a violation: two facts that cannot both be true, with their times.
	Witness string `json:"witness,omitempty"`
	// Safety says that the finding is not about time, so that it counts even if the machine was too slow for the run to
	// prove anything else.
	Safety bool `json:"safety,omitzero"`
}

// State is what became of a claim.
type State string

// The states.
const (
	Holds    State = "holds"
	Violated State = "violated"
	// Unknown means that it should have been checked and could not be. It does not pass.
	Unknown State = "unknown"
	// Unjudged means that the scene was interrupted before it could be said.
	Unjudged State = "unjudged"
)

// at returns a time of the scene for a witness.
func at(d time.Duration) string { return "t=" + span.Short(d) }

// violation counts the violations of one claim, and keeps the earliest witness.
type violation struct {
	count int
	first time.Duration
	text  string
}

func (v *violation) add(when time.Duration, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	// Of several at one time the choice must not depend on the order of a map.
	if v.count == 0 || when < v.first || when == v.first && text < v.text {
		v.first, v.text = when, text
	}
	v.count++
}

// into fills a finding.
func (v *violation) into(f Finding) Finding {
	f.State = Holds
	if v.count > 0 {
		f.State, f.Witness = Violated, v.text
		if v.count > 1 {
			f.Witness += fmt.Sprintf(" (and %d more)", v.count-1)
		}
	}
	return f
}
