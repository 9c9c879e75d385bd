package errtype_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/errtype"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// httpError is what httpx makes of a status.
type httpError int

func (e httpError) Error() string   { return fmt.Sprint(int(e)) }
func (e httpError) StatusCode() int { return int(e) }

// grpcError is like that of grpc-go's package status.
type grpcError struct{}

func (grpcError) Error() string         { return "unavailable" }
func (grpcError) GRPCStatus() *struct{} { return nil }

func TestErrorsAreSortedIntoTheClosedList(t *testing.T) {
	rejection := seawall.Reject("bulkhead", "b", seawall.ReasonFull, seawall.ErrRejected, 0)
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	seen := map[string]bool{}
	for i, c := range []struct {
		err    error
		judged seawall.Outcome
		want   string
	}{
		{nil, seawall.Failure, "status"},
		{errors.New("user ada is down"), seawall.Failure, "other"},
		{io.EOF, seawall.Failure, "other"},
		{errors.New("slow down"), seawall.Overload, "overload"},
		{httpError(503), seawall.Failure, "status"}, // it was other, as was gRPC's
		{fmt.Errorf("wrapped: %w", httpError(503)), seawall.Failure, "status"},
		{httpError(429), seawall.Overload, "overload"},
		{grpcError{}, seawall.Failure, "status"},
		{fmt.Errorf("%w and %w", io.EOF, fmt.Errorf("wrapped: %w", grpcError{})), seawall.Failure, "status"},
		{context.DeadlineExceeded, seawall.Failure, "timeout"},
		{&url.Error{Err: context.DeadlineExceeded}, seawall.Failure, "timeout"},
		{seawall.Waited("bulkhead", "b", context.DeadlineExceeded), seawall.Ignored, "timeout"},
		{fmt.Errorf("wrapped: %w", rejection), seawall.Ignored, "rejected"},
		{&url.Error{Err: rejection}, seawall.Ignored, "rejected"},
		{context.Canceled, seawall.Failure, "canceled"},
		{&url.Error{Err: context.Canceled}, seawall.Failure, "canceled"},
		{seawall.ErrCanceled, seawall.Ignored, "canceled"},
		{seawall.ErrAborted, seawall.Failure, "panic"},
		{&seawall.AttemptPanic{Value: "ouch"}, seawall.Failure, "panic"},
		{&seawall.AttemptPanic{Value: context.Canceled}, seawall.Failure, "panic"},
		{refused, seawall.Failure, "network"},
		{fmt.Errorf("wrapped: %w", refused), seawall.Failure, "network"},
		{&net.DNSError{IsNotFound: true}, seawall.Failure, "network"},
		{&net.DNSError{IsTimeout: true}, seawall.Failure, "timeout"},
	} {
		got := errtype.Of(c.err, c.judged)
		if got != c.want || !slices.Contains(errtype.All(), got) {
			t.Errorf("%d, %v: %s, want %s", i, c.err, got, c.want)
		}
		seen[got] = true
	}
	if len(seen) != len(errtype.All()) {
		t.Errorf("of the list %v only %v was tried", errtype.All(), seen)
	}
}
