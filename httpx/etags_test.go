package httpx_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/httpx"
)

var tagRules = []struct {
	name   string
	method string
	fields []string
	do     act
	want   int
	tagged bool
	body   string
}{
	{"a small answer gets a tag", "GET", nil, answering(200, "text"), 200, true, "text"},
	{"an empty answer as well", "GET", nil, func(http.ResponseWriter, *http.Request) {}, 200, true, ""},
	{"what the client has is a 304", "GET", []string{"If-None-Match: " + httpx.ETag([]byte("text"))}, answering(200, "text"), 304, true, ""},
	{"of any number that it has", "GET", []string{`If-None-Match: "x", W/` + httpx.ETag([]byte("text"))}, answering(200, "text"), 304, true, ""},
	{"what has changed is a 200", "GET", []string{"If-None-Match: " + httpx.ETag([]byte("old"))}, answering(200, "text"), 200, true, "text"},
	{"If-Match is looked at, too", "GET", []string{`If-Match: "x"`}, answering(200, "text"), 412, false, "Precondition Failed\n"},
	{"HEAD has the tag of GET", "HEAD", []string{"If-None-Match: " + httpx.ETag([]byte("text"))}, answering(200, "text"), 304, true, ""},
	{"a HEAD without a body has none", "HEAD", nil, func(http.ResponseWriter, *http.Request) {}, 200, false, ""},
	{"a POST has none", "POST", nil, answering(200, "text"), 200, false, "text"},
	{"an error has none", "GET", nil, answering(404, "text"), 404, false, "text"},
	{"a 201 has none", "GET", nil, answering(201, "text"), 201, false, "text"},
	{"a large answer has none", "GET", nil, answering(200, strings.Repeat("x", 41)), 200, false, strings.Repeat("x", 41)},
	{"one at the bound has", "GET", nil, answering(200, strings.Repeat("x", 40)), 200, true, strings.Repeat("x", 40)},
	{"a stream has none", "GET", nil, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "one ")
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "two")
	}, 200, false, "one two"},
	{"nor is it cut short by a condition", "GET", []string{"If-None-Match: " + httpx.ETag([]byte("one "))}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "one ")
		w.(http.Flusher).Flush()
	}, 200, false, "one "},
	{"the handler's tag stays, and counts", "GET", []string{`If-None-Match: "mine"`}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"mine"`)
		_, _ = io.WriteString(w, "text")
	}, 304, true, ""},
	{"the handler's time counts", "GET", []string{"If-Modified-Since: " + later}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Last-Modified", same)
		_, _ = io.WriteString(w, "text")
	}, 304, true, ""},
}

func TestTagsKeepTheirRulesOverTheNetwork(t *testing.T) {
	for _, p := range []protocol{http1, http2} {
		for _, rule := range tagRules {
			t.Run(string(p)+"/"+rule.name, func(t *testing.T) {
				tags := httpx.ETags(httpx.ETagConfig{MaxBody: 40})
				srv := httptest.NewUnstartedServer(tags(http.HandlerFunc(rule.do)))
				srv.EnableHTTP2 = p == http2
				srv.StartTLS()
				defer srv.Close()
				resp, err := srv.Client().Do(conditional(t, rule.method, srv.URL, rule.fields, ""))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if tag := resp.Header.Get("ETag"); err != nil || resp.StatusCode != rule.want || (tag != "") != rule.tagged || string(body) != rule.body {
					t.Errorf("got %d, tag %s, body %q, %v", resp.StatusCode, tag, body, err)
				}
			})
		}
	}
}

func TestHeadSaysTheLengthOfGet(t *testing.T) {
	srv := httptest.NewServer(httpx.ETags(httpx.ETagConfig{})(http.HandlerFunc(answering(200, "text"))))
	defer srv.Close()
	for _, method := range []string{"GET", "HEAD"} {
		resp, err := srv.Client().Do(conditional(t, method, srv.URL, nil, ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.ContentLength != 4 || resp.Header.Get("ETag") != httpx.ETag([]byte("text")) {
			t.Errorf("%s: %d, %v", method, resp.ContentLength, resp.Header)
		}
	}
}

func TestHeadWithoutABodySaysNoLength(t *testing.T) {
	h := httpx.ETags(httpx.ETagConfig{})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, conditional(t, "HEAD", "/", nil, ""))
	if got := w.Header()["Content-Length"]; got != nil {
		t.Errorf("Content-Length: %v", got)
	}
}

func TestWeakTagsAnswerIfNoneMatchOnly(t *testing.T) {
	h := httpx.ETags(httpx.ETagConfig{Strength: httpx.ETagWeak})(http.HandlerFunc(answering(200, "text")))
	strong := httpx.ETag([]byte("text"))
	for field, want := range map[string]int{
		"If-None-Match: " + strong:               304,
		"If-None-Match: W/" + strong:             304,
		"If-Match: " + strong:                    412,
		"If-Match: " + httpx.WeakETag(strong):    412,
		"If-None-Match: \"another one\"":         200,
		"If-None-Match: " + httpx.WeakETag(`""`): 200,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, conditional(t, "GET", "/", []string{field}, ""))
		if w.Code != want || w.Code != 412 && w.Header().Get("ETag") != "W/"+strong {
			t.Errorf("%s: %d %v", field, w.Code, w.Header())
		}
	}
}

func TestUpgradesPassTheTags(t *testing.T) {
	srv := httptest.NewServer(httpx.ETags(httpx.ETagConfig{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
		_ = rw.Flush()
	})))
	defer srv.Close()
	req := conditional(t, "GET", srv.URL, []string{"Connection: Upgrade", "Upgrade: echo"}, "")
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 101 || string(body) != "hello" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

func TestETagConfigIsValidated(t *testing.T) {
	for _, cfg := range []httpx.ETagConfig{{MaxBody: -1}, {MaxBody: 17 << 20}, {Strength: 3}} {
		if err := cfg.Validate(); err == nil {
			t.Errorf("%+v is valid", cfg)
		}
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); !strings.HasPrefix(v, "httpx: ETagConfig.") {
					t.Errorf("panics with %v", v)
				}
			}()
			httpx.ETags(cfg)
		}()
	}
}

func ExampleETags() {
	handler := httpx.ETags(httpx.ETagConfig{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "Hello")
	}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code, w.Header().Get("ETag"))

	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	w = httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output:
	// 200 "GF-NsyJx_iX1Yab8k4suJg"
	// 304
}
