package benchmarks_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	failsafebulkhead "github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	failsafetimeout "github.com/failsafe-go/failsafe-go/timeout"

	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
)

// serverLimit is a limit of concurrent requests that is never reached, and serverTime one of time.
const (
	serverLimit = 256
	serverTime  = 30 * time.Second
)

// httpHandlers are one handler with what the libraries put around it: a limit of concurrent requests and one of time.
// failsafe-go has neither recovery nor health paths, and answers with its time limit from the handler's own goroutine.
var httpHandlers = []struct {
	name string
	wrap func(http.Handler) http.Handler
}{
	{"bare", func(h http.Handler) http.Handler { return h }},
	{"seawall", func(h http.Handler) http.Handler {
		return httpx.NewHandler("bench", httpx.ServerConfig{
			Admission: httpx.AdmissionConfig{Fixed: bulkhead.Config{Limit: serverLimit}},
			TimeLimit: httpx.TimeLimitConfig{FirstByte: serverTime},
			Registry:  registry(),
		}, h)
	}},
	{"seawalladaptive", func(h http.Handler) http.Handler {
		return httpx.NewHandler("bench", httpx.ServerConfig{Registry: registry()}, h)
	}},
	{"failsafe", func(h http.Handler) http.Handler {
		return failsafehttp.NewHandler(h,
			failsafebulkhead.New[*http.Response](serverLimit), failsafetimeout.New[*http.Response](serverTime))
	}},
	{"failsafeadaptive", func(h http.Handler) http.Handler {
		return failsafehttp.NewHandler(h,
			adaptivelimiter.NewWithDefaults[*http.Response](), failsafetimeout.New[*http.Response](serverTime))
	}},
}

func answerOK(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, "ok")
}

// watchOK asks for the end of its context, as all that goes over a network do.
func watchOK(w http.ResponseWriter, r *http.Request) {
	if watch(r.Context().Done()) == nil {
		answerOK(w, r)
	}
}

// sink is a http.ResponseWriter that costs next to nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header       { return s.header }
func (*sink) Write(p []byte) (int, error) { return len(p), nil }
func (*sink) WriteHeader(int)             {}

// BenchmarkHTTPServer is what the server's policies add to a request: alone, where the difference can be seen, and over
// loopback with connections that stay.
func BenchmarkHTTPServer(b *testing.B) {
	for _, h := range httpHandlers {
		b.Run(h.name, func(b *testing.B) {
			for _, work := range []struct {
				name string
				do   http.HandlerFunc
			}{{"", answerOK}, {"watched", watchOK}} {
				handler := h.wrap(work.do)
				b.Run("memory"+work.name, func(b *testing.B) { serveInMemory(b, handler) })
			}
			b.Run("loopback", func(b *testing.B) { serveOnLoopback(b, h.wrap(http.HandlerFunc(answerOK))) })
		})
	}
}

func serveInMemory(b *testing.B, h http.Handler) {
	ctx, cancel := context.WithCancel(b.Context()) // as net/http has one for each request
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
	w := &sink{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

func serveOnLoopback(b *testing.B, h http.Handler) {
	server := httptest.NewServer(h)
	defer server.Close()
	client := &http.Transport{MaxIdleConnsPerHost: 64}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(b.Context(), "GET", server.URL, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		resp, err := client.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			b.Fatalf("status %d", resp.StatusCode)
		}
	}
}
