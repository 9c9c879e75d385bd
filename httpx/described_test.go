package httpx_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// recordedSpan is a span that keeps what is set, and knows its kind, as those of the SDK do.
type recordedSpan struct {
	noop.Span
	kind trace.SpanKind

	mu         sync.Mutex // guards the fields below
	attributes map[attribute.Key]string
	status     codes.Code
}

func (*recordedSpan) IsRecording() bool { return true }

func (s *recordedSpan) SpanKind() trace.SpanKind { return s.kind }

func (s *recordedSpan) SetStatus(c codes.Code, _ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = c
}

func (s *recordedSpan) SetAttributes(all ...attribute.KeyValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attributes == nil {
		s.attributes = map[attribute.Key]string{}
	}
	for _, a := range all {
		s.attributes[a.Key] = a.Value.String()
	}
}

func (s *recordedSpan) want(t *testing.T, status codes.Code, want map[attribute.Key]string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := maps.Clone(s.attributes)
	delete(got, "seawall.deadline.remaining") // the time left, which nobody can foretell
	if fmt.Sprint(got) != fmt.Sprint(want) || s.status != status {
		t.Errorf("the span has %v and status %v, want %v and %v", got, s.status, want, status)
	}
}

func TestSpanOfACallSaysWhatTheClientDid(t *testing.T) {
	var asked int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	client := &http.Client{Transport: httpx.NewTransport("prices", httpx.ClientConfig{
		Registry: new(seawall.Registry), Retry: retry.Config{Backoff: retry.Backoff{Base: 1, Max: 1}},
	}, http.DefaultTransport)}
	defer client.CloseIdleConnections()
	for kind, want := range map[trace.SpanKind]map[attribute.Key]string{
		trace.SpanKindInternal: {"seawall.retry.count": "1"},
		trace.SpanKindServer:   nil, // it is about the request that the program serves
	} {
		asked = 0
		s := &recordedSpan{kind: kind}
		req, err := http.NewRequestWithContext(trace.ContextWithSpan(t.Context(), s), http.MethodGet, server.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("status %d", resp.StatusCode)
		}
		s.want(t, codes.Unset, want)
	}
}

func TestSpanOfARequestSaysWhoRefusedIt(t *testing.T) {
	for mode, want := range map[seawall.Mode]int{seawall.Enforce: http.StatusOK, seawall.ForcedOpen: http.StatusServiceUnavailable} {
		h := httpx.NewHandler("api", httpx.ServerConfig{
			Registry: new(seawall.Registry), Admission: httpx.AdmissionConfig{Fixed: bulkhead.Config{Limit: 1, Mode: mode}},
			Inbound: httpx.InboundConfig{Priority: func(*http.Request) seawall.Priority { return seawall.Sheddable }},
		}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		s := &recordedSpan{kind: trace.SpanKindServer}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(trace.ContextWithSpan(t.Context(), s), http.MethodGet, "/", http.NoBody))
		if w.Code != want {
			t.Errorf("%v: status %d", mode, w.Code)
		}
		if mode == seawall.Enforce {
			s.want(t, codes.Unset, map[attribute.Key]string{"seawall.priority": "sheddable"})
		} else {
			s.want(t, codes.Error, map[attribute.Key]string{
				"seawall.priority": "sheddable", "seawall.reason": "forced", "seawall.rejected_by": `bulkhead "api"`,
			})
		}
	}
}
