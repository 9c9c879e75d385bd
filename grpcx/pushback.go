package grpcx

import (
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall/internal/hop"
)

// readPushback takes in what a server says about further attempts: by the trailers grpc-retry-pushback-ms (gRFC A6) and
// seawall-pushback, and by a RetryInfo among the details of its status. Of several times the longest counts; they are
// capped at hop.MaxHint, and by the policies at much less.
//
// A grpc-retry-pushback-ms that is negative, not a number, or there more than once says: not again (gRFC A6). A RetryInfo
// that is negative or missing its time says nothing.
func (e *ending) readPushback(trailer metadata.MD, st *status.Status) {
	if values := trailer[fieldPushbackMillis]; len(values) > 0 {
		if ms, ok := hop.ParseDigits(values[0]); ok && len(values) == 1 {
			e.hint(time.Duration(min(ms, int64(hop.MaxHint/time.Millisecond))) * time.Millisecond)
		} else {
			e.final = true
		}
	}
	for _, value := range trailer[fieldPushback] {
		switch value {
		case hop.Refused:
			e.refused = true
		case hop.Final:
			e.final = true
		}
	}
	if st == nil || len(st.Proto().GetDetails()) == 0 {
		return
	}
	for _, detail := range st.Details() {
		info, ok := detail.(*errdetails.RetryInfo)
		if !ok || info.GetRetryDelay() == nil {
			continue
		}
		if after := info.GetRetryDelay().AsDuration(); after >= 0 {
			e.hint(min(after, hop.MaxHint))
		}
	}
}

func (e *ending) hint(after time.Duration) {
	e.hinted = true
	e.after = max(e.after, after)
}
