// Package seawall keeps a program useful while what it depends on is slow, failing or overloaded.
//
// The package itself is the contract that the parts share; the parts are packages of their own: breaker, retry, hedge,
// timeout, bulkhead, ratelimit and degrade are policies, and policyfile reads chains of them from a file. httpx and grpcx
// put them around clients and servers; cache and httpcache keep what a source has given. health, lifecycle and telemetry
// are for who runs the program. fault breaks things on purpose, and seawalltest shows in virtual time what comes of it all
// under load.
//
// A [Policy] guards one operation. [Chain] puts policies around each other, the outermost first, and [Call] runs an
// operation that has a result through them:
//
//	var payments = seawall.Chain(
//		timeout.New("payments.total", timeout.Config{Limit: 2 * time.Second}),
//		retry.New("payments", retry.Config{}),
//		breaker.New("payments", breaker.Config{}),
//		bulkhead.New("payments", bulkhead.Config{Limit: 64}),
//		timeout.New("payments.attempt", timeout.Config{Limit: 500 * time.Millisecond}),
//	)
//
//	receipt, err := seawall.Call(ctx, payments, func(ctx context.Context) (Receipt, error) {
//		return psp.Charge(ctx, order)
//	})
//
// # Roles
//
// Every policy of this module plays one of five roles: [Gate], [Scope], [Repeater], [Racer] or [Replacer]. A chain asks
// them by role, so results travel as return values: on success a chain of such policies allocates nothing, but for a
// timeout, which is a context, and a hedge, whose attempts race. A policy of your own fits in with its one method, Do, at
// the price of one closure; it may also implement a role.
//
// # Outcomes
//
// All policies judge an error alike, by the [Verdict] of a classifier. The default is [Classify]: the caller's own
// cancellation is neither good nor bad, a rejection by a gate says nothing about the dependency, and an answer such as
// HTTP 429 is overload, which slows and shrinks but does not trip a breaker.
package seawall
