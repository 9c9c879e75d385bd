package measure

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/span"
)

// Machine is what a scene demanded of the machine.
type Machine struct {
	// Watched is false in virtual time, where the machine decides nothing: then CPU and NapP99 are not known.
	Watched bool `json:"watched"`
	Cores   int  `json:"cores"`
	// CPU is the highest share of all processors that this process used in any 5 s, 0 to 1. 0 where the system does not
	// tell.
	CPU float64 `json:"cpu"`
	// NapP99 is by how much a sleep of 10 ms was too long, at the 99th percentile.
	NapP99 time.Duration `json:"nap_p99_ns"`
	// Late are the requests that were sent more than 10 ms late.
	Late Share `json:"late"`
	// Short are the service times that were too short for the real work inside of them.
	Short Share `json:"short"`
}

// The limits beyond which the machine, and not the policies, decided a run.
const (
	MaxCPU   = 0.70
	MaxNap   = 5 * time.Millisecond
	MaxLate  = 0.001
	MaxShort = 0.01
)

// Objection is a reason why a run is not valid.
type Objection struct {
	What string `json:"what"` // such as: late arrivals 0.31 %, at most 0.10 %
	Cure string `json:"cure"` // such as: -load 0.5
}

// String returns both.
func (o Objection) String() string { return o.What + ": " + o.Cure }

// Objections returns why the machine was not good enough, nothing if it was.
func (m Machine) Objections() []Objection {
	const slower = "close other programs, or run with -load 0.5, or with one arm (-arms seawall)"
	var objections []Objection
	object := func(bad bool, cure, format string, args ...any) {
		if bad {
			objections = append(objections, Objection{fmt.Sprintf(format, args...), cure})
		}
	}
	object(m.CPU > MaxCPU, slower,
		"the process used %.0f %% of %d processors for 5 s, at most %.0f %% is valid", 100*m.CPU, m.Cores, 100*MaxCPU)
	object(m.NapP99 > MaxNap, slower,
		"a sleep of 10 ms took %s longer at p99, at most %s is valid", span.Short(m.NapP99), MaxNap)
	object(m.Late.Ratio() > MaxLate, slower,
		"%d of %d requests were sent more than %s late, at most %.1f %% is valid",
		m.Late.Part, m.Late.Whole, load.LateAfter, 100*MaxLate)
	object(m.Short.Ratio() > MaxShort, "a faster disk or a quieter machine, or run with -load 0.5",
		"%d of %d drawn service times were too short for the real work, at most %.0f %% is valid",
		m.Short.Part, m.Short.Whole, 100*MaxShort)
	return objections
}

// String returns such as: cpu 41 %, sleeps 0.3ms late at p99, late 0.00 %, short draws 0.00 %.
func (m Machine) String() string {
	text := fmt.Sprintf("late %.2f %%, short draws %.2f %%", 100*m.Late.Ratio(), 100*m.Short.Ratio())
	if !m.Watched {
		return text
	}
	return fmt.Sprintf("cpu %.0f %%, sleeps %s too long at p99, %s", 100*m.CPU, span.Short(m.NapP99), text)
}

// Late counts the requests that were sent late.
func Late(answers []load.Answer) Share {
	s := Share{Whole: len(answers)}
	for _, a := range answers {
		if a.Late() {
			s.Part++
		}
	}
	return s
}
