package grpcx

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/timeout"
)

// limits is what ends the context of an attempt, and is its cause then.
type limits struct {
	attempt, total error
}

// blame begins the error of an attempt, and says who has ended it. parent is what the attempt's own context, ctx, is
// derived from; limit is the limit of ours that ctx has, nil if none.
func (l limits) blame(parent, ctx context.Context, limit, err error) (*attemptError, ending) {
	failed := &attemptError{status: status.Convert(err), err: err}
	e := ending{code: failed.status.Code()}
	// grpc-go, and a server that was told of the deadline, may be faster than the timer of the context.
	faster := e.code == codes.DeadlineExceeded || e.code == codes.Canceled
	switch {
	case parent.Err() == context.Canceled: // the two errors of a context are never wrapped
		e.by, failed.cause = byLeaving, context.Cause(parent)
	case limit != nil && (context.Cause(ctx) == limit || faster && isPast(ctx) && !isPast(parent)): //nolint:errorlint // which one, not of what kind
		e.by = byDeadline
		if limit == l.attempt { //nolint:errorlint // the same
			e.by = byLimit
			failed.status, failed.err = status.New(codes.DeadlineExceeded, limit.Error()), limit
		}
	case parent.Err() != nil:
		e.by, failed.cause = byDeadline, context.Cause(parent)
	case faster && isPast(parent):
		e.by, failed.cause = byDeadline, context.DeadlineExceeded
	}
	return failed, e
}

// isPast reports whether the deadline of a context has passed, of which the context itself may not have heard yet.
func isPast(ctx context.Context) bool {
	left, limited := seawall.Remaining(ctx)
	return limited && left <= 0
}

// withinMargin reports whether a limit of ours, with which ctx ends, is so close that a server has answered for it: by its
// margin it is done before the deadline that it was told. limit may be nil.
func withinMargin(ctx context.Context, limit error) bool {
	exceeded, ok := limit.(*timeout.ExceededError) //nolint:errorlint // it is bare
	left, limited := seawall.Remaining(ctx)
	return ok && limited && left <= min(defaultMargin, exceeded.Limit/10)
}

// verdicter is an error that knows its verdict: policies of ours inside of these.
type verdicter interface {
	error
	Verdict() seawall.Verdict
}

// settle takes in what the peer has said, and gives the verdict. ask tells whether the peer is trusted.
func (e *attemptError) settle(end ending, trailer metadata.MD, r *rules, idempotent bool, ask func() bool) {
	end.listed = slices.Contains(r.retryCodes, end.code)
	if end.by == byPeer {
		end.readPushback(trailer, e.status)
		e.final = end.final
		end.trusted = end.refused && ask()
	}
	e.verdict = judge(end)
	if inner, ok := errors.AsType[verdicter](e.err); ok && end.by == byPeer {
		e.verdict = inner.Verdict()
	}
	if !idempotent && e.verdict.Repeat == seawall.RepeatIfIdempotent {
		e.verdict.Repeat = seawall.RepeatNever
	}
}
