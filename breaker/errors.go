package breaker

import (
	"errors"
	"time"

	"github.com/seawall-go/seawall"
)

// ErrOpen is matched by the rejections of a breaker that is open, half-open with all its probes in flight, ramping, or
// forced open. The details are in [seawall.RejectedError].
var ErrOpen = errors.New("breaker: open")

const kind = "breaker"

func reject(name string, reason seawall.Reason, after time.Duration) *seawall.RejectedError {
	return seawall.Reject(kind, name, reason, ErrOpen, after)
}
