package seawalltest

import (
	"testing"
	"time"
)

// Recovers fails the test unless goodput is back at the share within a time after the trigger has ended. See
// [Report.RecoveryTime] for what that means.
func (r *Report) Recovers(t testing.TB, triggerEnds, within time.Duration, share float64) {
	t.Helper()
	switch d, ok := r.RecoveryTime(triggerEnds, share); {
	case !ok && triggerEnds > r.end()-steady:
		t.Errorf("whether goodput came back to %.0f %% cannot be told: the trigger ends at %v, and the scenario at %v, which is less than %v later (%v)",
			100*share, triggerEnds, r.end(), steady, r)
	case !ok:
		at := r.latestBelow(triggerEnds, share)
		t.Errorf("goodput did not come back to %.0f %% for good: in the %v from %v on it was still %.1f %% (%v)",
			100*share, steady, at, 100*r.Between(at, at+steady).Goodput(), r)
	case d > within:
		t.Errorf("goodput was back at %.0f %% after %v, want within %v (%v)", 100*share, d, within, r)
	}
}

// StaysDown fails the test if goodput comes back to the share: for baselines, which show that the trigger is a trigger.
func (r *Report) StaysDown(t testing.TB, triggerEnds time.Duration, share float64) {
	t.Helper()
	if d, ok := r.RecoveryTime(triggerEnds, share); ok {
		t.Errorf("goodput was back at %.0f %% after %v, although it should not recover (%v)", 100*share, d, r)
	}
}

// MinGoodput fails the test if the share of good calls in a time is below the least.
func (r *Report) MinGoodput(t testing.TB, from, to time.Duration, least float64) {
	t.Helper()
	if got := r.Between(from, to).Goodput(); got < least {
		t.Errorf("goodput from %v to %v was %.2f %%, want at least %.2f %% (%v)", from, to, 100*got, 100*least, r)
	}
}

// MaxAmplification fails the test if more requests than so many for each call were sent.
func (r *Report) MaxAmplification(t testing.TB, most float64) {
	t.Helper()
	if got := r.Totals.Amplification(); got > most {
		t.Errorf("%.3f requests for each call, want at most %.3f (%v)", got, most, r)
	}
}

// MaxInFlight fails the test if more calls were under way at once, at the end of a bin.
func (r *Report) MaxInFlight(t testing.TB, most int) {
	t.Helper()
	if got := r.PeakInFlight(); got > most {
		t.Errorf("%d calls were under way, want at most %d (%v)", got, most, r)
	}
}
