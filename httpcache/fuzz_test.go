package httpcache_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/seawall-go/seawall/httpcache"
)

func FuzzDirectives(f *testing.F) {
	for _, s := range []string{
		"", "max-age=60", `no-cache="a, b", max-age="60"`, `x="unclosed, no-store`, ",,=,a=,=b", "No-Store ;", "max-age =5, max-age= 5",
		`a="\"", private`, "max-age=99999999999999999999", "\x00=\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all := httpcache.Directives([]string{s})
		for _, d := range all {
			if d[0] != strings.ToLower(d[0]) || strings.Trim(d[0], " \t") != d[0] {
				t.Errorf("%q has a name %q", s, d[0])
			}
		}
		// What forbids storing is never lost by what stands beside it, on lines of their own or in front of it on one.
		for _, lines := range [][]string{{s, "no-store"}, {"no-store", s}, {"no-store," + s}} {
			if !httpcache.ParseRules(lines, true).NoStore {
				t.Errorf("no-store is lost in %q", lines)
			}
		}
		if !strings.Contains(s, `"`) && !httpcache.ParseRules([]string{s + ",no-store"}, true).NoStore {
			t.Errorf("no-store is lost behind %q", s)
		}
		if r := httpcache.ParseRules([]string{s}, false); r.MaxAge < 0 || r.MaxAge > httpcache.MaxSeconds*time.Second || !r.HasMaxAge && r.MaxAge != 0 {
			t.Errorf("%q has a lifetime of %v", s, r.MaxAge)
		}
	})
}

func FuzzTargeted(f *testing.F) {
	for _, s := range []string{"", "max-age=60", "max-age=-1", `max-age="1"`, "no-store=?0, a=(b c);d", "Max-Age=1", "max-age=1, &", "no-cache=\"a\"", "a=@1, b=%\"x\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := httpcache.ParseTargeted([]string{s})
		if !ok && r != (httpcache.Rules{}) {
			t.Errorf("%q is invalid and says %+v", s, r)
		}
		if ok {
			if dict, err := httpsfv.UnmarshalDictionary([]string{s}); err != nil || len(dict.Names()) == 0 {
				t.Errorf("%q counts, and is no dictionary: %v", s, err)
			}
		}
		if r.MaxAge < 0 || r.MaxAge > httpcache.MaxSeconds*time.Second {
			t.Errorf("%q has a lifetime of %v", s, r.MaxAge)
		}
	})
}

func FuzzVary(f *testing.F) {
	for _, row := range [][3]string{
		{"Foo", "1", "1"}, {"Foo, *", "", ""}, {"foo ,,bar", "a, b", "a,b"}, {"Cookie", "a, b", "a,b"}, {"Accept-Language", "EN", "en"}, {"Foo", `"a , b"`, `"a,b"`}, {"\x00", "", ""},
	} {
		f.Add(row[0], row[1], row[2])
	}
	f.Fuzz(func(t *testing.T, vary, a, b string) {
		one, other := http.Header{"Foo": {a}, "Cookie": {a}}, http.Header{"Foo": {b}, "Cookie": {b}}
		star := false
		for name := range strings.SplitSeq(vary, ",") {
			star = star || strings.Trim(name, " \t") == "*"
		}
		if got := httpcache.Selects([]string{vary}, one, one); got == star {
			t.Errorf("Vary %q matches the same request: %v", vary, got)
		}
		if httpcache.Selects([]string{vary}, one, other) != httpcache.Selects([]string{vary}, other, one) {
			t.Errorf("Vary %q tells %q and %q apart in one direction only", vary, a, b)
		}
		if a != b && httpcache.Selects([]string{"Cookie"}, one, other) {
			t.Errorf("cookies %q and %q are one", a, b)
		}
		// What normalising takes away is space, and nothing else.
		bare := strings.NewReplacer(" ", "", "\t", "")
		if bare.Replace(a) != bare.Replace(b) && httpcache.Selects([]string{"Foo"}, one, other) {
			t.Errorf("%q and %q are one", a, b)
		}
		n := httpcache.Normalised("Foo", []string{a})
		if again := httpcache.Normalised("Foo", []string{n}); again != n {
			t.Errorf("%q becomes %q, and that %q", a, n, again)
		}
	})
}

func FuzzCacheStatus(f *testing.F) {
	f.Add("test", uint8(0), 0, int64(42), false, false, "")
	f.Add("a name", uint8(3), 503, int64(-9), true, true, "stale-if-error")
	f.Add("\x00\xff", uint8(6), 200, int64(1), true, false, "open")
	f.Add(`q"\`, uint8(7), 0, int64(0), false, false, "only-if-cached")
	f.Fuzz(func(t *testing.T, name string, fwd uint8, status int, ttl int64, stored, collapsed bool, detail string) {
		status = min(max(status, 0), 999)
		if _, err := httpsfv.Marshal(httpsfv.NewItem(httpsfv.Token(detail))); err != nil {
			detail = "" // it is a word of ours
		}
		text := httpcache.CacheStatus(name, fwd, status, time.Duration(ttl)*time.Second, stored, collapsed, detail)
		list, err := httpsfv.UnmarshalList([]string{text})
		if err != nil || len(list) != 1 {
			t.Fatalf("%q is no list of one: %v", text, err)
		}
		params := list[0].(httpsfv.Item).Params
		_, hit := params.Get("hit")
		if _, forwarded := params.Get("fwd"); hit && forwarded {
			t.Errorf("%q is a hit, and forwarded", text)
		}
		again, err := httpsfv.Marshal(list)
		if err != nil || again != strings.ReplaceAll(text, "; ", ";") && !strings.Contains(name, "; ") {
			t.Errorf("%q is written %q, %v", text, again, err)
		}
	})
}

func FuzzDates(f *testing.F) {
	for _, s := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 8:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
		"0", "-1", "Thu, 30 Feb 2000 00:00:00 GMT", "sun, 06 nov 1994 08:49:37 gmt", "Mon, 06 Nov 1994 08:49:37 GMT",
	} {
		f.Add(s)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := httpcache.ParseDate(s, now)
		if !ok {
			return
		}
		if std, err := http.ParseTime(strings.ToUpper(s)); err != nil || !std.Equal(got) && !std.AddDate(-100, 0, 0).Equal(got) {
			t.Errorf("%q is %v, and %v for net/http (%v)", s, got, std, err)
		}
		if again, ok := httpcache.ParseDate(got.Format(http.TimeFormat), now); !ok || !again.Equal(got) {
			t.Errorf("%q is %v, which reads %v", s, got, again)
		}
	})
}

func FuzzETags(f *testing.F) {
	f.Add(`"a", W/"b"`, `"b"`)
	f.Add("*", "")
	f.Add(`"a,b"`, `"a,b"`)
	f.Add(`"unclosed`, `"x"`)
	f.Fuzz(func(_ *testing.T, list, tag string) { httpcache.HasTag([]string{list}, tag) })
}
