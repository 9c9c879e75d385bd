package grpcx

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/internal/hop"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

// attemptError is how one attempt has failed. It is what a caller gets whose call had no other, so it is as good a status
// error as the one that grpc-go returned, which is in its tree.
type attemptError struct {
	status  *status.Status
	err     error // what the attempt returned, or our limit in its place
	cause   error // of the caller's context, if that has ended
	verdict seawall.Verdict
	final   bool // the peer has said that no more attempts are to be made
}

func (e *attemptError) Error() string { return e.err.Error() }

func (e *attemptError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.err}
	}
	return []error{e.cause, e.err}
}

// GRPCStatus is what package status asks for.
func (e *attemptError) GRPCStatus() *status.Status { return e.status }

// Verdict says what the error means.
func (e *attemptError) Verdict() seawall.Verdict { return e.verdict }

// Timeout says whether the attempt ended by a limit of time.
func (e *attemptError) Timeout() bool { return e.status.Code() == codes.DeadlineExceeded }

// callError makes a status error of what the policies have to say: a rejection, attempts that are used up, a limit that
// has passed. The status is made only when somebody asks for it.
type callError struct {
	err   error
	ended error // how the caller's context has ended, if it has
}

// conclude makes the error of a call out of that of its policies, and notes for who is above whether its attempts are used
// up. ctx is the caller's.
func conclude(ctx context.Context, err error) error {
	if usedUp(err) {
		hop.NoteUsedUp(ctx)
	}
	switch err.(type) { //nolint:errorlint // what is a status already
	case nil, *attemptError:
		return err
	}
	ended := ctx.Err()
	if ended == nil && isPast(ctx) {
		ended = context.DeadlineExceeded // of which the context itself has not heard yet
	}
	return &callError{err, ended}
}

func (e *callError) Error() string { return e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// GRPCStatus is what package status asks for.
func (e *callError) GRPCStatus() *status.Status {
	code, details := e.codeOf()
	st := status.New(code, e.err.Error())
	if details == nil {
		return st
	}
	p := st.Proto()
	p.Details = details.Proto().GetDetails()
	return status.FromProto(p)
}

// Timeout says whether the call ended by a limit of time.
func (e *callError) Timeout() bool {
	code, _ := e.codeOf()
	return code == codes.DeadlineExceeded
}

// codeOf returns the code of the call, and a status with the details that belong to it, nil if there are none.
func (e *callError) codeOf() (codes.Code, *status.Status) {
	switch err := deciding(e.err).(type) { //nolint:errorlint // each is looked into in its own way
	case *seawall.RejectedError:
		return rejectedCode(err), retryInfo(err)
	case *timeout.ExceededError:
		return codes.DeadlineExceeded, nil
	default:
		if st, ok := status.FromError(err); ok && st.Code() != codes.OK {
			return st.Code(), st
		}
	}
	return e.endedCode(), nil
}

// rejection returns the rejection by a policy of ours that has ended the call, nil if something else has.
func (e *callError) rejection() *seawall.RejectedError {
	rejected, _ := deciding(e.err).(*seawall.RejectedError) //nolint:errorlint // as codeOf
	return rejected
}

// deciding returns what an error of the policies is about: the error of the last attempt, nil if the caller's context has
// ended the call between two of them, or the error itself.
func deciding(err error) error {
	switch e := err.(type) { //nolint:errorlint // the outermost decides
	case *retry.Error:
		if e.Why == nil || errors.Is(e.Why, retry.ErrExhausted) || errors.Is(e.Why, retry.ErrBudget) ||
			errors.Is(e.Why, retry.ErrOutOfTime) {
			return deciding(e.Last)
		}
		return nil
	case *hedge.Error:
		if e.Why == nil {
			return deciding(e.Last)
		}
		return nil
	}
	return err
}

// endedCode is the code of a call that its caller has ended: before it began, in a queue, or between two attempts.
func (e *callError) endedCode() codes.Code {
	switch {
	case errors.Is(e.ended, context.Canceled):
		return codes.Canceled
	case errors.Is(e.ended, context.DeadlineExceeded), errors.Is(e.err, timeout.ErrExceeded): // a limit of ours in a queue
		return codes.DeadlineExceeded
	}
	return codes.Unknown
}

// rejectedCode is the code of a rejection by a policy of ours: a rate that is kept is a quota, all else says that we are
// not able now.
func rejectedCode(rejected *seawall.RejectedError) codes.Code {
	switch rejected.Reason {
	case seawall.ReasonLimited:
		return codes.ResourceExhausted
	case seawall.ReasonDeadline:
		return codes.DeadlineExceeded
	}
	return codes.Unavailable
}

// retryInfo returns a status that says when to come back; nil if that is not known.
func retryInfo(rejected *seawall.RejectedError) *status.Status {
	after := rejected.RetryAfter()
	if after <= 0 {
		return nil
	}
	st, err := status.New(codes.Unavailable, "").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	if err != nil {
		return nil
	}
	return st
}
