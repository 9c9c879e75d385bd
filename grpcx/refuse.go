package grpcx

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/hop"
)

// ErrDraining is matched by the rejection of a call that came after [Server.Drain].
var ErrDraining = errors.New("grpcx: draining")

// unknownHint is how long a client is asked to stay away when nothing better is known.
const unknownHint = time.Second

// refusal is a status that this package has made of an error. Interceptors further out still see that error in it.
type refusal struct {
	status  *status.Status
	cause   error
	refused bool // nothing was started
}

func (e *refusal) Error() string              { return e.status.Message() + ": " + e.cause.Error() }
func (e *refusal) Unwrap() error              { return e.cause }
func (e *refusal) GRPCStatus() *status.Status { return e.status }

// refuse makes the status of a call that a gate has not let in: the code if the gate has rejected it, else what its
// context says, which has ended.
func (c *call) refuse(ctx context.Context, code codes.Code, err error) error {
	rejected, ok := errors.AsType[*seawall.RejectedError](err)
	switch {
	case ok:
	case ctx.Err() != nil:
		return c.endedEarly(ctx)
	default: // a gate of the user's, or one that has heard of the tap's haste
		rejected = &seawall.RejectedError{Reason: reasonUnknown}
	}
	c.server.refused.Add(1)
	return hinted(ctx, code, rejected, err, hop.Refused)
}

// reasonUnknown is that of a gate which has not said why.
const reasonUnknown seawall.Reason = "rejected"

// rejectedInside makes the status of a handler's error that is a rejection: of what it needs, so it is our state and not
// the client's fault. The handler may have done something before, so the call is not called refused.
func (c *call) rejectedInside(ctx context.Context, rejected *seawall.RejectedError, err error) error {
	return hinted(ctx, codes.Unavailable, rejected, err, "")
}

// hinted makes a status that says when to come back. Its text is the reason alone: names of policies are nobody's
// business.
func hinted(ctx context.Context, code codes.Code, rejected *seawall.RejectedError, err error, pushback string) error {
	after := rejected.RetryAfter()
	if after <= 0 {
		after = unknownHint
	}
	after = toMillis(hop.SpreadUp(after))
	trailer := pushbackAfter(after)
	if pushback != "" {
		trailer[fieldPushback] = []string{pushback}
	}
	_ = grpc.SetTrailer(ctx, trailer) // a tap has no stream to set it on
	return &refusal{
		status: withRetryInfo(status.New(code, string(rejected.Reason)), after), cause: err, refused: pushback == hop.Refused,
	}
}

// toMillis rounds up to what a trailer can say.
func toMillis(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}

func pushbackAfter(d time.Duration) metadata.MD {
	return metadata.MD{fieldPushbackMillis: {strconv.FormatInt(toMillis(d).Milliseconds(), 10)}}
}

func withRetryInfo(st *status.Status, after time.Duration) *status.Status {
	detailed, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	if err != nil {
		return st // never: it has a code
	}
	return detailed
}

// endedEarly makes the status of a call whose time was over before its handler began: that of its context, or, if this has
// not ended, that of the tap, which has waited for the request as long as a handler may take.
func (c *call) endedEarly(ctx context.Context) error {
	cause := cmp.Or(context.Cause(ctx), ctx.Err(), c.settings.exceeded)
	if ctx.Err() == context.Canceled {
		return &refusal{status: status.New(codes.Canceled, "canceled"), cause: cause}
	}
	c.server.outOfTime.Add(1)
	return &refusal{status: status.New(codes.DeadlineExceeded, "deadline exceeded"), cause: cause}
}

func (s *Server) drained() error {
	return seawall.Reject(serverKind, s.name, seawall.ReasonDraining, ErrDraining, 0)
}
