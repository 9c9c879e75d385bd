package httpx_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/lifecycle"
	"github.com/seawall-go/seawall/ratelimit"
)

// T38: over real connections that are kept open. What has come goes on, and what comes is sent elsewhere.
func TestServerThatDrainsRefusesWhatComesThenAndServesTheRest(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		begun, release := make(chan struct{}, 2), make(chan struct{})
		letGo := sync.OnceFunc(func() { close(release) })
		defer letGo()
		x := newRig(t, p, one(1, time.Minute), func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				begun <- struct{}{}
				<-release
			}
			_, _ = fmt.Fprint(w, "served ", r.URL.Path)
		})
		if _, body, err := x.get(t, "/"); err != nil || body != "served /" {
			t.Fatalf("before: %q, %v", body, err)
		}
		var early sync.WaitGroup
		slow := func() {
			if resp, body, err := x.get(t, "/slow"); err != nil || resp.StatusCode != http.StatusOK || body != "served /slow" {
				t.Errorf("a request that had come: %v, %q, %v", resp, body, err)
			}
		}
		early.Go(slow)
		waitFor(t, "the first one", func() bool { return len(begun) == 1 })
		early.Go(slow) // waits in the queue
		waitFor(t, "the queue", func() bool { return x.h.Stats().Admission.Waiting == 1 })
		if p == http1 { // the connections of these two are in use: another one is kept open
			if _, _, err := x.get(t, "/livez"); err != nil {
				t.Fatal(err)
			}
		}
		if s := x.h.Snapshot().State; s != "serving" {
			t.Errorf("the state is %q", s)
		}

		x.h.Drain()
		x.h.Drain()
		if s := x.h.Snapshot().State; s != "draining" {
			t.Errorf("the state is %q", s)
		}
		for i, wantKept := range []bool{true, false} {
			var kept atomic.Bool
			req := x.request(t, http.MethodPost, "/", nil)
			req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
				GotConn: func(info httptrace.GotConnInfo) { kept.Store(info.Reused) },
			}))
			resp, body, err := x.do(req)
			if err != nil {
				t.Fatal(err)
			}
			checkRefusal(t, resp, body)
			if resp.Close != (p == http1) {
				t.Errorf("the connection is closed: %t", resp.Close)
			}
			if kept.Load() != wantKept {
				t.Errorf("request %d came on a kept connection: %t", i, kept.Load())
			}
		}
		if resp, body, err := x.get(t, "/livez"); err != nil || resp.StatusCode != http.StatusOK || body != "served /livez" {
			t.Errorf("a health check gets %v, %q, %v", resp, body, err)
		}
		letGo()
		early.Wait()
		x.rest(t)
		if s := x.h.Stats(); s.Drained != 2 || s.Admission.Rejected.Total() != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// The drain is no matter of the gate: whatever its mode is, the server stops.
func TestModeOfTheAdmissionDoesNotKeepAServerFromDraining(t *testing.T) {
	for _, mode := range []seawall.Mode{seawall.Enforce, seawall.Shadow, seawall.ForcedClosed, seawall.ForcedOpen, seawall.Off} {
		cfg := one(bulkhead.NoQueue, 0)
		cfg.Admission.Fixed.Mode = mode
		h := httpx.NewHandler("api", cfg, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Errorf("%v: a handler runs", mode) }))
		h.Drain()
		w := serveOne(h, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		checkRefusal(t, w.Result(), w.Body.String())
		if h.Stats().Drained != 1 {
			t.Errorf("%v: %+v", mode, h.Stats())
		}
	}
}

func TestServerThatDrainsTakesNoTokenAndSays503AlsoAboveTheQuota(t *testing.T) {
	cfg := one(bulkhead.NoQueue, 0)
	cfg.Quotas = []httpx.QuotaConfig{{Limit: ratelimit.Config{Rate: 0.001, Burst: 1}}}
	h := httpx.NewHandler("api", cfg, http.HandlerFunc(ok))
	h.Drain()
	for range 2 {
		w := serveOne(h, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		checkRefusal(t, w.Result(), w.Body.String())
		if w.Header().Get("RateLimit") != "" {
			t.Error("a token was asked for")
		}
	}
	if s := h.Stats(); s.Limited != 0 || s.Drained != 2 {
		t.Errorf("%+v", s)
	}
}

// lastEnd is a gate that keeps what its permits are told.
type lastEnd struct{ err error }

func (g *lastEnd) Acquire(context.Context) (seawall.Permit, error) {
	return seawall.NewPermit(g, seawall.Ticket{}), nil
}

func (g *lastEnd) Release(_ seawall.Ticket, err error) bool { g.err = err; return true }

func (g *lastEnd) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, g, op)
}

// Those further out are told what it was, and so is the span of the request.
func TestRefusalOfAServerThatDrainsMatchesItsSentinel(t *testing.T) {
	h := httpx.NewHandler("api", one(bulkhead.NoQueue, 0), http.HandlerFunc(ok))
	h.Drain()
	outside := new(lastEnd)
	s := &recordedSpan{kind: trace.SpanKindServer}
	r := httptest.NewRequestWithContext(trace.ContextWithSpan(t.Context(), s), http.MethodGet, "/", http.NoBody)
	serveOne(httpx.Admit("outside", httpx.AdmissionConfig{Gate: outside})(h), r)
	var rejected *seawall.RejectedError
	if !errors.Is(outside.err, httpx.ErrDraining) || !errors.Is(outside.err, seawall.ErrRejected) || !errors.As(outside.err, &rejected) ||
		rejected.Reason != seawall.ReasonDraining {
		t.Errorf("it is %v", outside.err)
	}
	s.want(t, codes.Error, map[attribute.Key]string{"seawall.reason": "draining", "seawall.rejected_by": `handler "api"`})
}

func TestAnswerOverHTTP3SaysNothingOfTheConnection(t *testing.T) {
	h := httpx.NewHandler("api", one(bulkhead.NoQueue, 0), http.HandlerFunc(ok))
	h.Drain()
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/3.0", 3, 0
	w := serveOne(h, r)
	checkRefusal(t, w.Result(), w.Body.String())
	if got := w.Header().Get("Connection"); got != "" {
		t.Errorf("Connection: %s", got)
	}
}

// On real sockets: during the delay all is served. What comes when the server is told to stop is refused, and what has come
// ends.
func TestLifecycleDrainsAHandlerWhenItsServerIsToldToStop(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		begun, release := make(chan struct{}), make(chan struct{})
		letGo := sync.OnceFunc(func() { close(release) })
		defer letGo()
		h := httpx.NewHandler("api", httpx.ServerConfig{Registry: quiet()}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				close(begun)
				<-release
			}
			ok(w, r)
		}))
		protocols := new(http.Protocols)
		protocols.SetHTTP1(p == http1)
		protocols.SetUnencryptedHTTP2(p == http2)
		server := &http.Server{Handler: h, ReadHeaderTimeout: 20 * time.Second, Protocols: protocols}
		x := &rig{
			Server: &httptest.Server{URL: "http://" + listener.Addr().String()},
			client: &http.Client{Transport: &http.Transport{Protocols: protocols}, Timeout: 20 * time.Second},
		}
		defer x.client.CloseIdleConnections()
		want := func(path string, status int) {
			if resp, body, err := x.get(t, path); err != nil || resp.StatusCode != status {
				t.Errorf("%s: %v, %q, %v, want %d", path, resp, body, err, status)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		const delay = time.Second
		var signal time.Time
		signalled, seen, ended := make(chan struct{}), make(chan struct{}), make(chan lifecycle.Report, 1)
		go func() {
			report, err := lifecycle.Run(ctx, lifecycle.Config{DrainDelay: delay, Registry: quiet()},
				lifecycle.HTTP("api", server, listener, func() {
					if after := time.Since(signal); after < delay {
						t.Errorf("told to stop %v after the signal, want %v", after, delay)
					}
					select { // a machine that stands still for longer than the delay makes no difference
					case <-seen:
					case <-time.After(10 * time.Second):
						t.Error("nobody has seen how the server was during the delay")
					}
				}, h.Drain, func() {
					want("/", http.StatusServiceUnavailable)
					want("/livez", http.StatusOK)
					letGo()
				}),
				lifecycle.Part{Name: "signal", Drain: func() {
					signal = time.Now()
					close(signalled)
				}})
			if err != nil {
				t.Error(err)
			}
			ended <- report
		}()
		var slow sync.WaitGroup
		slow.Go(func() { want("/slow", http.StatusOK) })
		waitFor(t, "the slow request", isClosed(begun))
		want("/", http.StatusOK)
		cancel()
		waitFor(t, "the signal", isClosed(signalled))
		want("/", http.StatusOK)
		if s := h.Snapshot().State; s != "serving" {
			t.Errorf("during the delay it is %q", s)
		}
		close(seen)
		slow.Wait()
		waitFor(t, "the end", func() bool { return len(ended) == 1 })
		if report := <-ended; len(report.Cut) > 0 || h.Stats().Drained != 1 {
			t.Errorf("%+v, %+v", report, h.Stats())
		}
	})
}

// isClosed returns what tells whether a channel on which nothing is sent is closed.
func isClosed(c <-chan struct{}) func() bool {
	return func() bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
}
