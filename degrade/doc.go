// Package degrade puts something useful in the place of an error: a default, an older answer, a simpler one.
//
//	var seats = seawall.Chain(
//		degrade.NewFallback("seats.copy", degrade.FallbackConfig{Func: degrade.Func(lastGoodCopy)}),
//		breaker.New("inventory", breaker.Config{}),
//	)
//
// A fallback stands outside of what it is a fallback for. It should need less than what failed: a fallback that calls
// another service needs a chain of its own.
package degrade
