package seawalltest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Load is how a scenario went under one constant load.
type Load struct {
	PerSecond float64
	Recovered bool
	Report    *Report
}

// Loads is how a scenario went under several, the highest first.
type Loads []Load

// Hysteresis plays a scenario under each of some constant loads, evenly spaced, and tells under which it recovers after a
// trigger that is the same for all. Without a policy a system often collapses only near its capacity, and then recovers
// only far below it: between lie the loads at which it is vulnerable (HotOS 2021, figure 2). The scenario's own Arrivals
// are not used.
//
// Each load has a scenario of its own: on a ramp of loads one would measure how long the backlog of the earlier ones takes
// to drain, and not the boundary. A load counts as recovered if goodput is back at the share by the end, or if the
// dependency's queue shrinks so that it would be: after the trigger's end the mean of its last fifth is below four fifths
// of that of the first.
func Hysteresis(t *testing.T, s Scenario, triggerEnds time.Duration, share float64, loads ...float64) Loads {
	t.Helper()
	loads = slices.Clone(loads)
	slices.Sort(loads)
	slices.Reverse(loads)
	var all Loads
	for _, perSecond := range loads {
		s.Arrivals = Even(Constant(perSecond))
		r := Run(t, s)
		_, back := r.RecoveryTime(triggerEnds, share)
		all = append(all, Load{perSecond, back || r.drains(triggerEnds), r})
	}
	return all
}

// drains reports whether the dependency's queue shrinks for good.
func (r *Report) drains(after time.Duration) bool {
	fifth := (r.end() - after) / 5
	return mean(r.between(r.end()-fifth, r.end())) < 0.8*mean(r.between(after, after+fifth))
}

func mean(bins []Bin) float64 {
	sum := 0
	for _, b := range bins {
		sum += b.Waiting
	}
	return ratio(sum, len(bins))
}

// Recovery returns the highest load from which on all lower ones recover, 0 if even the lowest does not.
func (l Loads) Recovery() (perSecond float64) {
	for _, load := range slices.Backward(l) {
		if !load.Recovered {
			break
		}
		perSecond = load.PerSecond
	}
	return perSecond
}

// RecoversAt fails the test if the load at which the system recovers is below the least.
func (l Loads) RecoversAt(t testing.TB, least float64) {
	t.Helper()
	if got := l.Recovery(); got < least {
		t.Errorf("it recovers at %g calls per second, want at least %g (%v)", got, least, l)
	}
}

// String returns such as: 280/s down, 150/s recovers.
func (l Loads) String() string {
	texts := make([]string, len(l))
	for i, load := range l {
		state := "down"
		if load.Recovered {
			state = "recovers"
		}
		texts[i] = fmt.Sprintf("%g/s %s", load.PerSecond, state)
	}
	return strings.Join(texts, ", ")
}
