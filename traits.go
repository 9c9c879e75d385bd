package seawall

import "time"

// Traits is what [Pipeline.Lint] knows of a policy beside its role. A zero field says nothing.
type Traits struct {
	Kind string // as in a [Snapshot], such as "breaker"

	Limit    time.Duration // timeout: the longest that a call may take; 0 if there is no fixed limit
	Attempts int           // retry and hedge: how many attempts a call may have; 0 if there is no bound
	Delay    time.Duration // hedge: the shortest time before the second attempt
	Wait     time.Duration // bulkhead and ratelimit: the longest that a call may wait in its queue; 0 if there is none
	Window   time.Duration // breaker: how far back outcomes count; 0 for a window of calls
	Budget   *Budget       // retry and hedge: what pays for their attempts
}

// Describer is a policy that tells its traits. Policies of this module do.
type Describer interface {
	// Traits returns the traits of the configuration in force.
	Traits() Traits
}

// Keeper is a policy that may have to be kept although nobody uses it now, because making it anew would lose something
// that matters: an open breaker, a mode that was set by hand, slots in use, an empty bucket. Families of policies by key,
// such as a [Group], ask it before they forget one.
type Keeper interface {
	// Keep reports whether the policy must be kept. It is quick, takes no lock that user code may hold, and does not
	// call back.
	Keep() bool
}
