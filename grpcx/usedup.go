package grpcx

import (
	"errors"

	"google.golang.org/grpc/codes"

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
