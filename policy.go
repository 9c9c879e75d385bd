package seawall

import "context"

// Policy guards one operation: it may delay, reject, repeat, race, time-limit or replace it.
//
// Do runs op under the policy and returns op's error, or the policy's own. The context that op gets is ctx or derived
// from it. A Policy is safe for concurrent use, and op may run zero, one or several times; under a [Racer] several at
// once, so an op that sets variables of its caller is a data race there: return the result through [Call].
type Policy interface {
	Do(ctx context.Context, op func(context.Context) error) error
}

// Call runs op under p and returns op's result. Where attempts race, it is the winner's; results of attempts that are
// not returned are closed if they are an io.Closer. Where a [Replacer] puts a value in the place of an error, the
// value must be a T: if it is not, the error says so.
//
// Call costs what the policies cost. With a [Pipeline] of this module's policies it allocates nothing on success, but for
// one context for each timeout.
func Call[T any](ctx context.Context, p Policy, op func(context.Context) (T, error)) (T, error) {
	return run(ctx, p, valueOp[T](op))
}

// CallDiscard is [Call] for results that need more than a Close when they are not returned: discard gets each result,
// once, that came with an error and was not the last, that lost a race, or that was replaced. It is not called with the
// zero T, which is what there is of an attempt that was rejected. It may be called from another goroutine, after
// CallDiscard has returned.
func CallDiscard[T any](
	ctx context.Context, p Policy, op func(context.Context) (T, error), discard func(T),
) (T, error) {
	return run(ctx, p, discardOp[T]{op, discard})
}

// Operation is an operation with what is to become of its results, as one value: for adapters, whose operations have a
// state of their own.
type Operation[T any] interface {
	// Call is the operation.
	Call(ctx context.Context) (T, error)
	// Discard gets what [CallDiscard] gives its function.
	Discard(T)
}

// CallOperation is [CallDiscard] without a closure: op is what would be captured, so that a call allocates nothing for it.
func CallOperation[T any, O Operation[T]](ctx context.Context, p Policy, op O) (T, error) {
	return run(ctx, p, wholeOp[T, O]{op})
}

// Do runs op under a policy that plays a role. It is the body of the Do method of such a policy:
//
//	func (g *MyGate) Do(ctx context.Context, op func(context.Context) error) error { return seawall.Do(ctx, g, op) }
//
// For a policy without a role it calls the policy's own Do.
func Do(ctx context.Context, p Policy, op func(context.Context) error) error {
	_, err := run(ctx, p, errOp(op))
	return err
}
