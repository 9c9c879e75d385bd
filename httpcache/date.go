package httpcache

import (
	"net/http"
	"strings"
	"time"
)

// The forms of a date in HTTP (RFC 9110, section 5.6.7): the one that is written, and two that are read as well.
const (
	imfFixdate  = http.TimeFormat
	rfc850Date  = "Monday, 02-Jan-06 15:04:05 GMT"
	asctimeDate = time.ANSIC
)

// parseDate reads a date in one of its three forms. time.Parse is lenient: it takes a missing digit, and more spaces. A
// date that does not print as it was read is malformed, but for its day of the week, which says nothing, and for its case.
func parseDate(s string, now time.Time) (time.Time, bool) {
	s = strings.ToUpper(s)
	for _, layout := range [...]string{imfFixdate, rfc850Date, asctimeDate} {
		t, err := time.Parse(layout, s)
		if err != nil || !strings.EqualFold(pastWeekday(t.Format(layout)), pastWeekday(s)) {
			continue
		}
		if layout == rfc850Date && t.After(now.AddDate(50, 0, 0)) {
			t = t.AddDate(-100, 0, 0) // two digits of a year more than 50 years ahead mean the past
		}
		return t, true
	}
	return time.Time{}, false
}

func pastWeekday(date string) string {
	_, rest, _ := strings.Cut(date, " ")
	return rest
}

// dateOf returns the date in a field. It is absent also if it is malformed, or there more than once.
func dateOf(h http.Header, field string, now time.Time) (time.Time, bool) {
	lines := h[field]
	if len(lines) != 1 {
		return time.Time{}, false
	}
	return parseDate(lines[0], now)
}
