// Package gate models the capacity of a dependency: a queue before a few workers, each of which takes a drawn time.
//
// Two arms of an experiment on two cores would steal CPU from each other, so their capacity is set and not found.
// Before the real work of each dependency stands a [Gate]:
//
//	inventory := gate.New("inventory", gate.Config{Workers: 8, Mean: 40 * time.Millisecond, Draws: draw.New(seed)})
//	err := inventory.Run(ctx, gate.Key{Arrival: n, Attempt: 1}, func(ctx context.Context) error { ... })
//
// Everything else about the dependency is real. The gate knows nothing of limits, priorities or deadlines: it is what
// the arms' policies are there to protect, and the same for each of them.
package gate
