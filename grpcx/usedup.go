package grpcx

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"

	"github.com/seawall-go/seawall/internal/hop"
	"github.com/seawall-go/seawall/retry"
)

// usedUp reports whether an error is the end of repetitions: the next layer is not to make them all again.
func usedUp(err error) bool {
	if e, ok := errors.AsType[*retry.Error](err); ok && e.UsedUp() {
		return true
	}
	e, ok := errors.AsType[*attemptError](err)
	return ok && e.final
}

// mayBeRepeated reports whether some client would repeat a call with such a code: whether it matters that it should not.
func mayBeRepeated(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Aborted, codes.Internal, codes.Unknown:
		return true
	}
	return false
}

// repeating is a context in which the clients of a handler find where to note that their attempts are used up, whatever
// the handler makes of their errors.
type repeating struct {
	context.Context
	repeats hop.Repeats
}

func withRepeats(ctx context.Context) (context.Context, *hop.Repeats) {
	r := &repeating{Context: ctx}
	return r, &r.repeats
}

// Value finds the note, and what the context inside has.
func (r *repeating) Value(key any) any {
	if key == (hop.RepeatsKey{}) {
		return &r.repeats
	}
	return r.Context.Value(key)
}
