package httpx_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/httpx"
)

// answered is a base that costs next to nothing.
func answered() roundTripper {
	resp := http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: 2}
	return func(*http.Request) (*http.Response, error) {
		r := resp
		r.Body = io.NopCloser(strings.NewReader("ok"))
		return &r, nil
	}
}

func roundTrip(b testing.TB, rt http.RoundTripper, req *http.Request) {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

// BenchmarkRoundTrip is what the Transport adds to a base: in memory, and over loopback.
func BenchmarkRoundTrip(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok")
	}))
	defer server.Close()
	loopback := &http.Transport{MaxIdleConnsPerHost: 64}
	defer loopback.CloseIdleConnections()
	for _, base := range []struct {
		name string
		rt   http.RoundTripper
		url  string
	}{
		{"memory", answered(), "http://a.example/"},
		{"loopback", loopback, server.URL},
	} {
		for _, rt := range []struct {
			name string
			http.RoundTripper
		}{
			{"bare", base.rt},
			{"seawall", httpx.NewTransport("bench", httpx.ClientConfig{Registry: quiet()}, base.rt)},
		} {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, "GET", base.url, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(base.name+"/"+rt.name+"/serial", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					roundTrip(b, rt, req)
				}
			})
			b.Run(base.name+"/"+rt.name+"/parallel", func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						roundTrip(b, rt, req)
					}
				})
			})
		}
	}
}

// nobody is a http.ResponseWriter that costs nothing.
type nobody struct{ header http.Header }

func (w nobody) Header() http.Header       { return w.header }
func (nobody) Write(p []byte) (int, error) { return len(p), nil }
func (nobody) WriteHeader(int)             {}

// BenchmarkHandler is what the Handler adds to a handler.
func BenchmarkHandler(b *testing.B) {
	inner := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	for _, h := range []struct {
		name string
		http.Handler
	}{
		{"bare", inner},
		{"seawall", httpx.NewHandler("bench", httpx.ServerConfig{Registry: quiet()}, inner)},
		{"nolimit", httpx.NewHandler("bench", httpx.ServerConfig{TimeLimit: httpx.TimeLimitConfig{FirstByte: httpx.Off}, Registry: quiet()}, inner)},
	} {
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		b.Run(h.name, func(b *testing.B) {
			r, w := httptest.NewRequestWithContext(ctx, "GET", "/", nil), nobody{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}
