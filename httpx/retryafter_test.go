package httpx_test

import (
	"math"
	"net/http"
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

func TestRateLimitTellsWhenAQuotaThatIsUsedUpIsBack(t *testing.T) {
	for _, row := range []struct {
		name   string
		values []string
		want   time.Duration
	}{
		{"used up", []string{`"default";r=0;t=30`}, 30 * time.Second},
		{"not used up", []string{`"default";r=5;t=30`}, 0},
		{"the longest of those used up", []string{`"a";r=0;t=3, "b";r=0;t=9, "c";r=1;t=99`}, 9 * time.Second},
		{"in two fields", []string{`"a";r=0;t=3`, `"b";r=0;t=9`}, 9 * time.Second},
		{"without a time", []string{`"default";r=0`}, 0},
		{"without what is left", []string{`"default";t=30`}, 0},
		{"a negative time", []string{`"default";r=0;t=-30`}, 0},
		{"a fraction", []string{`"default";r=0;t=1.5`}, 0},
		{"a year and more", []string{`"default";r=0;t=999999999999999`}, httpx.MaxHint},
		{"a number that is none", []string{`"default";r=0;t=9999999999999999`}, 0},
		{"an older draft", []string{`limit=10, remaining=0, reset=30`}, 0},
		{"an inner list", []string{`("a" "b");r=0;t=30`}, 0},
		{"garbage", []string{`";r=0;t=30`}, 0},
		{"empty", []string{``}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := httpx.ParseRateLimit(row.values); got != row.want {
				t.Errorf("%q: %v, want %v", row.values, got, row.want)
			}
		})
	}
	for _, row := range []struct {
		after string
		want  time.Duration
	}{{"", 30 * time.Second}, {"5", 5 * time.Second}, {"0", 0}, {"garbage", 30 * time.Second}} {
		h := http.Header{"Ratelimit": {`"default";r=0;t=30`}}
		if row.after != "" {
			h.Set("Retry-After", row.after)
		}
		if got := httpx.Hint(h); got != row.want {
			t.Errorf("beside a Retry-After of %q: %v, want %v", row.after, got, row.want)
		}
	}
}

func FuzzRateLimit(f *testing.F) {
	f.Add(`"default";r=0;t=30`)
	f.Add(`"a";r=0;t=3, "b";r=0;t=999999999999999`)
	f.Add(`("a" "b");r=0;t=30`)
	f.Add(`limit=10, remaining=0, reset=30`)
	f.Add(`a;r=?0;t=:YQ==:`)
	f.Fuzz(func(t *testing.T, value string) {
		if got := httpx.ParseRateLimit([]string{value}); got < 0 || got > httpx.MaxHint || got%time.Second != 0 {
			t.Fatalf("%q: %v", value, got)
		}
	})
}
