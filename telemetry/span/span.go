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
// A client of httpx or grpcx describes the span of the program around its call, or that of otelhttp around its transport; a
// Handler or Server that of otelhttp or otelgrpc. Spans of single attempts, further in, are not described. That of a stream is
// described when the stream ends: a span that has ended before says nothing of it.
//
// What a cache had for a call is known where the call's record is around the cache: in a handler behind a Handler or a Server,
// or between Begin and Describe. A client that is further in says nothing of a cache around it.
//
// A call whose span is not recorded costs a look into its context.
package span

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall"
)

// Begin returns a context whose call is recorded, and true, if ctx has a span that records. The call has a Record of its own:
// what that collects is added to one that is in ctx already when [Describe] is called.
func Begin(ctx context.Context) (context.Context, bool) {
	s := trace.SpanFromContext(ctx)
	return begin(ctx, s.IsRecording())
}

// BeginCall is Begin for a client's call, which may be one of many that a request makes: it leaves the span alone that
// is about the request which the program serves. So a span is described that is about the call, or a part of the program
// that makes it. The span has to tell its kind, as the SDK's do; one that does not is described.
func BeginCall(ctx context.Context) (context.Context, bool) {
	s := trace.SpanFromContext(ctx)
	return begin(ctx, s.IsRecording() && !serves(s))
}

func serves(s trace.Span) bool {
	of, ok := s.(interface{ SpanKind() trace.SpanKind })
	return ok && (of.SpanKind() == trace.SpanKindServer || of.SpanKind() == trace.SpanKindConsumer)
}

type outerKey struct{}

func begin(ctx context.Context, recording bool) (context.Context, bool) {
	if !recording {
		return ctx, false
	}
	if outer := seawall.RecordOf(ctx); outer != nil {
		ctx = context.WithValue(ctx, outerKey{}, outer)
	}
	ctx, _ = seawall.WithRecord(ctx)
	return ctx, true
}

// addTo adds what one call has collected to what was collected around it.
func addTo(outer *seawall.Facts, f seawall.Facts) {
	outer.Retries += f.Retries
	outer.Hedges += f.Hedges
	outer.Waited += f.Waited
	outer.ServerDelay = max(outer.ServerDelay, f.ServerDelay)
	if f.Replaced {
		outer.Replaced, outer.Source = true, f.Source
	}
	outer.Stale = max(outer.Stale, f.Stale)
	outer.Cache = max(outer.Cache, f.Cache)
	if f.Winner != 0 {
		outer.Winner = f.Winner
	}
	if f.DecidedBy != "" {
		outer.DecidedBy, outer.Reason = f.DecidedBy, f.Reason
	}
}

// Describe sets the attributes of ctx's span from its Record, its facts and the error that the call ended with. ctx is what
// Begin has returned, or derived from it. It is called once:
//
//	seawall.rejected_by         the kind and name of the policy that rejected it, such as: breaker "payments"
//	seawall.reason              why
//	seawall.attempt             the attempt of the caller's caller that this call is part of, if not the first
//	seawall.retry.count         attempts after the first
//	seawall.hedge.winner        the number of the attempt that won a race
//	seawall.degrade.source      stale, if the answer is a copy; func, static or partial, if it is another replacement
//	seawall.cache.result        what caches had: fresh, miss, stale or error; of several, the worst
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
	if outer, ok := ctx.Value(outerKey{}).(*seawall.Record); ok && outer != seawall.RecordOf(ctx) {
		outer.Note(func(f *seawall.Facts) { addTo(f, facts) })
	}
	var all []attribute.KeyValue
	if rejected, ok := errors.AsType[*seawall.RejectedError](err); ok {
		all = append(all,
			attribute.String("seawall.rejected_by", rejectedBy(rejected)),
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
		all = append(all, attribute.String("seawall.degrade.source", cmp.Or(facts.Source, "func")))
	}
	if facts.Cache != seawall.NoCache {
		all = append(all, attribute.String("seawall.cache.result", facts.Cache.String()))
	}
	if left, ok := seawall.Remaining(ctx); ok {
		all = append(all, attribute.Float64("seawall.deadline.remaining", max(0, left.Seconds())))
	}
	if p := seawall.PriorityOf(ctx); p != seawall.Critical {
		all = append(all, attribute.String("seawall.priority", p.String()))
	}
	s.SetAttributes(all...)
}

// rejectedBy names a policy. The name of a member of a family has a key in it, which may come from anywhere: an exporter
// refuses all spans that it has for one value that is not UTF-8.
func rejectedBy(e *seawall.RejectedError) string {
	const limit = 192 // a name, and a key, of 64 bytes each
	name := strings.ToValidUTF8(e.Name, "?")
	if len(name) > limit {
		name = strings.ToValidUTF8(name[:limit], "")
	}
	return e.Kind + ` "` + name + `"`
}
