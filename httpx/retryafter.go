package httpx

import (
	"net/http"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/seawall-go/seawall/internal/hop"
)

// hint returns the wait that a response asks for, and 0 if it asks for none: its Retry-After, or else what its RateLimit
// says about a quota that is used up.
func hint(h http.Header) time.Duration {
	if values := h["Retry-After"]; len(values) > 0 {
		date := ""
		if sent := h["Date"]; len(sent) > 0 {
			date = sent[0]
		}
		if after, ok := parseRetryAfter(values[0], date, time.Now()); ok {
			return after
		}
	}
	if values := h["Ratelimit"]; len(values) > 0 { // in canonical form
		return parseRateLimit(values)
	}
	return 0
}

// parseRetryAfter reads a Retry-After (RFC 9110, section 10.2.3): whole seconds, or a date in any of the three forms of
// HTTP. A date is measured against the response's own Date, because the two clocks may differ, and against now if there
// is none. A date in the past is 0; what is too large is hop.MaxHint. What is negative or not understood is not ok: it is
// as if the field were absent.
func parseRetryAfter(value, date string, now time.Time) (after time.Duration, ok bool) {
	if n, ok := hop.ParseDigits(value); ok {
		return time.Duration(min(n, int64(hop.MaxHint/time.Second))) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	if sent, err := http.ParseTime(date); err == nil {
		now = sent
	}
	return min(max(0, at.Sub(now)), hop.MaxHint), true
}

// parseRateLimit reads a RateLimit (draft-ietf-httpapi-ratelimit-headers-11): a list of items with r, what is left of a
// quota, and t, the seconds until there is more. It returns the longest t of those with nothing left, at most
// hop.MaxHint, and 0 if there is none, or if the field is not understood.
func parseRateLimit(values []string) (after time.Duration) {
	list, err := httpsfv.UnmarshalList(values)
	if err != nil {
		return 0
	}
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok || item.Params == nil {
			continue
		}
		left, hasLeft := integer(item.Params, "r")
		wait, hasWait := integer(item.Params, "t")
		if hasLeft && hasWait && left == 0 && wait > 0 {
			after = max(after, time.Duration(min(wait, int64(hop.MaxHint/time.Second)))*time.Second)
		}
	}
	return after
}

func integer(params *httpsfv.Params, name string) (int64, bool) {
	value, ok := params.Get(name)
	if !ok {
		return 0, false
	}
	n, ok := value.(int64)
	return n, ok
}
