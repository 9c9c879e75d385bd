package runner

import (
	"time"

	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/tally"
	"github.com/seawall-go/seawall/fault"
)

// Config sets how scenes are played.
type Config struct {
	// Seed fixes arrivals, service times and faults.
	Seed uint64
	// Arms are told of in this order. At least one; names differ.
	Arms []Spec
	// LastFirst builds, serves and samples the arms in the reverse order: half of the scenes so, if it must not matter.
	LastFirst bool
	// Build builds them. Required.
	Build Builder
	// CPU returns the processor time that the process has used so far. nil means that the machine is not watched, as in
	// virtual time, where it decides nothing.
	CPU func() (time.Duration, bool)
	// Drain is how long answers are waited for when the last customer has come. Default 10 s.
	Drain time.Duration
	// Hooks tell what happens while it happens.
	Hooks Hooks
	// Tally counts what customers ask and get. It has the names of the Arms. nil counts nothing.
	Tally *tally.Tally
}

// Hooks are called one at a time, in the order of the events, by a goroutine of their own: one that takes long delays
// the others, and not the scene. If they fall far behind, seconds are left out. nil is off.
type Hooks struct {
	// Ready is told that all arms serve, how long it took, and which pages they have for the people who run them.
	Ready func(took time.Duration, pages []Page)
	// Second is told of each second of the scene when its deadlines have passed, with one entry for each arm, in their
	// order.
	Second func(at time.Duration, arms []Second)
	// Fault is told when a fault begins and when it ends.
	Fault func(fault.Event)
}

// Second is one second of one arm.
type Second struct {
	Spec
	measure.Live
}

const defaultDrain = 10 * time.Second
