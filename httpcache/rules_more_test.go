package httpcache_test

import (
	"time"

	"github.com/seawall-go/seawall/httpcache"
)

// varying is a rule of an answer with a Vary to a first request, and of a second one.
func varying(name string, vary, first, second []string, want source) rule {
	answer := cc("max-age=60")
	for _, v := range vary {
		answer = append(answer, "Vary: "+v)
	}
	return rule{"9111-4.1", name, private, []step{
		{req: first, answer: answer, want: fromOrigin}, {req: second, want: want},
	}}
}

func list(v ...string) []string { return v }

var varyRules = []rule{
	varying("matches", list("Foo"), list("Foo: 1"), list("Foo: 1", "Bar: 2"), fromStore),
	varying("does not match", list("Foo"), list("Foo: 1"), list("Foo: 2"), fromOrigin),
	varying("absent in the second", list("Foo"), list("Foo: 1"), nil, fromOrigin),
	varying("absent in the first", list("Foo"), nil, list("Foo: 1"), fromOrigin),
	varying("absent in both", list("Foo"), nil, nil, fromStore),
	varying("empty is not absent", list("Foo"), nil, list("Foo: "), fromOrigin),
	varying("two fields", list("Foo, bar"), list("Foo: 1", "Bar: 2"), list("Bar: 2", "Foo: 1"), fromStore),
	varying("two lines", list("Foo", "Bar"), list("Foo: 1", "Bar: 2"), list("Foo: 1", "Bar: 3"), fromOrigin),
	varying("star", list("*"), nil, nil, fromOrigin),
	varying("star star", list("*, *"), nil, nil, fromOrigin),
	varying("star on the second line", list("", "*"), nil, nil, fromOrigin),
	varying("star behind nothing", list(", *"), nil, nil, fromOrigin),
	varying("star behind a field", list("Foo, *"), list("Foo: 1"), list("Foo: 1"), fromOrigin),
	varying("star before a field", list("*, Foo"), list("Foo: 1"), list("Foo: 1"), fromOrigin),
	varying("lines are joined", list("Foo"), list("Foo: 1, 2"), list("Foo: 1", "Foo: 2"), fromStore),
	varying("space between members", list("Foo"), list("Foo: 1,2"), list("Foo:  1 , 2 "), fromStore),
	varying("space within quotes", list("Foo"), list(`Foo: "1, 2"`), list(`Foo: "1,2"`), fromOrigin),
	varying("languages have no case", list("Accept-Language"), list("Accept-Language: en, de"), list("Accept-Language: EN,De"), fromStore),
	varying("other values do", list("Foo"), list("Foo: a"), list("Foo: A"), fromOrigin),
	varying("order of languages", list("Accept-Language"), list("Accept-Language: en, de"), list("Accept-Language: de, en"), fromOrigin),
	varying("users are compared as they are", list("Cookie"), list("Cookie: a, b"), list("Cookie: a,b"), fromOrigin),
	{"9111-4.1", "two variants", private, []step{
		{req: list("Foo: 1"), answer: append(cc("max-age=60"), "Vary: Foo"), body: "one", want: fromOrigin},
		{req: list("Foo: 2"), answer: append(cc("max-age=60"), "Vary: Foo"), body: "two", want: fromOrigin},
		{req: list("Foo: 1"), want: fromStore, text: "one"},
		{req: list("Foo: 2"), want: fromStore, text: "two"},
	}},
	{"9211-2.2", "vary-miss", private, []step{
		{req: list("Foo: 1"), answer: append(cc("max-age=60"), "Vary: Foo"), want: fromOrigin, has: list("Cache-Status: test; fwd=uri-miss; stored")},
		{req: list("Foo: 2"), want: fromOrigin, has: list("Cache-Status: test; fwd=vary-miss")},
	}},
	{"9111-4.1", "a changed Vary", private, []step{
		{req: list("Foo: 1", "Bar: 1"), answer: append(cc("max-age=1"), "Vary: Foo"), want: fromOrigin},
		{wait: 2 * s, req: list("Foo: 1", "Bar: 1"), answer: append(cc("max-age=60"), "Vary: Bar"), want: fromOrigin},
		{req: list("Foo: 1", "Bar: 2"), want: fromOrigin},
		{req: list("Foo: 2", "Bar: 1"), want: fromStore},
	}},
}

// changing is a rule of a stored answer, a request by another method, and what is stored then.
func changing(name, method string, status int, fields []string, url string, want source) rule {
	return rule{"9111-4.4", name, private, []step{
		{url: url, answer: cc("max-age=60"), want: fromOrigin},
		{method: method, url: here, status: status, answer: fields, want: fromOrigin},
		{url: url, want: want},
	}}
}

var invalidationRules = []rule{
	changing("POST", "POST", 200, nil, here, fromOrigin),
	changing("PUT", "PUT", 204, nil, here, fromOrigin),
	changing("DELETE", "DELETE", 303, nil, here, fromOrigin),
	changing("a method nobody knows", "M-SEARCH", 200, nil, here, fromOrigin),
	changing("POST that failed", "POST", 500, nil, here, fromStore),
	changing("POST that was refused", "POST", 404, nil, here, fromStore),
	changing("OPTIONS", "OPTIONS", 200, nil, here, fromStore),
	changing("PROPFIND", "PROPFIND", 200, nil, here, fromStore),
	changing("Location", "POST", 201, list("Location: /made"), "http://origin.example/made", fromOrigin),
	changing("Content-Location, absolute", "POST", 200, list("Content-Location: http://origin.example:80/made"), "http://origin.example/made", fromOrigin),
	changing("Location elsewhere", "POST", 200, list("Location: http://other.example/made"), "http://other.example/made", fromStore),
	changing("Location by another scheme", "POST", 200, list("Location: https://origin.example/made"), "https://origin.example/made", fromStore),
	changing("another URI", "POST", 200, nil, here+"?b", fromStore),
	{"9111-4.4", "all variants and users", private, []step{
		{req: list("Foo: 1", "Cookie: a"), answer: append(cc("max-age=60"), "Vary: Foo"), want: fromOrigin},
		{req: list("Foo: 2", "Cookie: a"), answer: append(cc("max-age=60"), "Vary: Foo"), want: fromOrigin},
		{req: list("Foo: 1", "Cookie: b"), answer: append(cc("max-age=60"), "Vary: Foo"), want: fromOrigin},
		{method: "POST", req: list("Cookie: c"), want: fromOrigin},
		{req: list("Foo: 1", "Cookie: a"), want: fromOrigin},
		{req: list("Foo: 2", "Cookie: a"), want: fromOrigin},
		{req: list("Foo: 1", "Cookie: b"), want: fromOrigin},
	}},
}

// erring is a rule of an answer that has become stale, and an origin that fails.
func erring(name, directives string, cfg httpcache.Config, wait time.Duration, status int, want source) rule {
	second := step{wait: wait, status: status, down: status == 0, want: want}
	if want == fromOrigin {
		second.gives = status
	}
	return rule{"5861-4", name, cfg, []step{{answer: cc(directives), body: "old", want: fromOrigin}, second}}
}

var disconnected = httpcache.Config{StaleWhenDisconnected: time.Hour}

var forgiving = httpcache.Config{StaleIfError: 20 * time.Second}

var staleRules = []rule{
	erring("by the client, 503", "max-age=10", forgiving, 29*s, 503, fromStore),
	erring("by the client, network error", "max-age=10", forgiving, 29*s, 0, fromStore),
	erring("by the client, for too long", "max-age=10", forgiving, 31*s, 503, fromOrigin),
	erring("by the client, 404 passes", "max-age=10", forgiving, 29*s, 404, fromOrigin),
	erring("by the client, but must-revalidate", "max-age=10, must-revalidate", forgiving, 15*s, 503, fromOrigin),
	erring("by the client, on top of the origin's", "max-age=10, stale-if-error=5", forgiving, 29*s, 503, fromStore),
	{"5861-4", "by the client, but the request wants less", forgiving, []step{
		{answer: append(cc("max-age=10"), `ETag: "a"`), want: fromOrigin},
		{wait: 15 * s, req: cc("stale-if-error=4"), status: 503, gives: 503, want: fromOrigin},
		{status: 503, want: fromStore},
	}},
	erring("network error", "max-age=10, stale-if-error=20", private, 29*s, 0, fromStore),
	erring("the window counts from becoming stale", "max-age=10, stale-if-error=20", private, 31*s, 0, failed),
	erring("500", "max-age=10, stale-if-error=20", private, 29*s, 500, fromStore),
	erring("502", "max-age=10, stale-if-error=20", private, 29*s, 502, fromStore),
	erring("503", "max-age=10, stale-if-error=20", private, 29*s, 503, fromStore),
	erring("504", "max-age=10, stale-if-error=20", private, 29*s, 504, fromStore),
	erring("501 passes", "max-age=10, stale-if-error=20", private, 29*s, 501, fromOrigin),
	erring("404 passes", "max-age=10, stale-if-error=20", private, 29*s, 404, fromOrigin),
	erring("429 passes", "max-age=10, stale-if-error=20", private, 29*s, 429, fromOrigin),
	erring("without it", "max-age=10, stale-while-revalidate=1", private, 29*s, 503, fromOrigin),
	erring("must-revalidate", "max-age=10, stale-if-error=20, must-revalidate", private, 15*s, 503, fromOrigin),
	erring("no-cache", "no-cache, stale-if-error=20", private, s, 0, failed),
	erring("proxy-revalidate, private", "max-age=10, stale-if-error=20, proxy-revalidate", private, 15*s, 0, fromStore),
	erring("proxy-revalidate, shared", "max-age=10, stale-if-error=20, proxy-revalidate", shared, 15*s, 0, failed),
	erring("s-maxage, shared", "s-maxage=10, stale-if-error=20", shared, 15*s, 0, failed),
	erring("when disconnected", "max-age=10", disconnected, time.Hour, 0, fromStore),
	erring("when disconnected, for too long", "max-age=10", disconnected, time.Hour+11*s, 0, failed),
	erring("when disconnected, but must-revalidate", "max-age=10, must-revalidate", disconnected, 15*s, 0, failed),
	erring("a 503 is not disconnected", "max-age=10", disconnected, 15*s, 503, fromOrigin),
	{"5861-4", "asked for by the request", private, []step{
		{answer: append(cc("max-age=10"), `ETag: "a"`), want: fromOrigin},
		{wait: 15 * s, req: cc("stale-if-error=5"), status: 503, want: fromStore},
		{wait: s, req: cc("stale-if-error=5"), status: 503, want: fromOrigin},
	}},
	{"5861-4", "the caller wants less", private, []step{
		{answer: cc("max-age=10, stale-if-error=60"), want: fromOrigin}, {wait: 20 * s, req: cc("stale-if-error=5"), down: true, want: failed},
	}},
	{"5861-4", "the directive of the error does not count", private, []step{
		{answer: append(cc("max-age=10"), `ETag: "a"`), want: fromOrigin},
		{wait: 15 * s, status: 503, answer: cc("stale-if-error=600, max-age=60"), want: fromOrigin},
		{status: 503, want: fromOrigin},
	}},
	{"5861-4", "told in Cache-Status", private, []step{
		{answer: cc("max-age=10, stale-if-error=20"), want: fromOrigin},
		{wait: 19 * s, status: 503, want: fromStore, has: list("Cache-Status: test; fwd=stale; fwd-status=503; ttl=-9; detail=stale-if-error", "Age: 19")},
	}},
	{"5861-4", "HEAD", private, []step{
		{answer: cc("max-age=10, stale-if-error=20"), want: fromOrigin}, {wait: 15 * s, method: "HEAD", down: true, want: fromStore},
	}},
	{"5861-3", "the stale answer now, the new one then", private, []step{
		{answer: cc("max-age=10, stale-while-revalidate=20"), body: "old", want: fromOrigin},
		{wait: 15 * s, answer: cc("max-age=10"), body: "new", want: fromStore, text: "old", has: list("Age: 15", "Cache-Status: test; hit; ttl=-5")},
		{want: fromStore, text: "new"},
	}},
	{"5861-3", "past the window", private, []step{
		{answer: cc("max-age=10, stale-while-revalidate=20"), want: fromOrigin}, {wait: 31 * s, want: fromOrigin},
	}},
	{"5861-3", "must-revalidate", private, []step{
		{answer: cc("max-age=10, stale-while-revalidate=20, must-revalidate"), want: fromOrigin}, {wait: 15 * s, want: fromOrigin},
	}},
	{"5861-3", "a request that wants it fresher", private, []step{
		{answer: cc("max-age=10, stale-while-revalidate=20"), want: fromOrigin}, {wait: 15 * s, req: cc("max-age=60"), want: fromOrigin},
	}},
	{"5861-4", "a request that wants no stored answer", private, []step{
		{answer: cc("max-age=10, stale-if-error=60"), want: fromOrigin}, {wait: 15 * s, req: cc("no-cache"), down: true, want: failed},
	}},
	{"9111-5.2.1.3", "min-fresh beats max-stale", private, []step{
		{answer: cc("max-age=10"), want: fromOrigin}, {wait: 15 * s, req: cc("max-stale, min-fresh=0"), want: fromOrigin},
	}},
	{"5861-3", "HEAD", private, []step{
		{answer: cc("max-age=10, stale-while-revalidate=20"), want: fromOrigin},
		{wait: 15 * s, method: "HEAD", answer: cc("max-age=10"), body: "new", want: fromStore},
		{want: fromStore, text: "new"},
	}},
}

var statusRules = []rule{
	{"9211-2", "hit with the time left", private, []step{
		{answer: cc("max-age=60"), want: fromOrigin, has: list("Cache-Status: test; fwd=uri-miss; stored")},
		{wait: 18 * s, want: fromStore, has: list("Cache-Status: test; hit; ttl=42")},
	}},
	{"9211-2", "appended to what others say", private, []step{
		{answer: append(cc("max-age=60"), "Cache-Status: Up; hit"), want: fromOrigin, has: list("Cache-Status: Up; hit", "Cache-Status: test; fwd=uri-miss; stored")},
		{want: fromStore, has: list("Cache-Status: Up; hit", "Cache-Status: test; hit; ttl=60")},
	}},
	{"9211-2.2", "method, bypass, request", private, []step{
		{method: "POST", want: fromOrigin, has: list("Cache-Status: test; fwd=method")},
		{req: list("Range: bytes=0-1"), want: fromOrigin, has: list("Cache-Status: test; fwd=bypass")},
		{answer: cc("max-age=60"), want: fromOrigin},
		{req: cc("no-cache"), want: fromOrigin, has: list("Cache-Status: test; fwd=request")},
	}},
	{"9211-2.3", "status of the origin", private, []step{
		{answer: append(cc("max-age=1"), `ETag: "a"`), want: fromOrigin},
		{wait: 2 * s, answer: append(cc("max-age=60"), `ETag: "a"`), confirm: true, want: confirmed, has: list("Cache-Status: test; fwd=stale; fwd-status=304; ttl=60; stored")},
	}},
	{"9211-2", "nothing stored, nothing said", private, []step{{answer: cc("no-store"), want: fromOrigin, has: list("Cache-Status: test; fwd=uri-miss")}}},
}

// targeted is a rule of an answer with a CDN-Cache-Control.
func targeted(name, cdn string, others []string, cfg httpcache.Config, wait time.Duration, want source) rule {
	return again("9213-2", name, cfg, append(others, "CDN-Cache-Control: "+cdn), wait, want)
}

var twoTargets = httpcache.Config{Shared: true, Targets: []string{"Mine-Cache-Control", "CDN-Cache-Control"}}

var targetedRules = []rule{
	targeted("alone", "max-age=60", nil, shared, 59*s, fromStore),
	targeted("private caches have none", "max-age=60", nil, private, 0, fromOrigin),
	targeted("in place of Cache-Control, longer", "max-age=60", cc("max-age=1"), shared, 30*s, fromStore),
	targeted("in place of Cache-Control, shorter", "max-age=1", cc("max-age=60"), shared, 30*s, fromOrigin),
	targeted("in place of no-store", "max-age=60", cc("no-store"), shared, 30*s, fromStore),
	targeted("in place of Expires", "max-age=0", list("Expires: {+60s}"), shared, 0, fromOrigin),
	targeted("no lifetime of its own, and no Expires", "must-revalidate", list("Expires: {+60s}"), shared, 0, fromOrigin),
	targeted("private", "private", cc("max-age=60"), shared, 0, fromOrigin),
	targeted("no-store", "no-store", cc("max-age=60"), shared, 0, fromOrigin),
	targeted("no-cache", "no-cache", cc("max-age=60"), shared, 0, fromOrigin),
	targeted("empty", "", cc("max-age=60"), shared, 30*s, fromStore),
	targeted("does not parse", "max-age=60, &&&", cc("no-store"), shared, 0, fromOrigin),
	targeted("wrong type", `max-age="60"`, cc("no-store"), shared, 0, fromOrigin),
	targeted("negative", `max-age=-1`, cc("max-age=60"), shared, 30*s, fromStore),
	targeted("flag of the wrong type", "no-store=1", cc("max-age=60"), shared, 30*s, fromStore),
	targeted("false flag", "no-store=?0, max-age=60", nil, shared, 30*s, fromStore),
	targeted("upper case", "Max-Age=60", cc("no-store"), shared, 0, fromOrigin),
	targeted("huge", "max-age=99999999999", nil, shared, 1000*time.Hour, fromStore),
	targeted("unknown directives of any type", "foo=(a b), bar=1.5, max-age=60", nil, shared, 30*s, fromStore),
	{"9213-2.2", "the first of the list decides", twoTargets, []step{
		{answer: list("CDN-Cache-Control: no-store", "Mine-Cache-Control: max-age=60"), want: fromOrigin}, {want: fromStore},
	}},
	{"9213-2.2", "the first that is valid", twoTargets, []step{
		{answer: list("CDN-Cache-Control: max-age=60", "Mine-Cache-Control: &"), want: fromOrigin}, {want: fromStore},
	}},
	{"9213-2", "stale answers", shared, []step{
		{answer: append(cc("max-age=0"), "CDN-Cache-Control: max-age=60, stale-if-error=60"), want: fromOrigin}, {wait: 90 * s, down: true, want: fromStore},
	}},
}
