package httpcache_test

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seawall-go/seawall/httpcache"
)

// server starts an origin on the loopback, over HTTP/1.1 or HTTP/2.
func server(t *testing.T, http2 bool, handle http.HandlerFunc) (url string, transport *http.Transport) {
	t.Helper()
	s := httptest.NewUnstartedServer(handle)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if http2 {
		s.EnableHTTP2 = true
		s.StartTLS()
		transport = &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}}
	} else {
		s.Start()
		transport = &http.Transport{}
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Close()
	})
	return s.URL, transport
}

func eachProtocol(t *testing.T, test func(t *testing.T, http2 bool)) {
	for name, http2 := range map[string]bool{"HTTP1": false, "HTTP2": true} {
		t.Run(name, func(t *testing.T) { test(t, http2) })
	}
}

func TestCacheWorksOverRealConnections(t *testing.T) {
	eachProtocol(t, func(t *testing.T, http2 bool) {
		var calls atomic.Int64
		text := strings.Repeat("real ", 50_000)
		url, transport := server(t, http2, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			switch r.URL.Path {
			case "/stored":
				w.Header().Set("Cache-Control", "max-age=60")
				io.WriteString(w, text)
			case "/validated":
				w.Header().Set("Cache-Control", "no-cache")
				w.Header().Set("ETag", `"v1"`)
				if r.Header.Get("If-None-Match") == `"v1"` {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				io.WriteString(w, text)
			case "/trailer":
				w.Header().Set("Cache-Control", "max-age=60")
				w.(http.Flusher).Flush()
				io.WriteString(w, text)
				w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
			case "/cut":
				w.Header().Set("Cache-Control", "max-age=60")
				io.WriteString(w, text)
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
		})
		c := newCache(t, httpcache.Config{}, transport)
		client := &http.Client{Transport: c}
		for _, row := range []struct {
			path  string
			calls int64 // for three requests
			whole bool
		}{{"/stored", 1, true}, {"/validated", 3, true}, {"/trailer", 3, true}, {"/cut", 3, false}} {
			calls.Store(0)
			for range 3 {
				resp, err := client.Get(url + row.path)
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if (err == nil) != row.whole || row.whole && string(b) != text {
					t.Errorf("%s: %d bytes, %v", row.path, len(b), err)
				}
				if want := map[bool]int{false: 1, true: 2}[http2]; resp.ProtoMajor != want {
					t.Errorf("%s: over %s", row.path, resp.Proto)
				}
				if row.path == "/trailer" && resp.Trailer.Get("X-Sum") != "1" {
					t.Errorf("the trailer is %v", resp.Trailer)
				}
			}
			if n := calls.Load(); n != row.calls {
				t.Errorf("%s: %d requests, want %d", row.path, n, row.calls)
			}
		}
	})
}

func TestCacheBehindAReverseProxy(t *testing.T) {
	eachProtocol(t, func(t *testing.T, http2 bool) {
		var calls atomic.Int64
		target, transport := server(t, http2, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			switch r.Method {
			case http.MethodGet:
				w.Header().Set("Cache-Control", "max-age=0")
				w.Header().Set("CDN-Cache-Control", "max-age=60")
				w.Header().Set("ETag", `"v1"`)
				w.WriteHeader(http.StatusEarlyHints)
				io.WriteString(w, "hello")
			default:
				w.WriteHeader(http.StatusNoContent)
			}
		})
		to, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		c := newCache(t, httpcache.Config{Shared: true}, transport)
		front, client := server(t, http2, (&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, Transport: c}).ServeHTTP)
		// A browser-like client: a private cache of its own, and cookies.
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		browser := &http.Client{Transport: newCache(t, httpcache.Config{}, client), Jar: jar}
		visit := func(method, wantCDN string, wantCalls int64) {
			t.Helper()
			req := request(t.Context(), method, front+"/page")
			resp, err := browser.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || method == http.MethodGet && string(b) != "hello" {
				t.Errorf("got %q, %v", b, err)
			}
			status := resp.Header.Values("Cache-Status")
			if len(status) < 2 || !strings.HasPrefix(status[0], wantCDN) || calls.Load() != wantCalls {
				t.Errorf("Cache-Status is %q with %d requests, want %q and %d", status, calls.Load(), wantCDN, wantCalls)
			}
		}
		visit(http.MethodGet, "test; fwd=uri-miss; stored", 1)
		visit(http.MethodGet, "test; hit", 1) // the browser validates with the proxy, which answers 304 by itself
		visit(http.MethodPost, "test; fwd=method", 2)
		visit(http.MethodGet, "test; fwd=uri-miss; stored", 3)
		if s := c.Stats(); s.Fresh != 1 || s.Miss != 2 || s.Passed != 1 {
			t.Errorf("the counts are %+v", s)
		}
	})
}

func TestUpgradesPassBy(t *testing.T) {
	target, transport := server(t, false, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		io.WriteString(rw, line)
		_ = rw.Flush()
	})
	c := newCache(t, httpcache.Config{}, transport)
	resp, err := c.RoundTrip(request(t.Context(), http.MethodGet, target, "Connection: Upgrade", "Upgrade: echo"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	rw, ok := resp.Body.(io.ReadWriter)
	if !ok {
		t.Fatal("the body cannot be written to")
	}
	io.WriteString(rw, "hello\n")
	if got := readN(t, rw, 6); got != "hello\n" {
		t.Errorf("the echo is %q", got)
	}
}
