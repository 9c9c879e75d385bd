package httpcache_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpcache"
	"github.com/seawall-go/seawall/internal/shrink"
)

// visit is one request of a random user, and what the origin says of its answer.
type visit struct {
	wait           int // seconds
	path           int
	auth, cookie   string
	lang           string
	control        string
	vary           string
	cookieSet      bool
	unsafe, reload bool
}

func (v visit) String() string { return fmt.Sprintf("%+v", struct{ visit }{v}.visit) }

func randomVisits(r *rand.Rand) []visit {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	list := make([]visit, 60)
	for i := range list {
		list[i] = visit{
			wait: r.IntN(4), path: r.IntN(2), auth: pick("", "", "x", "y"), cookie: pick("", "", "u=1", "u=2"), lang: pick("", "en", "de"),
			control: pick("max-age=5", "max-age=5, private", "max-age=5, public", "no-store", "s-maxage=5", "no-cache", "max-age=2, stale-while-revalidate=4", "max-age=5, must-revalidate"),
			vary:    pick("", "", "Lang", "Cookie", "Authorization, Lang", "*"), cookieSet: r.IntN(5) == 0,
			unsafe: r.IntN(12) == 0, reload: r.IntN(12) == 0,
		}
	}
	return list
}

// The answer's body says to whom it was given and with what. So whoever gets an answer can tell whether it may be theirs:
// this is all of RFC 9111 that protects users, told in the slowest way.
func mayGet(shared bool, v visit, body string) error {
	given := map[string]string{}
	for part := range strings.SplitSeq(body, "|") {
		k, value, _ := strings.Cut(part, "=")
		given[k] = value
	}
	same := given["auth"] == v.auth && given["cookie"] == strings.ReplaceAll(v.cookie, "=", ":")
	control := strings.ReplaceAll(given["control"], ":", "=")
	switch {
	case given["path"] != fmt.Sprint(v.path):
		return fmt.Errorf("another path")
	case strings.Contains(control, "no-store"):
		return fmt.Errorf("an answer that must not be stored")
	case !shared && !same:
		return fmt.Errorf("another user's, from a private cache")
	case !shared && given["set"] == "true" && v.auth == "" && v.cookie == "" && !strings.Contains(control, "public"):
		return fmt.Errorf("a cookie that was set for somebody")
	case shared && strings.Contains(control, "private"):
		return fmt.Errorf("a private answer, from a shared cache")
	case shared && given["set"] == "true" && !strings.Contains(control, "public"):
		return fmt.Errorf("another's cookie")
	case shared && given["auth"] != "" && !strings.Contains(control, "public") && !strings.Contains(control, "s-maxage") && !strings.Contains(control, "must-revalidate"):
		return fmt.Errorf("an answer to an authorized request")
	}
	for field := range strings.SplitSeq(strings.ReplaceAll(given["vary"], " ", ""), ",") {
		switch field {
		case "*":
			return fmt.Errorf("an answer with Vary: *")
		case "Lang":
			same = given["lang"] == v.lang
		case "Cookie":
			same = given["cookie"] == strings.ReplaceAll(v.cookie, "=", ":")
		case "Authorization":
			same = given["auth"] == v.auth
		default:
			same = true
		}
		if !same {
			return fmt.Errorf("an answer for another %s", field)
		}
	}
	return nil
}

// walk sends the visits, several at a time, and returns the first answer that went to the wrong user.
func walk(t *testing.T, cfg httpcache.Config, visits []visit, abreast int) (wrong error) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{}
		var n atomic.Int64
		o.handle = func(w http.ResponseWriter, r *http.Request) {
			number := n.Add(1)
			time.Sleep(10 * time.Millisecond) // so that others come meanwhile
			h := r.Header
			w.Header().Set("Cache-Control", h.Get("Plan-Control"))
			if v := h.Get("Plan-Vary"); v != "" {
				w.Header().Set("Vary", v)
			}
			if h.Get("Plan-Set") == "true" {
				w.Header().Set("Set-Cookie", fmt.Sprintf("id=%d", number))
			}
			fmt.Fprintf(w, "path=%s|auth=%s|cookie=%s|lang=%s|control=%s|vary=%s|set=%s", strings.TrimPrefix(r.URL.Path, "/"), h.Get("Authorization"),
				strings.ReplaceAll(h.Get("Cookie"), "=", ":"), h.Get("Lang"), strings.ReplaceAll(h.Get("Plan-Control"), "=", ":"), h.Get("Plan-Vary"), h.Get("Plan-Set"))
		}
		c := newCache(t, cfg, o)
		for len(visits) > 0 {
			group := visits[:min(abreast, len(visits))]
			visits = visits[len(group):]
			time.Sleep(time.Duration(group[0].wait) * time.Second)
			results, wait := together(t, c, len(group), func(i int) *http.Request { return group[i].request(t) })
			wait()
			for i, r := range results {
				v := group[i]
				if r.err != nil {
					wrong = r.err
					return
				}
				shared := strings.Contains(r.cacheStatus(), "hit") || strings.Contains(r.cacheStatus(), "collapsed")
				if err := mayGet(cfg.Shared, v, r.body); shared && err != nil {
					wrong = fmt.Errorf("%v got %q (%s): %w", v, r.body, r.cacheStatus(), err)
					return
				}
				if !shared && !strings.Contains(r.body, "auth="+v.auth+"|cookie="+strings.ReplaceAll(v.cookie, "=", ":")+"|lang="+v.lang+"|") {
					wrong = fmt.Errorf("%v got %q, which is not the answer to it", v, r.body)
					return
				}
			}
		}
		synctest.Wait()
	})
	return wrong
}

func (v visit) request(t *testing.T) *http.Request {
	method := http.MethodGet
	if v.unsafe {
		method = http.MethodPost
	}
	req := request(t.Context(), method, fmt.Sprintf("http://origin.example/%d", v.path))
	set := func(name, value string) {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	set("Authorization", v.auth)
	set("Cookie", v.cookie)
	set("Lang", v.lang)
	set("Plan-Control", v.control)
	set("Plan-Vary", v.vary)
	set("Plan-Set", fmt.Sprint(v.cookieSet))
	if v.reload {
		set("Cache-Control", "no-cache")
	}
	return req
}

// No answer ever goes to another user, whatever origins say, one after the other or at the same time.
func TestNoAnswerGoesToAnotherUser(t *testing.T) {
	runs := 80
	if testing.Short() {
		runs = 30
	}
	for _, shared := range []bool{false, true} {
		for seed := range uint64(runs) {
			visits := randomVisits(rand.New(rand.NewPCG(seed, 7)))
			abreast := 1 + int(seed%8)
			cfg := httpcache.Config{Shared: shared}
			if walk(t, cfg, visits, abreast) == nil {
				continue
			}
			short := shrink.List(visits, 1, func(list []visit) bool { return walk(t, cfg, list, abreast) != nil })
			t.Fatalf("seed %d, %d abreast, shared %v: %v\n%v", seed, abreast, shared, walk(t, cfg, short, abreast), short)
		}
	}
}

// Whoever asks by another Host asks somebody else, also if the request goes to the same server.
func TestHostsBehindOneServerAreApart(t *testing.T) {
	c := newCache(t, httpcache.Config{Shared: true}, &origin{handle: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, r.Host)
	}})
	for _, host := range []string{"a.example", "b.example", "a.example"} {
		req := request(t.Context(), http.MethodGet, here)
		req.Host = host
		if r := do(c, req); r.body != host {
			t.Errorf("%s got %q", host, r.body)
		}
	}
	if s := c.Stats(); s.Fresh != 1 || s.Miss != 2 {
		t.Errorf("the counts are %+v", s)
	}
}

func TestUsersInURLsAreApart(t *testing.T) {
	c := newCache(t, httpcache.Config{}, &origin{handle: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, r.URL.User.String())
	}})
	for _, user := range []string{"a:1", "b:1", "a:2", "a:1"} {
		if r := get(t, c, "http://"+user+"@origin.example/"); r.body != user {
			t.Errorf("%s got %q", user, r.body)
		}
	}
}

// net/http sends fields as they are in the map, so a program may have put them there in any spelling.
func TestUsersAreToldApartInAnySpelling(t *testing.T) {
	langs := strings.ToUpper("x-lang")
	for _, name := range []string{"cookie", "COOKIE", "authorization", "AUTHORIZATION"} {
		var sent http.Header
		c := newCache(t, httpcache.Config{}, &origin{handle: func(w http.ResponseWriter, r *http.Request) {
			sent = r.Header
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Vary", "x-lang")
			io.WriteString(w, r.Header[name][0]+" "+r.Header[langs][0])
		}})
		for i, want := range []string{"anna en", "ben en", "anna de", "anna en"} {
			req := request(t.Context(), http.MethodGet, here)
			user, lang, _ := strings.Cut(want, " ")
			req.Header[name], req.Header[langs] = []string{user}, []string{lang}
			r := do(c, req)
			if hit := strings.Contains(r.cacheStatus(), "hit"); r.body != want || hit != (i == 3) {
				t.Errorf("%s: %s got %q (%s)", name, want, r.body, r.cacheStatus())
			}
			if len(sent) != 2 || sent[name] == nil || len(req.Header) != 2 {
				t.Errorf("%s: sent as %v, and the request is %v", name, sent, req.Header)
			}
		}
	}
}

func TestAnswerWithoutFieldsIsPassedOn(t *testing.T) {
	c := newCache(t, httpcache.Config{StaleWhenDisconnected: time.Hour}, roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Request: r}, nil
	}))
	for range 2 {
		if r := get(t, c, here); r.err != nil || r.status != http.StatusOK {
			t.Errorf("got %+v", r)
		}
	}
}
