package degrade

import (
	"sync/atomic"

	"github.com/seawall-go/seawall"
)

// fallbackCounts are rare: a success counts nothing.
type fallbackCounts struct {
	served                             [sourceCount]atomic.Int64
	left, failed                       atomic.Int64
	exercised, exerciseFailed, skipped atomic.Int64
}

// FallbackStats are the counts since [NewFallback]. Each error that a [Fallback] is shown is counted once, as replaced,
// left or failed.
type FallbackStats struct {
	Func   int64 // errors that were replaced by what a function gave
	Static int64 // errors that were replaced by a fixed value
	Stale  int64 // errors that were replaced by a copy

	Left   int64 // errors that were left alone, by When or because the caller had left
	Failed int64 // errors for which there was no answer

	Exercised        int64 // exercises that ran to their end
	ExerciseFailed   int64 // of them, those without an answer of the right type
	ExercisesSkipped int64 // exercises that did not run, beside another or for a caller that has left
}

// Replaced returns how many errors were replaced.
func (s FallbackStats) Replaced() int64 { return s.Func + s.Static + s.Stale }

// Stats returns the counts.
func (f *Fallback) Stats() FallbackStats {
	c := &f.counts
	return FallbackStats{
		Func:             c.served[fromFunc].Load(),
		Static:           c.served[fromStatic].Load(),
		Stale:            c.served[fromStale].Load(),
		Left:             c.left.Load(),
		Failed:           c.failed.Load(),
		ExerciseFailed:   c.exerciseFailed.Load(), // before the sum of which it is a part
		Exercised:        c.exercised.Load(),
		ExercisesSkipped: c.skipped.Load(),
	}
}

// Snapshot returns the Stats in the form of the registry. The state is "exercise_failed" if the last exercise failed.
func (f *Fallback) Snapshot() seawall.Snapshot {
	s, state := f.Stats(), ""
	if f.exercise.broken.Load() {
		state = "exercise_failed"
	}
	return seawall.Snapshot{Kind: fallbackKind, Name: f.name, State: state, Values: []seawall.Value{
		{Name: "served.func", V: float64(s.Func)},
		{Name: "served.static", V: float64(s.Static)},
		{Name: "served.stale", V: float64(s.Stale)},
		{Name: "left", V: float64(s.Left)},
		{Name: "failed", V: float64(s.Failed)},
		{Name: "exercises", V: float64(s.Exercised)},
		{Name: "exercises.failed", V: float64(s.ExerciseFailed)},
		{Name: "exercises.skipped", V: float64(s.ExercisesSkipped)},
	}}
}
