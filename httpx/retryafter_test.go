package httpx_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

var noon = time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)

// T18
func TestRetryAfterIsReadInEveryFormAndNothingElseIs(t *testing.T) {
	for _, row := range []struct {
		name, value, date string
		want              time.Duration
	}{
		{"seconds", "120", "", 2 * time.Minute},
		{"zero", "0", "", 0},
		{"leading zeros", "007", "", 7 * time.Second},
		{"negative", "-5", "", 0},
		{"plus sign", "+5", "", 0},
		{"fraction", "1.5", "", 0},
		{"unit", "5s", "", 0},
		{"hex", "0x10", "", 0},
		{"space before", " 5", "", 0},
		{"empty", "", "", 0},
		{"words", "soon", "", 0},
		{"list", "5, 6", "", 0},
		{"other digits", "٥", "", 0},
		{"a year and more", "99999999999", "", httpx.MaxHint},
		{"beyond 64 bits", strings.Repeat("9", 40), "", httpx.MaxHint},

		{"IMF-fixdate", "Wed, 04 Mar 2026 12:00:30 GMT", "", 30 * time.Second},
		{"RFC 850", "Wednesday, 04-Mar-26 12:01:00 GMT", "", time.Minute},
		{"asctime", "Wed Mar  4 12:00:05 2026", "", 5 * time.Second},
		{"another zone", "Wed, 04 Mar 2026 12:00:30 CET", "", 0},
		{"in the past", "Wed, 04 Mar 2026 11:59:30 GMT", "", 0},
		{"now", "Wed, 04 Mar 2026 12:00:00 GMT", "", 0},
		{"the far future", "Wed, 04 Mar 9999 12:00:00 GMT", "", httpx.MaxHint},
		{"no such day", "Wed, 31 Feb 2026 12:00:00 GMT", "", 0},

		{"a clock an hour ahead", "Wed, 04 Mar 2026 13:00:30 GMT", "Wed, 04 Mar 2026 13:00:00 GMT", 30 * time.Second},
		{"a clock an hour behind", "Wed, 04 Mar 2026 11:00:30 GMT", "Wed, 04 Mar 2026 11:00:00 GMT", 30 * time.Second},
		{"before the peer's own time", "Wed, 04 Mar 2026 12:00:30 GMT", "Wed, 04 Mar 2026 13:00:00 GMT", 0},
		{"a Date that is none", "Wed, 04 Mar 2026 12:00:30 GMT", "yesterday", 30 * time.Second},
		{"seconds do not depend on the Date", "5", "Wed, 04 Mar 2026 13:00:00 GMT", 5 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := httpx.ParseRetryAfter(row.value, row.date, noon); got != row.want {
				t.Errorf("ParseRetryAfter(%q, %q) = %v, want %v", row.value, row.date, got, row.want)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("-5", "")
	f.Add("99999999999999999999", "")
	f.Add("Wed, 04 Mar 2026 12:00:30 GMT", "Wed, 04 Mar 2026 12:00:00 GMT")
	f.Add("Wednesday, 04-Mar-26 12:01:00 GMT", "garbage")
	f.Add("Wed Mar  4 12:00:05 2026", "")
	f.Add("Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		got := httpx.ParseRetryAfter(value, date, noon)
		if got < 0 || got > httpx.MaxHint {
			t.Fatalf("ParseRetryAfter(%q, %q) = %v", value, date, got)
		}
		n, ok := httpx.ParseDigits(value)
		if want := time.Duration(min(n, math.MaxInt32)) * time.Second; ok && got != min(want, httpx.MaxHint) {
			t.Fatalf("ParseRetryAfter(%q) = %v, want %d seconds", value, got, n)
		}
	})
}
