package scene

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// The limits of what a scene can be adjusted to.
const (
	// ShortestLength leaves a second or more before, during and after a fault.
	ShortestLength = 5 * time.Second
	// LongestLength is how long a person may want to wait.
	LongestLength = 24 * time.Hour
	// HeaviestLoad is far beyond what any scene survives.
	HeaviestLoad = 100

	shortestRecovery = 2 * time.Second
)

// Times returns the scene with all its times multiplied so that it lasts length: the faults, the times of the rule, the
// target for the recovery, which is not below 2 s because it is measured in seconds. The promises to customers stay as
// they are, and so does the rate. A scene that is much shorter than it was meant to be tests the machinery and not the
// hypothesis. The error names the value and the range.
func (s Scene) Times(length time.Duration) (Scene, error) {
	if length < ShortestLength || length > LongestLength {
		return Scene{}, fmt.Errorf("a scene of %v: want %v to %v", length, ShortestLength, LongestLength)
	}
	factor := float64(length) / float64(s.Length)
	scale := func(d time.Duration) time.Duration { return min(length, time.Duration(math.Round(float64(d)*factor))) }
	s.Length = length
	s.Plan.Faults = slices.Clone(s.Plan.Faults)
	for i, f := range s.Plan.Faults {
		end := scale(f.At + f.For)
		s.Plan.Faults[i].At = scale(f.At)
		s.Plan.Faults[i].For = end - s.Plan.Faults[i].At
	}
	s.Rule = slices.Clone(s.Rule)
	for i, c := range s.Rule {
		s.Rule[i].From, s.Rule[i].To = scale(c.From), scale(c.To)
	}
	s.Recover = max(shortestRecovery, time.Duration(math.Round(float64(s.Recover)*factor)))
	s.RecoverWindow = max(1, int(math.Round(float64(s.RecoverWindow)*factor)))
	return s, nil
}

// Load returns the scene with its rate multiplied. The error names the value and the range.
func (s Scene) Load(factor float64) (Scene, error) {
	if !(factor > 0 && factor <= HeaviestLoad) { // written so that NaN is out of range
		return Scene{}, fmt.Errorf("a load of %v: want above 0 and up to %d", factor, HeaviestLoad)
	}
	s.Rate *= factor
	return s, nil
}

// Seed returns the scene with the seed of the run in its plan of faults.
func (s Scene) Seed(seed uint64) Scene {
	s.Plan.Seed = seed
	return s
}
