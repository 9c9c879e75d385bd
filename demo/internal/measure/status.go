package measure

import "time"

// Status is what an arm says of itself at one instant. Counts are cumulative from the arm's start and never fall.
type Status struct {
	// Open is how many breakers are open or half open.
	Open int
	// Gates are the limits on what is in flight. Empty for an arm that has none.
	Gates []Gate
	// Shed is how many requests were refused by the arm itself.
	Shed uint64
	// Calls is how often a client of the arm sent a dependency something new, and Attempts how often it sent: more
	// where it tried again.
	Calls, Attempts uint64
	// Budget is how many further attempts one call may bring on average, such as 0.1, and Floor how many there may be
	// beside that: the sum of what the arm's retry budgets hold when full. Both 0 if nothing bounds them.
	Budget float64
	Floor  int
	// Draws is how many service times were drawn, and Short how many of them were too short for the real work.
	Draws, Short uint64
}

// Gate is a limit on what is in flight.
type Gate struct {
	Name     string
	InFlight int
	Limit    int
}

// InFlight returns the sum over the gates.
func (s Status) InFlight() int {
	sum := 0
	for _, g := range s.Gates {
		sum += g.InFlight
	}
	return sum
}

// Limit returns the sum over the gates, 0 if there is none.
func (s Status) Limit() int {
	sum := 0
	for _, g := range s.Gates {
		sum += g.Limit
	}
	return sum
}

// Sample is the status of an arm at an instant of the scene.
type Sample struct {
	At     time.Duration
	Status Status
}

// SampleEvery is how often arms are asked for their status.
const SampleEvery = 100 * time.Millisecond
