package httpx

import (
	"context"
	"maps"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/seawall-go/seawall"
)

// The fields by which facts travel, in canonical form.
const (
	fieldTimeout      = "X-Request-Timeout-Ms"
	fieldEnvoyTimeout = "X-Envoy-Expected-Rq-Timeout-Ms"
	fieldAttempt      = "Seawall-Attempt"
	fieldPriority     = "Seawall-Priority"
	fieldPushback     = "Seawall-Pushback"
)

// What a server that sheds says in fieldPushback.
const (
	pushbackRefused = "refused" // nothing was started
	pushbackFinal   = "final"   // do not repeat
)

// Bounds of what is believed of a peer.
const (
	maxPeerTimeout = 24 * time.Hour
	maxPeerAttempt = 1000
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
		// Never 0, which proxies take for no limit at all.
		h[fieldTimeout] = []string{strconv.FormatInt(max(1, left.Milliseconds()), 10)}
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
			if d, ok := parseMillis(value); ok && (f.timeout == 0 || d < f.timeout) {
				f.timeout = d
			}
		}
	}
	if values := h[fieldAttempt]; len(values) == 1 {
		if n, ok := parseDigits(values[0]); ok {
			f.attempt = int(min(n, maxPeerAttempt))
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

// parseMillis reads a positive number of whole milliseconds, and caps it. 0 means no limit to the proxies that send
// such a field, so it is not understood here.
func parseMillis(s string) (time.Duration, bool) {
	n, ok := parseDigits(s)
	if !ok || n == 0 {
		return 0, false
	}
	return time.Duration(min(n, maxPeerTimeout.Milliseconds())) * time.Millisecond, true
}

// parseDigits reads a number that consists of digits only, without sign, space or point. What does not fit into an
// int64 is the largest one.
func parseDigits(s string) (n int64, ok bool) {
	for i := range len(s) {
		digit := int64(s[i]) - '0'
		switch {
		case digit < 0 || digit > 9:
			return 0, false
		case n > (math.MaxInt64-digit)/10:
			n = math.MaxInt64
		default:
			n = n*10 + digit
		}
	}
	return n, s != ""
}
