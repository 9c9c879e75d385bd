package scene

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/fault"
)

// Scene is one experiment. It is data: it prints as JSON and reads back. All times are on the scene's own clock, which
// starts with the first second of load.
type Scene struct {
	// Name is how people call it, such as "brownout".
	Name string
	// Hypothesis is what is claimed of an arm with Seawall. It is printed before the scene starts.
	Hypothesis string
	// Length is how long customers come. Above 0.
	Length time.Duration
	// Rate is how many come in a second, on average. Above 0.
	Rate float64
	// Mix is what they want.
	Mix load.Mix
	// Plan is what goes wrong. Its seed is that of the run.
	Plan fault.Plan
	// SLO is what the customers are promised.
	SLO measure.SLO
	// Recover is within which time after the end of the last fault an arm is to have recovered. Above 0.
	Recover time.Duration
	// RecoverWindow is over how many seconds it must hold; see [measure.Recovery]. At least 1.
	RecoverWindow int
	// Rule is what must be true of an arm with Seawall, beside the invariants.
	Rule []Check
}

// Validate returns an error that names what is impossible.
func (s Scene) Validate() error {
	switch {
	case s.Name == "":
		return fmt.Errorf("scene: no name")
	case s.Length <= 0:
		return fmt.Errorf("scene %s: length is %v, want above 0s", s.Name, s.Length)
	case !(s.Rate > 0): // written so that NaN is out of range
		return fmt.Errorf("scene %s: rate is %v, want above 0", s.Name, s.Rate)
	case s.Recover <= 0:
		return fmt.Errorf("scene %s: recover is %v, want above 0s", s.Name, s.Recover)
	case s.RecoverWindow < 1:
		return fmt.Errorf("scene %s: recover_window is %d, want at least 1", s.Name, s.RecoverWindow)
	}
	if err := s.Mix.Validate(); err != nil {
		return fmt.Errorf("scene %s: %w", s.Name, err)
	}
	if err := s.SLO.Validate(); err != nil {
		return fmt.Errorf("scene %s: %w", s.Name, err)
	}
	if err := s.Plan.Validate(); err != nil {
		return fmt.Errorf("scene %s: %w", s.Name, err)
	}
	for i, c := range s.Rule {
		if err := c.validate(s.Length); err != nil {
			return fmt.Errorf("scene %s: rule[%d]: %w", s.Name, i, err)
		}
	}
	if _, end, ok := s.Trouble(); ok && end > s.Length {
		return fmt.Errorf("scene %s: a fault ends at %v, after the scene of %v", s.Name, end, s.Length)
	}
	return nil
}

// Trouble returns when the first fault begins and when the last one ends; false if there is none.
func (s Scene) Trouble() (from, to time.Duration, ok bool) {
	for i, f := range s.Plan.Faults {
		if i == 0 || f.At < from {
			from = f.At
		}
		to = max(to, f.At+f.For)
	}
	return from, to, len(s.Plan.Faults) > 0
}

// Phase is a part of a scene, from From until just before To.
type Phase struct {
	Name     string
	From, To time.Duration
}

// Phases returns what comes before, during and after the faults; only one, "all", if there are none.
func (s Scene) Phases() []Phase {
	from, to, ok := s.Trouble()
	if !ok {
		return []Phase{{"all", 0, s.Length}}
	}
	return []Phase{{"before", 0, from}, {"during", from, to}, {"after", to, s.Length}}
}
