package httpcache

import (
	"net/http"
	"strings"
	"time"
)

// heuristically reports whether a cache may find answers of this status fresh without being told (RFC 9110, section
// 15.1). 206 is one of them, but is not stored.
func heuristically(status int) bool {
	switch status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo, http.StatusNoContent, http.StatusMultipleChoices,
		http.StatusMovedPermanently, http.StatusPermanentRedirect, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusGone, http.StatusRequestURITooLong, http.StatusNotImplemented:
		return true
	}
	return false
}

// lifetime returns for how long a response is fresh from its generation on, and whether the origin said so (RFC 9111,
// section 4.2.1).
func (c *Cache) lifetime(status int, h http.Header, r *rules, targeted bool, received time.Time) (life time.Duration, explicit bool) {
	switch {
	case r.sharedMaxAge.set:
		return r.sharedMaxAge.d, true
	case r.maxAge.set:
		return r.maxAge.d, true
	}
	date, dated := dateOf(h, "Date", received)
	if !dated {
		date = received
	}
	if lines := h["Expires"]; len(lines) > 0 && !targeted {
		if expires, ok := dateOf(h, "Expires", received); ok {
			return max(0, expires.Sub(date)), true
		}
		return 0, true // malformed or repeated: expired
	}
	if c.cfg.HeuristicMax == NoHeuristic || !heuristically(status) && !r.public {
		return 0, false
	}
	modified, ok := dateOf(h, "Last-Modified", received)
	if !ok {
		return 0, false
	}
	return max(0, min(date.Sub(modified)/10, c.cfg.HeuristicMax)), false
}

// initialAge returns how old a response was when it was received (RFC 9111, section 4.2.3). It is bounded as all numbers
// of seconds are, so that an age can be reckoned with whatever Date says.
func initialAge(h http.Header, sent, received time.Time) time.Duration {
	var apparent time.Duration
	if date, ok := dateOf(h, "Date", received); ok {
		apparent = max(0, received.Sub(date))
	}
	return min(max(apparent, ageField(h)+received.Sub(sent)), maxSeconds*time.Second)
}

// ageField returns the value of Age: of several the first, and 0 for what is malformed.
func ageField(h http.Header) time.Duration {
	lines := h["Age"]
	if len(lines) == 0 {
		return 0
	}
	value, _, _ := strings.Cut(lines[0], ",")
	n, _ := parseSeconds(strings.Trim(value, " \t"))
	return time.Duration(n) * time.Second
}
