package retry

import (
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// Traits returns the bound on the attempts, 0 if there is none, and the budget.
func (r *Retry) Traits() seawall.Traits {
	s := r.settings.Load()
	t := seawall.Traits{Kind: kind, Attempts: s.MaxAttempts, Budget: s.budget}
	if s.MaxAttempts == Unlimited {
		t.Attempts = 0
	}
	return t
}

// keepFor is how long after a refused retry a Retry must be kept. Its bucket fills with successes and not with time, so
// without an end a family could never forget a key that failed and was then given up.
const keepFor = time.Minute

// Keep reports whether a budget of the Retry's own has refused a retry in the last minute, and has not been half full
// since: made anew it would be full, and pay for retries of what is down. A shared budget outlives the Retry.
func (r *Retry) Keep() bool {
	s := r.settings.Load()
	return s.budget != nil && s.Budget == nil && r.starved.Load() &&
		mono.Now()-time.Duration(r.counts.deniedAt.Load()) < keepFor
}
