package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// ErrLimited is matched by every rejection of a [Limiter] or a [Group], whatever its reason. The details are in the
// [*seawall.RejectedError].
var ErrLimited = errors.New("ratelimit: limited")

// refusal says why a call is rejected, as an index.
type refusal int

const (
	limited refusal = iota
	deadline
	queueFull
	forced
	refusalCount
)

func (why refusal) reason() seawall.Reason {
	return [refusalCount]seawall.Reason{
		limited:   seawall.ReasonLimited,
		deadline:  seawall.ReasonDeadline,
		queueFull: seawall.ReasonQueueFull,
		forced:    seawall.ReasonForced,
	}[why]
}

// refused is a rejection that is handed out again as long as it is true.
type refused struct {
	until time.Duration // reading of mono.Now, or untimed
	err   *seawall.RejectedError
}

// untimed stands for a time that is not known. No reading of the clock lies there.
const untimed = time.Duration(math.MaxInt64)

// refusals keeps the latest rejection of each reason.
type refusals [refusalCount]atomic.Pointer[refused]

// get returns the error of a call that may come again at until. All calls that are rejected between two tokens may come
// again at the same time, and get the same error: in overload that is most of them.
func (r *refusals) get(name string, why refusal, until time.Duration) error {
	if last := r[why].Load(); last != nil && alike(last.until, until) {
		return last.err
	}
	after := time.Duration(0)
	if until != untimed {
		after = max(1, until-mono.Now())
	}
	err := seawall.Reject(kind, name, why.reason(), ErrLimited, after)
	r[why].Store(&refused{until, err})
	return err
}

func (l *Limiter) reject(ctx context.Context, why refusal, until time.Duration) error {
	note(ctx, l, why.reason())
	return l.refusals.get(l.name, why, until)
}

// alike reports whether the older of two times serves as the newer one: it may be later by a little, and earlier by what
// the rounding of a prediction makes.
func alike(older, newer time.Duration) bool {
	if older == untimed || newer == untimed {
		return older == newer
	}
	later := older - newer
	return later >= -1 && later <= time.Microsecond
}

// note writes the end into the call's record, if it has one.
func note(ctx context.Context, who fmt.Stringer, reason seawall.Reason) {
	if record := seawall.RecordOf(ctx); record != nil {
		record.Note(func(f *seawall.Facts) { f.DecidedBy, f.Reason = who.String(), reason })
	}
}
