package httpx

import (
	"net/http"
	"time"

	"github.com/seawall-go/seawall/internal/hop"
)

// retryAfter returns the wait that a response asks for, and 0 if it asks for none.
func retryAfter(h http.Header) time.Duration {
	if h["Retry-After"] == nil {
		return 0
	}
	return parseRetryAfter(h.Get("Retry-After"), h.Get("Date"), time.Now())
}

// parseRetryAfter reads a Retry-After (RFC 9110, section 10.2.3): whole seconds, or a date in any of the three forms of
// HTTP. A date is measured against the response's own Date, because the two clocks may differ, and against now if there
// is none. A date in the past, a negative number and whatever is not understood are 0; what is too large is hop.MaxHint.
func parseRetryAfter(value, date string, now time.Time) time.Duration {
	if n, ok := hop.ParseDigits(value); ok {
		return time.Duration(min(n, int64(hop.MaxHint/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if sent, err := http.ParseTime(date); err == nil {
		now = sent
	}
	return min(max(0, at.Sub(now)), hop.MaxHint)
}
