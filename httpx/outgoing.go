package httpx

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/hop"
)

// The fields by which facts travel, in canonical form.
const (
	fieldTimeout  = "X-Request-Timeout-Ms"
	fieldAttempt  = "Seawall-Attempt"
	fieldPriority = "Seawall-Priority"
	fieldPushback = "Seawall-Pushback"
)

// outgoing returns the header to send for an attempt: h itself if nothing is to be changed, else a copy, because h is
// the caller's. ctx carries attempt and priority; left is the time for the whole answer, if that is limited.
func outgoing(ctx context.Context, h http.Header, left time.Duration, limited bool) http.Header {
	attempt, priority := seawall.Attempt(ctx), seawall.PriorityOf(ctx)
	if !limited && attempt <= 1 && priority == seawall.Critical &&
		h[fieldTimeout] == nil && h[fieldAttempt] == nil && h[fieldPriority] == nil && h != nil {
		return h
	}
	if h == nil {
		h = http.Header{}
	} else {
		h = maps.Clone(h)
	}
	delete(h, fieldTimeout)
	delete(h, fieldAttempt)
	delete(h, fieldPriority)
	if limited {
		h[fieldTimeout] = []string{hop.FormatMillis(left)}
	}
	if attempt > 1 {
		h[fieldAttempt] = []string{strconv.Itoa(attempt)}
	}
	if priority != seawall.Critical {
		h[fieldPriority] = []string{priority.String()}
	}
	return h
}
