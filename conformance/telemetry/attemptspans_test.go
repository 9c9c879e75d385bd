package telemetry_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// With otelhttp inside of a client each attempt has a span, and that of the last ends also if nobody comes for the body.
func TestSpansOfAttemptsEndAlsoWhereABodyIsLeftOpen(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	kept := newSpans(t)
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	registry := new(seawall.Registry)
	registry.SetLogger(slog.New(slog.DiscardHandler))
	transport := httpx.NewTransport("api", httpx.ClientConfig{
		IdleTimeout: 100 * time.Millisecond,
		Retry:       retry.Config{Backoff: retry.Backoff{Base: time.Millisecond}},
		Registry:    registry,
	}, otelhttp.NewTransport(base, otelhttp.WithTracerProvider(kept.TracerProvider)))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	for end := time.Now().Add(10 * time.Second); len(kept.GetSpans()) < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d spans of two attempts have ended", len(kept.GetSpans()))
		}
	}
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the body looks whole")
	}
}
