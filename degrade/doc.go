// Package degrade keeps an answer useful while a part of what it is made of is missing: by something else in the place
// of an error, by the parts that there are, and by doing less while the load is high.
//
//	var page = degrade.NewGather("page", degrade.GatherConfig{})
//	var brown = degrade.NewBrownout("page", degrade.BrownoutConfig{Signal: utilisation})
//
//	var seats []Seat
//	var price Price
//	var recs []Rec
//	report, err := page.Do(ctx,
//		degrade.Section("seats", seatsPolicy, &seats, loadSeats),
//		degrade.Section("price", pricePolicy, &price, loadPrice).OrStale(lastPrice),
//		degrade.Section("recs", seawall.Chain(brown.Work(seawall.Sheddable), recsPolicy), &recs, loadRecs).Optional(),
//	)
//
// # Fallback
//
// A [Fallback] is a policy that replaces an error by a value: a fixed one ([Value]), what a function gives ([Func]), a
// copy with its age ([StaleFunc]), or the first of several that has an answer ([Chain]).
//
//	var prices = seawall.Chain(
//		degrade.NewFallback("prices.copy", degrade.FallbackConfig{Func: degrade.Func(lastPrice)}),
//		breaker.New("prices", breaker.Config{}),
//	)
//
// It stands outside of what it is a fallback for. It should need less than what failed: a fallback that calls another
// service needs a chain of its own. The result does not show that it was replaced; the [seawall.Record] of the call
// does, and the counts of the Fallback do.
//
// # Exercise
//
// A fallback runs so rarely that nobody notices when it stops working: the table is gone, the copy empty, the type has
// changed. So with FallbackConfig.AlwaysExercise a share of the calls that succeed tries the fallback as well, all
// functions of a chain, with [ErrExercise] in the place of the error. What they give must have the type of the result,
// and is closed if it is an io.Closer. A failure, a panic or a runtime.Goexit is counted and logged
// (seawall.degrade.exercise_failed and exercise_restored, at the edge only); the caller never sees it.
//
// The price: the call returns when the exercise has ended, so it takes as much longer, at the most
// FallbackConfig.ExerciseLimit if the function heeds its context. Nothing is left running behind. A function that has
// effects should look for ErrExercise. The practice is that of Amazon: J. Gabrielson, "Avoiding fallback in distributed
// systems", The Amazon Builders' Library.
//
// # Gather
//
// A [Gather] loads named sections side by side, each with a policy and fallbacks of its own, and its [Report] says which
// of them are whole, degraded, stale or missing. A required section that fails ends the whole with an error and
// cancels the others; an optional one is missing and no more. Results are written to their destinations by the
// caller's goroutine, at the end, all of them or none, so that nobody reads what is half an answer. Do returns when all
// sections have ended, also when the caller leaves: one that ignores its context is waited for.
//
// # Brownout
//
// A [Brownout] switches optional work off while the load is high. The user supplies a signal, such as how full a bulkhead
// is, and says how important the work is, by the priorities of package seawall:
//
//	level                    switched off
//	Full                     nothing
//	WithoutSheddable         seawall.Sheddable
//	WithoutSheddablePlus     that and seawall.SheddablePlus
//	WithoutCritical          all but seawall.CriticalPlus; only if it is configured, or set by hand
//
// Three things keep the level from flapping: it moves one step at a time, it holds each step for a time, longer before a
// better one than before a worse one, and it ends at a lower signal than the one at which it begins. The signal is
// read by the calls, at most once in an interval: there is no goroutine. After a time without calls the level gets as
// much better as it would have with the signal of now.
//
// The idea is that of C. Klein, M. Maggio, K.-E. Årzén and F. Hernández-Rodriguez, "Brownout: Building More Robust Cloud
// Applications", ICSE 2014. Their controller sets a dimmer, the share of answers with optional content, from the latency
// of the answers; here there are levels with thresholds, because which work is switched off is then the same for all
// users and can be told.
package degrade
