package httpcache_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpcache"
)

var errDown = errors.New("the origin is down")

// step is one request, and what the origin would answer.
type step struct {
	wait   time.Duration // before it
	method string        // GET if empty
	url    string        // here if empty
	req    []string      // its fields

	down    bool     // the origin gives an error
	status  int      // of the origin's answer; 200 if 0
	answer  []string // its fields; {+10s} in them is a date
	body    string
	confirm bool // it is a 304 if the request has a validator

	want  source
	gives int      // the status that the caller gets; the origin's if 0, and 200 from the store
	has   []string // fields that the caller gets; "-Name" is one that must not be there
	text  string   // the body that the caller gets; unchecked if empty
}

type source string

const (
	fromOrigin source = "origin"    // it was asked, without a condition of ours
	fromStore  source = "store"     // it was not asked
	confirmed  source = "confirmed" // it was asked with a validator
	failed     source = "failed"    // it was asked, and the caller gets its error
)

// rule is a sentence of a specification.
type rule struct {
	spec, name string
	cfg        httpcache.Config
	steps      []step
}

var (
	private = httpcache.Config{}
	shared  = httpcache.Config{Shared: true}
)

// again is a rule of two requests for the same: the first answer has the fields, and wait lies between.
func again(spec, name string, cfg httpcache.Config, fields []string, wait time.Duration, want source) rule {
	return rule{spec, name, cfg, []step{{answer: fields, want: fromOrigin}, {wait: wait, want: want}}}
}

func cc(v string) []string { return []string{"Cache-Control: " + v} }

func TestCacheKeepsTheRules(t *testing.T) {
	for _, list := range [][]rule{
		storingRules, freshnessRules, requestRules, validationRules, varyRules, invalidationRules, staleRules, statusRules, targetedRules,
	} {
		for _, r := range list {
			t.Run(r.spec+"/"+r.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { r.check(t) })
			})
		}
	}
}

func (r rule) check(t *testing.T) {
	var now step
	var asked *http.Request
	o := &origin{handle: func(w http.ResponseWriter, req *http.Request) {
		asked = req
		setFields(w.Header(), datesIn(now.answer))
		switch {
		case now.confirm && (req.Header.Get("If-None-Match") != "" || req.Header.Get("If-Modified-Since") != ""):
			w.WriteHeader(http.StatusNotModified)
			return
		case now.status != 0:
			w.WriteHeader(now.status)
		}
		io.WriteString(w, now.body)
	}}
	c := newCache(t, r.cfg, roundTripper(func(req *http.Request) (*http.Response, error) {
		if now.down {
			asked = req
			return nil, errDown
		}
		return o.RoundTrip(req)
	}))
	for i, s := range r.steps {
		time.Sleep(s.wait)
		now, asked = s, nil
		if s.method == "" {
			s.method = http.MethodGet
		}
		if s.url == "" {
			s.url = here
		}
		got := do(c, request(t.Context(), s.method, s.url, datesIn(s.req)...))
		synctest.Wait() // a refresh in the background does not count for this step
		s.check(t, fmt.Sprintf("step %d", i+1), got, asked)
	}
}

func (s step) check(t *testing.T, where string, got result, asked *http.Request) {
	t.Helper()
	from := fromStore
	switch {
	case got.err != nil:
		from = failed
		if !errors.Is(got.err, errDown) {
			t.Fatalf("%s: %v", where, got.err)
		}
	case strings.Contains(got.cacheStatus(), "test; hit"), strings.Contains(got.cacheStatus(), "detail="):
	case asked == nil:
		t.Fatalf("%s: the origin was not asked, and Cache-Status is %q", where, got.cacheStatus())
	case strings.Contains(got.cacheStatus(), "fwd-status=304"):
		from = confirmed
	default:
		from = fromOrigin
	}
	if from != s.want {
		t.Fatalf("%s: the answer is from: %s, want %s (Cache-Status: %s)", where, from, s.want, got.cacheStatus())
	}
	if from == failed {
		return
	}
	gives := s.gives
	if gives == 0 {
		if gives = http.StatusOK; from == fromOrigin && s.status != 0 {
			gives = s.status
		}
	}
	if got.status != gives {
		t.Errorf("%s: the status is %d, want %d", where, got.status, gives)
	}
	if s.text != "" && got.body != s.text {
		t.Errorf("%s: the body is %q, want %q", where, got.body, s.text)
	}
	for _, field := range datesIn(s.has) {
		if name, absent := strings.CutPrefix(field, "-"); absent {
			if v := got.header[http.CanonicalHeaderKey(name)]; v != nil {
				t.Errorf("%s: there is a field %s: %q", where, name, v)
			}
			continue
		}
		name, value, _ := strings.Cut(field, ": ")
		if !slices.Contains(got.header.Values(name), value) {
			t.Errorf("%s: %s is %q, want %q", where, name, got.header.Values(name), value)
		}
	}
}

// datesIn replaces {+10s} by the date in ten seconds.
func datesIn(fields []string) []string {
	out := slices.Clone(fields)
	for i, f := range out {
		before, rest, ok := strings.Cut(f, "{")
		if !ok {
			continue
		}
		text, after, _ := strings.Cut(rest, "}")
		d, err := time.ParseDuration(text)
		if err != nil {
			panic(err)
		}
		out[i] = before + httpDate(time.Now().Add(d)) + after
	}
	return out
}

const (
	s  = time.Second
	ms = time.Millisecond
)

var storingRules = []rule{
	again("9111-3", "nothing that says so", private, nil, 0, fromOrigin),
	again("9111-3", "max-age", private, cc("max-age=60"), 59*s, fromStore),
	again("9111-3", "shared max-age", shared, cc("max-age=60"), 59*s, fromStore),
	again("9111-5.2.2.5", "no-store", private, cc("max-age=60, no-store"), 0, fromOrigin),
	again("9111-5.2.2.5", "no-store in capitals", private, cc("max-age=60, No-STORE"), 0, fromOrigin),
	again("9111-5.2.2.5", "no-store behind a quote that is not closed", private, cc(`x="a, no-store, max-age=60`), 0, fromOrigin),
	again("9111-5.2.2.5", "no-store within quotes is not", private, cc(`x="no-store", max-age=60`), 0, fromStore),
	again("9111-5.2.2.7", "private in a private cache", private, cc("max-age=60, private"), 0, fromStore),
	again("9111-5.2.2.7", "private in a shared cache", shared, cc("max-age=60, private"), 0, fromOrigin),
	{"9111-5.2.2.7", "private for a field, shared", shared, []step{
		{answer: []string{`Cache-Control: max-age=60, private="X-Mine"`, "X-Mine: 1", "X-All: 2"}, want: fromOrigin, has: []string{"X-Mine: 1"}},
		{want: fromStore, has: []string{"-X-Mine", "X-All: 2"}},
	}},
	{"9111-5.2.2.4", "no-cache for a field", private, []step{
		{answer: []string{`Cache-Control: max-age=60, no-cache="X-Mine, X-Too"`, "X-Mine: 1", "X-Too: 2"}, want: fromOrigin},
		{want: fromStore, has: []string{"-X-Mine", "-X-Too"}},
	}},
	{"9111-3.1", "hop-by-hop fields", private, []step{
		{answer: []string{"Cache-Control: max-age=60", "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: 5", "Proxy-Authenticate: x", "X-End: 1"}, want: fromOrigin},
		{want: fromStore, has: []string{"-Connection", "-X-Hop", "-Keep-Alive", "-Proxy-Authenticate", "X-End: 1"}},
	}},
	{"9111-3.3", "206", private, []step{
		{status: 206, answer: cc("max-age=60"), want: fromOrigin}, {status: 206, want: fromOrigin},
	}},
	{"9111-3.5", "Authorization, shared", shared, []step{
		{req: []string{"Authorization: a"}, answer: cc("max-age=60"), want: fromOrigin}, {req: []string{"Authorization: a"}, want: fromOrigin},
	}},
	{"9111-3.5", "Authorization, shared, public", shared, []step{
		{req: []string{"Authorization: a"}, answer: cc("max-age=60, public"), want: fromOrigin}, {want: fromStore},
	}},
	{"9111-3.5", "Authorization, shared, s-maxage", shared, []step{
		{req: []string{"Authorization: a"}, answer: cc("s-maxage=60"), want: fromOrigin}, {want: fromStore},
	}},
	{"9111-3.5", "Authorization, shared, must-revalidate", shared, []step{
		{req: []string{"Authorization: a"}, answer: cc("max-age=60, must-revalidate"), want: fromOrigin}, {want: fromStore},
	}},
	{"9111-7.3", "Set-Cookie, shared", shared, []step{
		{answer: []string{"Cache-Control: max-age=60", "Set-Cookie: a=b"}, want: fromOrigin}, {want: fromOrigin},
	}},
	{"9111-7.3", "Set-Cookie, shared, public", shared, []step{
		{answer: []string{"Cache-Control: max-age=60, public", "Set-Cookie: a=b"}, want: fromOrigin}, {want: fromStore},
	}},
	{"9111-7.3", "Set-Cookie, shared, StoreCookies", httpcache.Config{Shared: true, StoreCookies: true}, []step{
		{answer: []string{"Cache-Control: max-age=60", "Set-Cookie: a=b"}, want: fromOrigin}, {want: fromStore, has: []string{"Set-Cookie: a=b"}},
	}},
	{"9111-7.3", "Set-Cookie for nobody in particular", private, []step{
		{answer: []string{"Cache-Control: max-age=60", "Set-Cookie: id=1"}, want: fromOrigin}, {want: fromOrigin},
	}},
	{"9111-7.3", "Set-Cookie for a user", private, []step{
		{req: []string{"Cookie: u=1"}, answer: []string{"Cache-Control: max-age=60", "Set-Cookie: a=b"}, want: fromOrigin},
		{req: []string{"Cookie: u=1"}, want: fromStore},
		{req: []string{"Cookie: u=2"}, want: fromOrigin},
		{want: fromOrigin},
	}},
	{"9111-5.2.2.3", "must-understand, known status", private, []step{
		{answer: cc("max-age=60, no-store, must-understand"), want: fromOrigin}, {want: fromStore},
	}},
	{"9111-5.2.2.3", "must-understand, unknown status", private, []step{
		{status: 599, answer: cc("max-age=60, no-store, must-understand"), want: fromOrigin}, {status: 599, want: fromOrigin},
	}},
	{"9111-3", "unknown status with a lifetime", private, []step{
		{status: 599, answer: cc("max-age=60"), want: fromOrigin}, {want: fromStore, gives: 599},
	}},
	{"9111-2", "the query belongs to the key", private, []step{
		{url: here + "?a=1", answer: cc("max-age=60"), want: fromOrigin}, {url: here + "?a=2", want: fromOrigin}, {url: here + "?a=1", want: fromStore},
	}},
	{"9110-4.2.3", "one URI in several spellings", private, []step{
		{url: "http://origin.example/a", answer: cc("max-age=60"), want: fromOrigin},
		{url: "http://ORIGIN.example:80/a", want: fromStore},
		{url: "http://origin.example:8080/a", want: fromOrigin},
		{url: "https://origin.example/a", want: fromOrigin},
	}},
	{"9110-9.3.2", "HEAD from a stored GET", private, []step{
		{answer: cc("max-age=60"), body: "hello", want: fromOrigin},
		{method: "HEAD", want: fromStore, has: []string{"Content-Length: 5"}},
	}},
	{"9110-9.3.2", "HEAD is not stored", private, []step{
		{method: "HEAD", answer: cc("max-age=60"), want: fromOrigin}, {method: "HEAD", answer: cc("max-age=60"), want: fromOrigin}, {want: fromOrigin},
	}},
	{"9111-4.3.5", "HEAD that contradicts", private, []step{
		{answer: []string{"Cache-Control: max-age=1, stale-if-error=60", `ETag: "1"`}, want: fromOrigin},
		{wait: 2 * s, method: "HEAD", answer: []string{"Cache-Control: max-age=1", `ETag: "2"`}, want: fromOrigin},
		{down: true, want: failed},
	}},
	{"9110-14.2", "Range passes by", private, []step{
		{answer: cc("max-age=60"), want: fromOrigin}, {req: []string{"Range: bytes=0-1"}, status: 206, want: fromOrigin}, {want: fromStore},
	}},
}

var freshnessRules = []rule{
	again("9111-4.2.1", "max-age is over", private, cc("max-age=60"), 60*s, fromOrigin),
	again("9111-4.2.1", "max-age=0", private, append(cc("max-age=0"), "Expires: {+1h}"), 0, fromOrigin),
	again("9111-4.2.1", "max-age beats Expires", private, append(cc("max-age=60"), "Expires: {-1h}"), 30*s, fromStore),
	again("9111-4.2.1", "s-maxage, shared", shared, cc("max-age=1, s-maxage=60"), 30*s, fromStore),
	again("9111-4.2.1", "s-maxage, private", private, cc("max-age=1, s-maxage=60"), 30*s, fromOrigin),
	again("9111-4.2.1", "short s-maxage, shared", shared, cc("max-age=60, s-maxage=1"), 30*s, fromOrigin),
	again("9111-4.2.1", "the first of duplicates", private, cc("max-age=60, max-age=1"), 30*s, fromStore),
	again("9111-4.2.1", "the first of duplicates on two lines", private, append(cc("max-age=1"), "Cache-Control: max-age=60"), 30*s, fromOrigin),
	again("9111-4.2.1", "Expires", private, []string{"Expires: {+60s}"}, 59*s, fromStore),
	again("9111-4.2.1", "Expires is over", private, []string{"Expires: {+60s}"}, 60*s, fromOrigin),
	again("9111-4.2.1", "Expires counts from Date", private, []string{"Expires: {+60s}", "Date: {+50s}"}, 11*s, fromOrigin),
	again("9111-5.3", "Expires: 0", private, []string{"Expires: 0"}, 0, fromOrigin),
	again("9111-5.3", "repeated Expires", private, []string{"Expires: {+60s}", "Expires: {+60s}"}, 0, fromOrigin),
	again("9111-5.3", "Expires without a comma", private, []string{"Expires: Thu 18 Aug 2050 02:01:18 GMT"}, 0, fromOrigin),
	again("9111-5.3", "Expires with one digit", private, []string{"Expires: Thu, 18 Aug 2050 2:01:18 GMT"}, 0, fromOrigin),
	again("9111-5.3", "Expires with two spaces", private, []string{"Expires: Thu, 18  Aug 2050 02:01:18 GMT"}, 0, fromOrigin),
	again("9110-5.6.7", "Expires of RFC 850", private, []string{"Expires: Friday, 18-Aug-45 02:01:18 GMT"}, 0, fromStore),
	again("9110-5.6.7", "Expires of asctime", private, []string{"Expires: Fri Aug  8 02:01:18 2045"}, 0, fromStore),
	again("9111-1.2.2", "quoted number", private, cc(`max-age="60"`), 59*s, fromStore),
	again("9111-1.2.2", "number in single quotes", private, cc(`max-age='60'`), 0, fromOrigin),
	again("9111-1.2.2", "overflow", private, cc("max-age=99999999999999999999"), 24*365*time.Hour, fromStore),
	again("9111-1.2.2", "leading zeros", private, cc("max-age=0060"), 59*s, fromStore),
	again("9111-1.2.2", "negative", private, cc("max-age=-60"), 0, fromOrigin),
	again("9111-1.2.2", "decimal", private, cc("max-age=60.5"), 0, fromOrigin),
	again("9111-5.2", "space before =", private, cc("max-age =60"), 0, fromOrigin),
	again("9111-5.2", "space behind =", private, cc("max-age= 60"), 0, fromOrigin),
	again("9111-5.2", "unknown directive", private, cc("foo=bar, max-age=60"), 59*s, fromStore),
	again("9111-4.2.2", "heuristic", private, []string{"Last-Modified: {-100s}"}, 9*s, fromStore),
	again("9111-4.2.2", "heuristic is over", private, []string{"Last-Modified: {-100s}"}, 10*s, fromOrigin),
	again("9111-4.2.2", "heuristic is capped", private, []string{"Last-Modified: {-100000h}"}, 25*time.Hour, fromOrigin),
	again("9111-4.2.2", "no heuristic", httpcache.Config{HeuristicMax: httpcache.NoHeuristic}, []string{"Last-Modified: {-100s}"}, 0, fromOrigin),
	{"9111-4.2.2", "heuristic for a status that has none", private, []step{
		{status: 403, answer: []string{"Last-Modified: {-1000s}"}, want: fromOrigin}, {status: 403, want: fromOrigin},
	}},
	{"9111-4.2.2", "heuristic with public", private, []step{
		{status: 403, answer: []string{"Last-Modified: {-1000s}", "Cache-Control: public"}, want: fromOrigin}, {want: fromStore, gives: 403},
	}},
	{"9111-4.2.3", "Age and residence", private, []step{
		{answer: append(cc("max-age=100"), "Age: 30"), want: fromOrigin},
		{wait: 20 * s, want: fromStore, has: []string{"Age: 50"}},
		{wait: 50 * s, want: fromOrigin},
	}},
	{"9111-4.2.3", "Age from Date", private, []step{
		{answer: append(cc("max-age=100"), "Date: {-40s}"), want: fromOrigin}, {wait: s, want: fromStore, has: []string{"Age: 41"}},
	}},
	again("9111-5.1", "malformed Age", private, append(cc("max-age=60"), "Age: abc"), 0, fromStore),
	again("9111-5.1", "negative Age", private, append(cc("max-age=60"), "Age: -100"), 0, fromStore),
	again("9111-5.1", "Age with a suffix", private, append(cc("max-age=60"), "Age: 100, 0"), 0, fromOrigin),
	again("9111-5.1", "the first Age", private, append(cc("max-age=60"), "Age: 0", "Age: 100"), 0, fromStore),
	again("9111-5.1", "huge Age", private, append(cc("max-age=60"), "Age: 99999999999"), 0, fromOrigin),
}

var requestRules = []rule{
	withRequest("9111-5.2.1.1", "max-age", "max-age=10", 11*s, fromOrigin),
	withRequest("9111-5.2.1.1", "max-age that is kept", "max-age=10", 10*s, fromStore),
	withRequest("9111-5.2.1.2", "max-stale is enough", "max-stale=50", 100*s, fromStore),
	withRequest("9111-5.2.1.2", "max-stale is too little", "max-stale=30", 100*s, fromOrigin),
	withRequest("9111-5.2.1.2", "max-stale of any age", "max-stale", 10000*s, fromStore),
	withRequest("9111-5.2.1.3", "min-fresh", "min-fresh=10", 51*s, fromOrigin),
	withRequest("9111-5.2.1.3", "min-fresh that is kept", "min-fresh=10", 50*s, fromStore),
	withRequest("9111-5.2.1.3", "malformed min-fresh", "min-fresh=x", 0, fromOrigin),
	withRequest("9111-5.2.1.4", "no-cache", "no-cache", 0, fromOrigin),
	withRequest("9111-5.2.1.5", "no-store", "no-store", 0, fromOrigin),
	withRequest("9111-5.2.1.7", "only-if-cached", "only-if-cached", 0, fromStore),
	{"9111-5.2.1.7", "only-if-cached with nothing", private, []step{
		{req: cc("only-if-cached"), want: fromStore, gives: 504, has: []string{"Cache-Status: test; detail=only-if-cached"}},
	}},
	{"9111-5.2.1.7", "only-if-cached of what passes by", private, []step{
		{req: append(cc("only-if-cached"), "Range: bytes=0-1"), want: fromStore, gives: 504},
		{req: cc("only-if-cached, no-store"), want: fromStore, gives: 504},
	}},
	{"9111-5.2.1.5", "no-store stores nothing", private, []step{
		{req: cc("no-store"), answer: cc("max-age=60"), want: fromOrigin}, {want: fromOrigin},
	}},
	{"9111-5.4", "Pragma alone", private, []step{
		{answer: cc("max-age=60"), want: fromOrigin}, {req: []string{"Pragma: no-cache"}, want: fromOrigin},
	}},
	{"9111-5.4", "Pragma beside Cache-Control", private, []step{
		{answer: cc("max-age=60"), want: fromOrigin}, {req: []string{"Pragma: no-cache", "Cache-Control: max-age=60"}, want: fromStore},
	}},
	{"9111-5.2.1.2", "max-stale against must-revalidate", private, []step{
		{answer: cc("max-age=1, must-revalidate"), want: fromOrigin}, {wait: 2 * s, req: cc("max-stale"), want: fromOrigin},
	}},
	{"9111-5.2.1.2", "max-stale against proxy-revalidate, private", private, []step{
		{answer: cc("max-age=1, proxy-revalidate"), want: fromOrigin}, {wait: 2 * s, req: cc("max-stale"), want: fromStore},
	}},
	{"9111-5.2.1.2", "max-stale against proxy-revalidate, shared", shared, []step{
		{answer: cc("max-age=1, proxy-revalidate"), want: fromOrigin}, {wait: 2 * s, req: cc("max-stale"), want: fromOrigin},
	}},
}

// withRequest is a rule of a second request with a directive, for an answer that is fresh for a minute.
func withRequest(spec, name, directive string, wait time.Duration, want source) rule {
	return rule{spec, name, private, []step{
		{answer: cc("max-age=60"), want: fromOrigin}, {wait: wait, req: cc(directive), want: want},
	}}
}

var validationRules = []rule{
	{"9111-4.3.1", "ETag", private, []step{
		{answer: append(cc("max-age=1"), `ETag: "a"`), body: "old", want: fromOrigin},
		{wait: 2 * s, answer: append(cc("max-age=60"), `ETag: "a"`), confirm: true, want: confirmed, text: "old"},
		{wait: 30 * s, want: fromStore, text: "old"},
	}},
	{"9111-4.3.1", "Last-Modified", private, []step{
		{answer: append(cc("max-age=1"), "Last-Modified: {-1h}"), body: "old", want: fromOrigin},
		{wait: 2 * s, answer: cc("max-age=60"), confirm: true, want: confirmed, text: "old"},
	}},
	{"9111-4.3.3", "200 instead", private, []step{
		{answer: append(cc("max-age=1"), `ETag: "a"`), body: "old", want: fromOrigin},
		{wait: 2 * s, answer: append(cc("max-age=60"), `ETag: "b"`), body: "new", want: fromOrigin, text: "new"},
		{want: fromStore, text: "new"},
	}},
	{"9111-4.3.3", "200 that must not be stored ends the old answer", private, []step{
		{answer: append(cc("max-age=1, stale-if-error=60"), `ETag: "a"`), body: "old", want: fromOrigin},
		{wait: 2 * s, answer: cc("no-store"), body: "new", want: fromOrigin, text: "new"},
		{down: true, want: failed},
	}},
	{"9111-4.3.3", "an answer to the request alone does not end the old one", private, []step{
		{answer: cc("max-age=1, stale-if-error=60"), body: "old", want: fromOrigin},
		{wait: 2 * s, status: 429, want: fromOrigin},
		{status: 401, want: fromOrigin},
		{down: true, want: fromStore, text: "old"},
		{status: 404, answer: cc("no-store"), want: fromOrigin},
		{down: true, want: failed},
	}},
	{"9111-4.3.4", "a 304 updates fields, but for those of the body", private, []step{
		{answer: append(cc("max-age=1"), `ETag: "a"`, "X-A: 1", "X-B: 1", "Content-Type: text/plain"), body: "old", want: fromOrigin},
		{
			wait: 2 * s, answer: append(cc("max-age=60"), `ETag: "a"`, "X-A: 2", "Content-Type: text/html", "Content-Length: 99"), confirm: true, want: confirmed,
			has: []string{"X-A: 2", "X-B: 1", "Content-Type: text/plain", "Content-Length: 3"},
		},
		{want: fromStore, has: []string{"X-A: 2", "X-B: 1", "Content-Type: text/plain", "Content-Length: 3"}, text: "old"},
	}},
	{"9111-4.3.4", "a 304 for something else", private, []step{
		{answer: append(cc("max-age=1"), `ETag: "a"`), body: "old", want: fromOrigin},
		{wait: 2 * s, answer: append(cc("max-age=60"), `ETag: "b"`), confirm: true, body: "new", want: fromOrigin, text: "new"},
	}},
	{"9111-4.3.4", "a 304 that forbids storing", private, []step{
		{answer: append(cc("max-age=1"), `ETag: "a"`), body: "old", want: fromOrigin},
		{wait: 2 * s, answer: append(cc("no-store"), `ETag: "a"`), confirm: true, want: confirmed, text: "old"},
		{confirm: true, want: fromOrigin}, // there is nothing to be confirmed any more
	}},
	{"9111-5.2.2.4", "no-cache is stored and validated", private, []step{
		{answer: append(cc("no-cache"), `ETag: "a"`), body: "old", want: fromOrigin},
		{answer: append(cc("no-cache"), `ETag: "a"`), confirm: true, want: confirmed, text: "old"},
	}},
	{"9111-5.2.1.4", "no-cache of a request validates", private, []step{
		{answer: append(cc("max-age=60"), `ETag: "a"`), want: fromOrigin},
		{req: cc("no-cache"), answer: append(cc("max-age=60"), `ETag: "a"`), confirm: true, want: confirmed},
	}},
	{"9111-4.3.2", "a caller's ETag from a fresh entry", private, []step{
		{answer: append(cc("max-age=60"), `ETag: "a"`, "Content-Type: x/y"), body: "old", want: fromOrigin},
		{req: []string{`If-None-Match: "x", W/"a"`}, want: fromStore, gives: 304, has: []string{`ETag: "a"`, "-Content-Type", "-Content-Length"}},
		{req: []string{`If-None-Match: *`}, want: fromStore, gives: 304},
		{req: []string{`If-None-Match: "x"`}, want: fromStore, text: "old"},
	}},
	{"9111-4.3.2", "a caller's date from a fresh entry", private, []step{
		{answer: append(cc("max-age=60"), "Last-Modified: {-1h}"), body: "old", want: fromOrigin},
		{req: []string{"If-Modified-Since: {-30m}"}, want: fromStore, gives: 304},
		{req: []string{"If-Modified-Since: {-2h}"}, want: fromStore, text: "old"},
		{req: []string{"If-Modified-Since: {-30m}", `If-None-Match: "x"`}, want: fromStore, text: "old"},
	}},
	{"9111-4.3.2", "a caller's validator is passed on, and so is the 304", private, []step{
		{req: []string{`If-None-Match: "a"`}, answer: []string{`ETag: "a"`}, confirm: true, want: fromOrigin, gives: 304},
	}},
	{"9111-4.3.4", "a 304 to a caller's validator updates", private, []step{
		{answer: append(cc("max-age=1"), `ETag: "a"`), body: "old", want: fromOrigin},
		{wait: 2 * s, req: []string{`If-None-Match: "a"`}, answer: append(cc("max-age=60"), `ETag: "a"`), confirm: true, want: fromOrigin, gives: 304},
		{want: fromStore, text: "old"},
	}},
	{"9111-4.3.4", "a 304 to a caller's validator for something else updates nothing", private, []step{
		{answer: append(cc("max-age=1"), `ETag: "a"`), body: "old", want: fromOrigin},
		{wait: 2 * s, req: []string{`If-None-Match: "b"`}, answer: append(cc("max-age=60"), `ETag: "b"`), confirm: true, want: fromOrigin, gives: 304},
		{want: fromOrigin},
	}},
	{"9111-4.3.4", "the age of before is not that of a 304", private, []step{
		{answer: append(cc("max-age=60"), `ETag: "a"`, "Age: 50"), want: fromOrigin},
		{wait: 20 * s, answer: append(cc("max-age=60"), `ETag: "a"`), confirm: true, want: confirmed},
		{wait: 30 * s, want: fromStore, has: []string{"Age: 30"}},
	}},
	{"9111-4.3.1", "a date that is there twice is no validator", private, []step{
		{answer: append(cc("max-age=60"), "Last-Modified: {-1h}", "Last-Modified: {-2h}"), want: fromOrigin},
		{wait: 90 * s, confirm: true, want: fromOrigin},
	}},
	{"9111-4.3.2", "a caller's ETag of an answer that is no 200", private, []step{
		{status: 404, answer: append(cc("max-age=60"), `ETag: "a"`), want: fromOrigin},
		{req: []string{`If-None-Match: "a"`}, want: fromStore, gives: 404},
	}},
	{"9111-3", "a status that nothing lets be stored, with a validator", private, []step{
		{status: 302, answer: []string{`ETag: "a"`}, want: fromOrigin},
		{confirm: true, want: fromOrigin},
	}},
	{"9110-6.6.1", "a 304 without Date is as old as it is", private, []step{
		{answer: append(cc("max-age=10"), `ETag: "a"`, "Date: {-1h}"), want: fromOrigin},
		{answer: append(cc("max-age=10"), `ETag: "a"`), confirm: true, want: confirmed},
		{wait: 9 * s, want: fromStore},
	}},
}
