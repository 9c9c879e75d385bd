package httpx_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

var (
	modified = time.Date(2026, 3, 1, 12, 0, 0, 500, time.UTC)
	same     = modified.Format(http.TimeFormat)
	earlier  = modified.Add(-time.Hour).Format(http.TimeFormat)
	later    = modified.Add(time.Hour).Format(http.TimeFormat)
)

// conditionRules are requests about something whose tag is "v2", modified at the time above, unless the row says that it
// has a weak tag, none, or that nothing is there.
var conditionRules = []struct {
	name, method string
	fields       []string
	about        string // "", "weak", "no tag", "no time", "nothing"
	want         int
}{
	{"no condition", "GET", nil, "", 200},
	{"If-Match with the tag", "PUT", []string{`If-Match: "v2"`}, "", 200},
	{"If-Match with another tag", "PUT", []string{`If-Match: "v1"`}, "", 412},
	{"If-Match with the tag in a list", "PUT", []string{`If-Match: "v1", "v2"`}, "", 200},
	{"If-Match with the tag on a second line", "PUT", []string{`If-Match: "v1"`, `If-Match: "v2"`}, "", 200},
	{"If-Match with the tag after empty elements", "PUT", []string{`If-Match: ,, "v2",`}, "", 200},
	{"If-Match with a comma inside of a tag", "PUT", []string{`If-Match: "a,b", "v2"`}, "", 200},
	{"If-Match with * for what is there", "PUT", []string{`If-Match: *`}, "", 200},
	{"If-Match with * for what has no tag", "PUT", []string{`If-Match: *`}, "no tag", 200},
	{"If-Match with * for what is not there", "PUT", []string{`If-Match: *`}, "nothing", 412},
	{"If-Match with a tag for what is not there", "PUT", []string{`If-Match: "v2"`}, "nothing", 412},
	{"If-Match compares strongly: the client's is weak", "PUT", []string{`If-Match: W/"v2"`}, "", 412},
	{"If-Match compares strongly: ours is weak", "PUT", []string{`If-Match: "v2"`}, "weak", 412},
	{"If-Match compares strongly: both are weak", "PUT", []string{`If-Match: W/"v2"`}, "weak", 412},
	{"If-Match of garbage holds nothing off by mistake", "PUT", []string{`If-Match: v2`}, "", 412},
	{"If-Match with a tag before garbage", "PUT", []string{`If-Match: "v2" garbage`}, "", 412},
	{"If-Match with a tag and then garbage", "PUT", []string{`If-Match: "v2", garbage`}, "", 200},
	{"If-Match with * in a list is garbage", "PUT", []string{`If-Match: "v1", *`}, "", 412},
	{"If-Match that is empty", "PUT", []string{`If-Match: `}, "", 412},
	{"If-Match on a GET", "GET", []string{`If-Match: "v1"`}, "", 412},
	{"If-Unmodified-Since at the time", "PUT", []string{"If-Unmodified-Since: " + same}, "", 200},
	{"If-Unmodified-Since before the time", "PUT", []string{"If-Unmodified-Since: " + earlier}, "", 412},
	{"If-Unmodified-Since after the time", "PUT", []string{"If-Unmodified-Since: " + later}, "", 200},
	{"If-Unmodified-Since that is no date", "PUT", []string{"If-Unmodified-Since: yesterday"}, "", 200},
	{"If-Unmodified-Since without a time to compare", "PUT", []string{"If-Unmodified-Since: " + earlier}, "no time", 200},
	{"If-Unmodified-Since beside If-Match does not count", "PUT", []string{`If-Match: "v2"`, "If-Unmodified-Since: " + earlier}, "", 200},
	{"If-None-Match with the tag, GET", "GET", []string{`If-None-Match: "v2"`}, "", 304},
	{"If-None-Match with the tag, HEAD", "HEAD", []string{`If-None-Match: "v2"`}, "", 304},
	{"If-None-Match with the tag, PUT", "PUT", []string{`If-None-Match: "v2"`}, "", 412},
	{"If-None-Match with another tag", "GET", []string{`If-None-Match: "v1"`}, "", 200},
	{"If-None-Match in a list", "GET", []string{`If-None-Match: "v1", W/"v2"`}, "", 304},
	{"If-None-Match compares weakly: the client's is weak", "GET", []string{`If-None-Match: W/"v2"`}, "", 304},
	{"If-None-Match compares weakly: ours is weak", "GET", []string{`If-None-Match: "v2"`}, "weak", 304},
	{"If-None-Match with * for what is there, GET", "GET", []string{`If-None-Match: *`}, "", 304},
	{"If-None-Match with * for what is there, PUT", "PUT", []string{`If-None-Match: *`}, "", 412},
	{"If-None-Match with * for what is not there", "PUT", []string{`If-None-Match: *`}, "nothing", 200},
	{"If-None-Match with * in a list overwrites nothing", "PUT", []string{`If-None-Match: "v1", *`}, "", 412},
	{"If-None-Match of garbage", "GET", []string{`If-None-Match: v2`}, "", 200},
	{"If-None-Match with a small w", "GET", []string{`If-None-Match: w/"v2"`}, "", 200},
	{"If-Modified-Since at the time", "GET", []string{"If-Modified-Since: " + same}, "", 304},
	{"If-Modified-Since before the time", "GET", []string{"If-Modified-Since: " + earlier}, "", 200},
	{"If-Modified-Since after the time", "HEAD", []string{"If-Modified-Since: " + later}, "", 304},
	{"If-Modified-Since on a PUT", "PUT", []string{"If-Modified-Since: " + later}, "", 200},
	{"If-Modified-Since that is no date", "GET", []string{"If-Modified-Since: 0"}, "", 200},
	{"If-Modified-Since twice", "GET", []string{"If-Modified-Since: " + later, "If-Modified-Since: " + later}, "", 200},
	{"If-Modified-Since without a time to compare", "GET", []string{"If-Modified-Since: " + later}, "no time", 200},
	{"If-Modified-Since beside If-None-Match does not count", "GET", []string{`If-None-Match: "v1"`, "If-Modified-Since: " + later}, "", 200},
	{"If-Modified-Since beside an If-None-Match of garbage does not count", "GET", []string{`If-None-Match: x`, "If-Modified-Since: " + later}, "", 200},
	{"If-Match is before If-None-Match", "GET", []string{`If-Match: "v1"`, `If-None-Match: "v2"`}, "", 412},
	{"If-Match holds, then If-None-Match", "GET", []string{`If-Match: "v2"`, `If-None-Match: "v2"`}, "", 304},
	{"OPTIONS has no conditions", "OPTIONS", []string{`If-Match: "v1"`}, "", 200},
}

// document answers with Preconditions in front of it.
func document(w http.ResponseWriter, r *http.Request) {
	etag, at := `"v2"`, modified
	switch r.Header.Get("X-About") {
	case "weak":
		etag = `W/"v2"`
	case "no tag":
		etag = ""
	case "no time":
		at = time.Time{}
	case "nothing":
		etag, at = "", time.Time{}
	}
	h := w.Header()
	h.Set("Cache-Control", "max-age=60")
	h.Set("Content-Location", "/doc.txt")
	h.Set("Expires", later)
	h.Set("Vary", "Accept")
	h.Set("Content-Type", "text/plain")
	h.Set("Content-Language", "en")
	if httpx.Preconditions(w, r, etag, at) {
		return
	}
	_, _ = io.WriteString(w, "text")
}

func conditional(t *testing.T, method, url string, fields []string, about string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Add(name, value)
	}
	req.Header.Set("X-About", about)
	return req
}

func TestConditionsKeepTheirRulesOverTheNetwork(t *testing.T) {
	for _, p := range []protocol{http1, http2} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(document))
		srv.EnableHTTP2 = p == http2
		srv.StartTLS()
		t.Cleanup(srv.Close)
		for _, rule := range conditionRules {
			t.Run(string(p)+"/"+rule.name, func(t *testing.T) {
				resp, err := srv.Client().Do(conditional(t, rule.method, srv.URL, rule.fields, rule.about))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, _ := io.ReadAll(resp.Body)
				if resp.StatusCode != rule.want {
					t.Fatalf("got %d, want %d", resp.StatusCode, rule.want)
				}
				has := func(present bool, names ...string) {
					for _, name := range names {
						if (resp.Header.Get(name) != "") != present {
							t.Errorf("%s: %q, want it there: %v", name, resp.Header.Get(name), present)
						}
					}
				}
				switch rule.want {
				case 304:
					has(true, "Cache-Control", "Content-Location", "Date", "Expires", "Vary", "ETag")
					has(false, "Content-Type", "Content-Length", "Content-Language", "Last-Modified")
					if len(body) > 0 {
						t.Errorf("body %q", body)
					}
				case 412:
					if resp.Header.Get("Cache-Control") != "no-store" || string(body) != "Precondition Failed\n" {
						t.Errorf("%v %q", resp.Header, body)
					}
				case 200:
					if rule.method == "GET" && rule.about == "" {
						has(true, "ETag", "Last-Modified")
					}
				}
			})
		}
	}
}

func TestNotModifiedKeepsTheTimeWhereThereIsNoTag(t *testing.T) {
	w := httptest.NewRecorder()
	document(w, conditional(t, "GET", "/", []string{"If-Modified-Since: " + same}, "no tag"))
	if w.Code != 304 || w.Header().Get("Last-Modified") != same {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestPreconditionsLeavesTheHandlersValidatorsAndSendsNoMalformedOnes(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("ETag", `"theirs"`)
	if httpx.Preconditions(w, httptest.NewRequest("GET", "/", nil), `"ours"`, time.Time{}) || w.Header().Get("ETag") != `"theirs"` {
		t.Error(w.Header())
	}
	for _, tag := range []string{`v2`, `"v2`, `"v"2"`, `"v2" `, "\"v\x002\"", `w/"v2"`} {
		w := httptest.NewRecorder()
		if httpx.Preconditions(w, conditional(t, "GET", "/", []string{"If-None-Match: " + tag}, ""), tag, time.Time{}) || w.Header().Get("ETag") != "" {
			t.Errorf("%q: %v", tag, w.Header())
		}
	}
}

func TestChangesWithoutIfMatchAreRefused(t *testing.T) {
	for _, row := range []struct {
		method string
		fields []string
		want   int
	}{
		{"PUT", nil, 428},
		{"PATCH", nil, 428},
		{"DELETE", nil, 428},
		{"POST", nil, 428},
		{"PUT", []string{"If-Unmodified-Since: " + later}, 428},
		{"PUT", []string{`If-Match: "v1"`}, 200},
		{"PUT", []string{`If-None-Match: *`}, 200},
		{"GET", nil, 200},
		{"HEAD", nil, 200},
		{"OPTIONS", nil, 200},
	} {
		w := httptest.NewRecorder()
		answered := httpx.RequireIfMatch(w, conditional(t, row.method, "/", row.fields, ""))
		if answered != (row.want == 428) || w.Code != row.want || answered && w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %v: %v, %d %v", row.method, row.fields, answered, w.Code, w.Header())
		}
	}
}

func TestIfRangeComparesStronglyAndExactly(t *testing.T) {
	for _, row := range []struct {
		field, etag string
		at          time.Time
		want        bool
	}{
		{"", `"v2"`, modified, true},
		{`If-Range: "v2"`, `"v2"`, modified, true},
		{`If-Range: "v1"`, `"v2"`, modified, false},
		{`If-Range: W/"v2"`, `"v2"`, modified, false},
		{`If-Range: "v2"`, `W/"v2"`, modified, false},
		{`If-Range: "v2", "v3"`, `"v2"`, modified, false},
		{`If-Range: "v2"`, "", modified, false},
		{"If-Range: " + same, `"v2"`, modified, true},
		{"If-Range: " + later, `"v2"`, modified, false},
		{"If-Range: " + earlier, `"v2"`, modified, false},
		{"If-Range: " + same, `"v2"`, time.Time{}, false},
		{"If-Range: garbage", `"v2"`, modified, false},
	} {
		var fields []string
		if row.field != "" {
			fields = []string{row.field}
		}
		if got := httpx.IfRange(conditional(t, "GET", "/", fields, ""), row.etag, row.at); got != row.want {
			t.Errorf("%q for %s, %v: %v", row.field, row.etag, row.at, got)
		}
	}
	r := conditional(t, "GET", "/", []string{`If-Range: "v2"`, `If-Range: "v2"`}, "")
	if httpx.IfRange(r, `"v2"`, modified) {
		t.Error("two lines hold")
	}
}

// net/http has the same rules inside of ServeContent, for one line of each field: what it does is what we do. That it takes
// "*" for any tag wherever it stands, and "v2"x for "v2", is left out.
func TestConditionsAgreeWithServeContent(t *testing.T) {
	pick := func(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }
	list := func(r *rand.Rand) string {
		if r.IntN(6) == 0 {
			return "*"
		}
		var parts []string
		for range 1 + r.IntN(3) {
			parts = append(parts, pick(r, `"v1"`, `"v2"`, `W/"v2"`, `W/"v1"`, `""`, ``, `"a,b"`, `x`, `"v2`, " "))
		}
		return strings.Join(parts, pick(r, ",", ", ", " ,"))
	}
	statuses := map[int]int{}
	for i := range 20_000 {
		seed := uint64(i)
		r := rand.New(rand.NewPCG(seed, 2))
		etag := pick(r, `"v2"`, `W/"v2"`, "")
		at := []time.Time{modified, {}}[r.IntN(2)]
		method := pick(r, "GET", "HEAD", "GET", "PUT", "DELETE")
		req := httptest.NewRequest(method, "/", nil)
		for _, name := range []string{"If-Match", "If-None-Match"} {
			if r.IntN(2) == 0 {
				if value := list(r); value != "" {
					req.Header.Set(name, value)
				}
			}
		}
		for _, name := range []string{"If-Unmodified-Since", "If-Modified-Since", "If-Range"} {
			if r.IntN(3) == 0 {
				req.Header.Set(name, pick(r, same, earlier, later, "garbage"))
			}
		}
		if r.IntN(3) == 0 {
			req.Header.Set("If-Range", pick(r, `"v2"`, `W/"v2"`, `"v1"`))
		}
		ranged := method == "GET" && r.IntN(2) == 0
		if ranged {
			req.Header.Set("Range", "bytes=0-1")
		}

		theirs := httptest.NewRecorder()
		if etag != "" {
			theirs.Header().Set("ETag", etag)
		}
		http.ServeContent(theirs, req, "x.txt", at, strings.NewReader("0123456789"))
		want := theirs.Code

		ours := httptest.NewRecorder()
		if etag == "" && at.IsZero() {
			continue // to net/http something is there all the same
		}
		got := 200
		switch {
		case httpx.Preconditions(ours, req, etag, at):
			got = ours.Code
		case ranged && httpx.IfRange(req, etag, at):
			got = 206
		}
		if got != want {
			t.Fatalf("seed %d: %s with %v for %q, %v: %d, net/http %d", seed, method, req.Header, etag, at, got, want)
		}
		if got == 304 && (ours.Header().Get("ETag") != theirs.Header().Get("ETag") ||
			ours.Header().Get("Last-Modified") != theirs.Header().Get("Last-Modified")) {
			t.Fatalf("seed %d: 304 with %v, net/http %v", seed, ours.Header(), theirs.Header())
		}
		statuses[got]++
	}
	for _, status := range []int{200, 206, 304, 412} {
		if statuses[status] < 100 {
			t.Errorf("only %d answers were %d", statuses[status], status)
		}
	}
}

func FuzzEntityTags(f *testing.F) {
	for _, s := range []string{`"a"`, `W/"a"`, `"a", "b"`, `*`, `"a",*`, `"`, `W/`, `,,"a"`, "\"\xff\"", `"a"b`, "\"a\x00\"", " * "} {
		f.Add(s, `"a"`)
	}
	f.Fuzz(func(t *testing.T, list, tag string) {
		any, tags := httpx.ParseTags([]string{list})
		if any != (strings.Trim(list, " \t") == "*") {
			t.Fatalf("%q is *: %v", list, any)
		}
		// What was read reads the same when it is written again, and in two lines.
		if len(tags) > 0 {
			if _, again := httpx.ParseTags(tags); fmt.Sprint(again) != fmt.Sprint(tags) {
				t.Fatalf("%q reads as %q, and that as %q", list, tags, again)
			}
			if _, again := httpx.ParseTags([]string{strings.Join(tags, " , ")}); fmt.Sprint(again) != fmt.Sprint(tags) {
				t.Fatalf("%q reads as %q, and in one line as %q", list, tags, again)
			}
		}
		for _, method := range []string{"GET", "PUT"} {
			for _, name := range []string{"If-Match", "If-None-Match", "If-Range", "If-Modified-Since", "If-Unmodified-Since"} {
				r := httptest.NewRequest(method, "/", nil)
				r.Header[name] = []string{list}
				w := httptest.NewRecorder()
				if httpx.Preconditions(w, r, tag, modified) != (w.Code != 200) {
					t.Fatalf("%s: %q: answered with %d", name, list, w.Code)
				}
				httpx.IfRange(r, tag, modified)
			}
		}
	})
}

func ExamplePreconditions() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := []byte("Hello")
		if httpx.Preconditions(w, r, httpx.ETag(page), time.Time{}) {
			return
		}
		_, _ = w.Write(page)
	})
	first := httptest.NewRecorder()
	handler.ServeHTTP(first, httptest.NewRequest("GET", "/", nil))
	fmt.Println(first.Code, first.Body)

	again := httptest.NewRequest("GET", "/", nil)
	again.Header.Set("If-None-Match", first.Header().Get("ETag"))
	second := httptest.NewRecorder()
	handler.ServeHTTP(second, again)
	fmt.Println(second.Code, second.Body.Len())
	// Output:
	// 200 Hello
	// 304 0
}

func ExampleRequireIfMatch() {
	etag := `"v2"`
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if httpx.RequireIfMatch(w, r) || httpx.Preconditions(w, r, etag, time.Time{}) {
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	for _, seen := range []string{"", `"v1"`, `"v2"`} {
		r := httptest.NewRequest("PUT", "/", nil)
		if seen != "" {
			r.Header.Set("If-Match", seen)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 428
	// 412
	// 204
}
