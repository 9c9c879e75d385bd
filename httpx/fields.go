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
	fieldTimeout      = "X-Request-Timeout-Ms"
	fieldEnvoyTimeout = "X-Envoy-Expected-Rq-Timeout-Ms"
	fieldAttempt      = "Seawall-Attempt"
	fieldPriority     = "Seawall-Priority"
	fieldPushback     = "Seawall-Pushback"
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

// peerFacts is what a trusted peer says about its request. A zero field was not said, or not in a form that is
// understood.
type peerFacts struct {
	timeout  time.Duration
	attempt  int
	priority seawall.Priority
}

// incoming reads the fields of a request. Of several timeouts the smallest counts.
func incoming(h http.Header) (f peerFacts) {
	for _, name := range [...]string{fieldTimeout, fieldEnvoyTimeout} {
		for _, value := range h[name] {
			if d, ok := hop.ParseMillis(value); ok && (f.timeout == 0 || d < f.timeout) {
				f.timeout = d
			}
		}
	}
	if values := h[fieldAttempt]; len(values) == 1 {
		if n, ok := hop.ParseAttempt(values[0]); ok {
			f.attempt = n
		}
	}
	if values := h[fieldPriority]; len(values) == 1 {
		if p, ok := seawall.ParsePriority(values[0]); ok {
			f.priority = p
		}
	}
	return f
}

// hasFacts reports whether a request says anything that incoming would read.
func hasFacts(h http.Header) bool {
	return h[fieldTimeout] != nil || h[fieldEnvoyTimeout] != nil || h[fieldAttempt] != nil || h[fieldPriority] != nil
}
