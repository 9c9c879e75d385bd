package httpx_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpx"
)

// edge is a reverse proxy that serves the world, which it does not trust, from an origin.
func edge(t *testing.T, fields httpx.Fields, trusted func(*http.Request) bool, origin http.Handler) *httptest.Server {
	t.Helper()
	behind := httptest.NewServer(origin)
	t.Cleanup(behind.Close)
	to, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg := quick()
	cfg.Fields, cfg.TrustPeer = fields, trusted
	transport := httpx.NewTransport("edge", cfg, nil)
	t.Cleanup(transport.CloseIdleConnections)
	front := httptest.NewServer(httpx.NewHandler("edge", httpx.ServerConfig{
		Inbound: httpx.InboundConfig{Fields: fields}, Registry: quiet(),
	}, &httputil.ReverseProxy{
		Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, ErrorLog: discardLog,
	}))
	t.Cleanup(front.Close)
	return front
}

// T32: what the world claims ends at the edge, by whatever name the origin would read it.
func TestAClientDoesNotRaiseItsPriorityThroughAProxy(t *testing.T) {
	fields := httpx.Fields{OtherPriorities: []string{"X-Priority"}}
	front := edge(t, fields, nil, httpx.NewHandler("origin", httpx.ServerConfig{
		Inbound: httpx.InboundConfig{TrustPeer: httpx.TrustLoopback, Fields: fields}, Registry: quiet(),
	}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%v %d %s", seawall.PriorityOf(r.Context()), seawall.Attempt(r.Context()), r.Header.Get("X-Shop"))
	})))
	for _, claims := range []http.Header{
		{"Seawall-Priority": {"critical-plus"}, "Seawall-Attempt": {"900"}},
		{"X-Priority": {"critical-plus"}, "X-Envoy-Attempt-Count": {"900"}},
		{"x-priority": {"critical-plus"}, "grpc-previous-rpc-attempts": {"900"}},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", front.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = claims
		req.Header.Set("X-Shop", "passes")
		resp, err := front.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := "critical 1 passes"; string(body) != want || err != nil {
			t.Errorf("%v: the origin sees %q, %v; want %q", claims, body, err, want)
		}
	}
}

// An origin that has taken the order and says refused must not be believed by those who trust the proxy before it.
func TestARefusalOfAnUntrustedOriginIsNotPassedOn(t *testing.T) {
	for _, row := range []struct {
		name    string
		trusted func(*http.Request) bool
		says    []string
		orders  int64
		told    string
	}{
		{"refused, not trusted", nil, []string{"refused"}, 1, ""},
		{"an unknown word, not trusted", nil, []string{"Refused"}, 1, ""},
		{"final, not trusted", nil, []string{"final"}, 1, "final"},
		{"both, not trusted", nil, []string{"final", "refused"}, 1, "final"},
		{"refused, trusted", httpx.TrustLoopback, []string{"refused"}, 3, "refused"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var orders atomic.Int64
			front := edge(t, httpx.Fields{}, row.trusted, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				orders.Add(1)
				w.Header()["Seawall-Pushback"] = row.says
				w.WriteHeader(http.StatusServiceUnavailable)
			}))
			cfg := quick()
			cfg.TrustPeer = httpx.TrustLoopback
			transport := httpx.NewTransport("shop", cfg, nil)
			defer transport.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), "POST", front.URL, strings.NewReader("order"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if told := strings.Join(resp.Header["Seawall-Pushback"], ","); told != row.told || orders.Load() != row.orders {
				t.Errorf("%d orders, and the client is told %q; want %d, %q", orders.Load(), told, row.orders, row.told)
			}
		})
	}
}
