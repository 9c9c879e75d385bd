// Package span writes into the span of a call what the policies around it did. It starts no span of its own: what it
// describes is the one that otelhttp, otelgrpc or the program has started. The adapters of this module use it for what
// goes through them; a program uses it around a chain of its own:
//
//	ctx, recording := span.Begin(ctx)
//	receipt, err := seawall.Call(ctx, payments, charge)
//	if recording {
//		span.Describe(ctx, err)
//	}
//
// A call whose span is not recorded costs a look into its context.
package span

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall"
)

// Begin returns a context whose calls are recorded, and true, if ctx has a span that records. A Record that is in ctx
// already is used as it is.
func Begin(ctx context.Context) (context.Context, bool) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, false
	}
	if seawall.RecordOf(ctx) == nil {
		ctx, _ = seawall.WithRecord(ctx)
	}
	return ctx, true
}

// Describe sets the attributes of ctx's span from its Record, its facts and the error that the call ended with:
//
//	seawall.rejected_by         the kind and name of the policy that rejected it, such as: breaker "payments"
//	seawall.reason              why
//	seawall.attempt             the attempt of the caller's caller that this call is part of, if not the first
//	seawall.retry.count         attempts after the first
//	seawall.hedge.winner        the number of the attempt that won a race
//	seawall.degrade.source      stale, if the answer is a copy, and fallback if it is another replacement
//	seawall.stale.age           the age of a copy, in seconds
//	seawall.deadline.remaining  the time left when the call has ended, in seconds
//	seawall.priority            if it is not critical
//
// A rejection sets the span's status to error. A stale answer does not: it is what the caller asked for.
func Describe(ctx context.Context, err error) {
	s := trace.SpanFromContext(ctx)
	if !s.IsRecording() {
		return
	}
	facts := seawall.RecordOf(ctx).Facts()
	var all []attribute.KeyValue
	if rejected, ok := errors.AsType[*seawall.RejectedError](err); ok {
		all = append(all,
			attribute.String("seawall.rejected_by", rejected.Kind+" \""+rejected.Name+"\""),
			attribute.String("seawall.reason", string(rejected.Reason)))
		s.SetStatus(codes.Error, "rejected: "+string(rejected.Reason))
	} else if facts.Reason != "" {
		all = append(all, attribute.String("seawall.reason", string(facts.Reason)))
	}
	if n := seawall.Attempt(ctx); n > 1 {
		all = append(all, attribute.Int("seawall.attempt", n))
	}
	if facts.Retries > 0 {
		all = append(all, attribute.Int("seawall.retry.count", facts.Retries))
	}
	if facts.Winner > 0 {
		all = append(all, attribute.Int("seawall.hedge.winner", facts.Winner))
	}
	switch {
	case facts.Stale > 0:
		all = append(all, attribute.String("seawall.degrade.source", "stale"),
			attribute.Float64("seawall.stale.age", facts.Stale.Seconds()))
	case facts.Replaced:
		all = append(all, attribute.String("seawall.degrade.source", "fallback"))
	}
	if left, ok := seawall.Remaining(ctx); ok {
		all = append(all, attribute.Float64("seawall.deadline.remaining", max(0, left.Seconds())))
	}
	if p := seawall.PriorityOf(ctx); p != seawall.Critical {
		all = append(all, attribute.String("seawall.priority", p.String()))
	}
	s.SetAttributes(all...)
}
