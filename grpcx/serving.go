package grpcx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/internal/hop"
	"github.com/seawall-go/seawall/telemetry/span"
	"github.com/seawall-go/seawall/timeout"
)

// call is one call on its way through an interceptor of a server. It lives on the interceptor's stack.
type call struct {
	server   *Server
	settings *serverSettings
	method   string
	do       step

	quota  seawall.Permit // gives its tokens back if the call is refused further in
	slot   seawall.Permit
	early  *early             // has the slot instead, if a tap has admitted the call
	told   error              // what the slot's gate is told in the end
	cancel context.CancelFunc // ends the handler's context; nil if that is the caller's

	repeats *hop.Repeating // where the handler's clients note that their attempts are used up; nil if another interceptor has it

	recording bool // the call has a span that is to be described
}

// beginSpan begins to record what the policies do, if the call has a span that records, as that of otelgrpc. Of several
// interceptors it is the one that admits.
func (c *call) beginSpan(ctx context.Context) context.Context {
	if c.do&admitting != 0 {
		ctx, c.recording = span.Begin(ctx)
	}
	return ctx
}

// described describes the span, and returns err.
func (c *call) described(ctx context.Context, err error) error {
	if c.recording {
		span.Describe(ctx, err)
	}
	return err
}

// enter takes a call to its handler, and returns the handler's context, or how the call is refused. The limit of time
// is that for the handler.
func (c *call) enter(ctx context.Context, limit time.Duration) (context.Context, error) {
	s := c.server
	early := s.earlyOf(ctx)
	if early == nil && c.do&believing != 0 {
		ctx = c.settings.believe(ctx)
	}
	if c.do&timing != 0 {
		ctx = c.keepMargin(ctx, limit)
	}
	switch {
	case early == nil:
		if err := c.pass(ctx, &c.slot); err != nil {
			return ctx, err
		}
	case c.do&admitting != 0:
		if !early.claim() {
			return ctx, c.endedEarly(ctx)
		}
		c.early = early
	}
	if c.do&believing != 0 {
		c.repeats = &hop.Repeating{Context: ctx}
		ctx = c.repeats
	}
	c.told = seawall.ErrAborted // until the handler returns
	if c.do&timing != 0 && limit != Off {
		ctx = c.keepLimit(ctx, limit)
	}
	if ctx.Err() != nil {
		c.told = seawall.ErrCanceled // nothing was started
		return ctx, c.endedEarly(ctx)
	}
	return ctx, nil
}

// pass asks the gates. The slot is the call's, or the tap's that admits for it.
func (c *call) pass(ctx context.Context, slot *seawall.Permit) (err error) {
	s := c.server
	if c.do&admitting != 0 && s.draining.Load() {
		return c.refuse(ctx, codes.Unavailable, s.drained())
	}
	if c.do&rating != 0 && s.quota != nil {
		if key, ok := c.settings.Quota.key(ctx, c.method); ok {
			if c.quota, err = s.quota.Acquire(ctx, key); err != nil {
				return c.refuse(ctx, codes.ResourceExhausted, err)
			}
		}
	}
	if c.do&admitting != 0 {
		if *slot, err = s.gate.Acquire(ctx); err != nil {
			c.quota.Done(err)
			return c.refuse(ctx, codes.Unavailable, err)
		}
	}
	return nil
}

// keepMargin ends the handler's context before the caller's deadline, unless the limit will come first.
func (c *call) keepMargin(ctx context.Context, limit time.Duration) context.Context {
	deadline, ok := ctx.Deadline()
	if !ok || c.settings.DeadlineMargin == NoMargin {
		return ctx
	}
	left := time.Until(deadline)
	margin := min(c.settings.DeadlineMargin, left/10)
	if margin <= 0 || limit != Off && left-margin > limit {
		return ctx
	}
	ctx, c.cancel = context.WithDeadline(ctx, deadline.Add(-margin))
	return ctx
}

// keepLimit ends it after the limit, unless the caller's deadline comes first: by now, perhaps, after a wait.
func (c *call) keepLimit(ctx context.Context, limit time.Duration) context.Context {
	if c.cancel == nil {
		ctx = c.keepMargin(ctx, limit)
	}
	if left, ok := seawall.Remaining(ctx); c.cancel != nil || ok && left <= limit {
		return ctx
	}
	ctx, c.cancel = context.WithTimeoutCause(ctx, limit, c.settings.exceeded)
	return ctx
}

// answered notes how a handler has ended, and returns the error to send. caller is the context of the call, and inner
// the handler's.
func (c *call) answered(caller, inner context.Context, err error) error {
	if err == nil {
		c.told = nil
		return nil
	}
	if r, ok := errors.AsType[*refusal](err); ok && r.refused {
		c.quota.Done(err) // further in, so the call was not made
	}
	sent := c.statusOf(inner, err)
	if c.repeats != nil && (usedUp(err) || c.repeats.UsedUp() && mayBeRepeated(status.Code(sent))) {
		_ = grpc.SetTrailer(caller, metadata.MD{fieldPushback: {hop.Final}, fieldPushbackMillis: {"-1"}})
	}
	c.told = told(caller, inner, sent)
	return sent
}

// statusOf makes a status of an error that is none, where more than UNKNOWN can be said.
func (c *call) statusOf(inner context.Context, err error) error {
	if own, ok := errors.AsType[withStatus](err); ok {
		if call, ours := own.(*callError); ours {
			if rejected := call.rejection(); rejected != nil {
				return c.rejectedInside(inner, rejected, err)
			}
		}
		return err
	}
	if inner.Err() == context.DeadlineExceeded || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, timeout.ErrExceeded) {
		if inner.Err() != nil {
			c.server.outOfTime.Add(1)
		}
		return &refusal{status: status.New(codes.DeadlineExceeded, "deadline exceeded"), cause: err}
	}
	if rejected, ok := errors.AsType[*seawall.RejectedError](err); ok {
		return c.rejectedInside(inner, rejected, err)
	}
	return err
}

// withStatus is what package status looks for in the tree of an error.
type withStatus interface {
	error
	GRPCStatus() *status.Status
}

// told returns the error by which the gate judges a call whose handler has ended with err.
func told(caller, inner context.Context, err error) error {
	by := byPeer
	switch {
	// Our limit, or the caller's own, which is a failure as well. A client whose time is over cancels the stream at that very
	// instant, so what the context says of its end may be either.
	case isPast(inner):
		by = byLimit
	case seawall.Settle(caller, err) == seawall.ErrCanceled: //nolint:errorlint // it comes bare
		return seawall.ErrCanceled
	case errors.Is(err, seawall.ErrRejected):
		return err // a gate's, somewhere inside: it says nothing about us
	}
	return &ended{err, judge(ending{code: status.Code(err), by: by})}
}

// timed returns the slot's permit if its gate learns from the time that a call takes, or nil.
func (c *call) timed() *seawall.Permit {
	switch {
	case c.do&admitting == 0 || !c.server.learns:
		return nil
	case c.early != nil:
		return &c.early.slot
	}
	return &c.slot
}

// leave gives back what the call holds, on every path. It comes before rescue, so that a slot is free before anybody is
// told.
func (c *call) leave() {
	if c.cancel != nil {
		c.cancel()
	}
	if c.early != nil {
		c.early.slot.Done(c.told)
		return
	}
	c.slot.Done(c.told)
}

// rescue ends a call whose handler has panicked. After a runtime.Goexit it finds nothing to do.
func (c *call) rescue(ctx context.Context, err *error) {
	if c.do&recovering == 0 {
		return
	}
	if v := recover(); v != nil {
		*err = c.recovered(ctx, v)
	}
}

// recovered logs a panic, while its stack is still there, and returns the error to send, which says nothing about it.
func (c *call) recovered(ctx context.Context, v any) error {
	name, registry := c.server.name, c.settings.Registry
	c.server.panics.Add(1)
	stack := string(debug.Stack())
	events.Shield(registry.Logger(), serverKind, name, func() { // fmt.Sprint runs what is the user's, as the log does
		registry.Log(ctx, slog.LevelError, "seawall.grpcx.panic",
			slog.String("name", name),
			slog.String("method", c.method),
			slog.String("panic", fmt.Sprint(v)),
			slog.String("stack", stack))
	})
	return status.Error(codes.Internal, "internal error")
}

// ended is the end of a call as its gate is to judge it.
type ended struct {
	error
	verdict seawall.Verdict
}

func (e *ended) Unwrap() error            { return e.error }
func (e *ended) Verdict() seawall.Verdict { return e.verdict }

// Timeout tells an adaptive limit that the time was over.
func (e *ended) Timeout() bool { return status.Code(e.error) == codes.DeadlineExceeded }
