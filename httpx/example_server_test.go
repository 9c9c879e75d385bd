package httpx_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
)

// answerTo runs one request through a handler, for the examples.
func answerTo(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// A panic becomes a 500, and one event in the log.
func ExampleRecover() {
	protect := httpx.Recover("api", httpx.RecoverConfig{Registry: quiet()})
	handler := protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("out of seats") }))
	resp := answerTo(handler, httptest.NewRequest(http.MethodGet, "/seats", nil))
	fmt.Println(resp.Status)
	// Output: 500 Internal Server Error
}

// The time that a caller has left becomes the deadline of the request, if the caller is one of ours.
func ExampleInbound() {
	inbound := httpx.Inbound("api", httpx.InboundConfig{TrustPeer: httpx.TrustCIDR("10.0.0.0/8")})
	handler := inbound(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, limited := seawall.Remaining(r.Context())
		fmt.Println(limited, seawall.PriorityOf(r.Context()))
	}))
	r := httptest.NewRequest(http.MethodGet, "/seats", nil)
	r.Header.Set("X-Request-Timeout-Ms", "250")
	r.Header.Set("Seawall-Priority", "sheddable")
	for _, r.RemoteAddr = range []string{"10.1.2.3:40000", "203.0.113.7:40000"} {
		answerTo(handler, r)
	}
	// Output:
	// true sheddable
	// false critical
}

// Each client has two requests at once, and one more in each minute.
func ExampleQuota() {
	quota := httpx.Quota("api", httpx.QuotaConfig{
		Name:  "client",
		Limit: ratelimit.Config{Rate: 1.0 / 60, Burst: 2},
		Key:   httpx.KeyByAddr,
	})
	handler := quota(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for range 3 {
		resp := answerTo(handler, httptest.NewRequest(http.MethodGet, "/search", nil))
		fmt.Println(resp.StatusCode, resp.Header.Get("RateLimit-Policy"), resp.Header.Get("RateLimit"))
	}
	// Output:
	// 200 "client";q=2;w=120 "client";r=1;t=60
	// 200 "client";q=2;w=120 "client";r=0;t=60
	// 429 "client";q=2;w=120 "client";r=0;t=60
}

// A gate may be shared with other servers of the program, such as one of gRPC.
func ExampleAdmit() {
	gate := bulkhead.New("program", bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}})
	handler := httpx.Admit("api", httpx.AdmissionConfig{Gate: gate})(http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { fmt.Println("handled") }))

	answerTo(handler, httptest.NewRequest(http.MethodGet, "/seats", nil))
	permit, err := gate.Acquire(httptest.NewRequest(http.MethodGet, "/", nil).Context()) // by the other server
	if err != nil {
		fmt.Println(err)
		return
	}
	defer permit.Done(nil)
	resp := answerTo(handler, httptest.NewRequest(http.MethodGet, "/seats", nil))
	fmt.Println(resp.StatusCode, resp.Header.Get("Seawall-Pushback"))
	// Output:
	// handled
	// 503 refused
}

// A handler that says nothing in time is answered for, and hears of it when it writes.
func ExampleTimeLimit() {
	limit := httpx.TimeLimit("api", httpx.TimeLimitConfig{FirstByte: 10 * time.Millisecond})
	handler := limit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // a query that hangs
		_, err := w.Write([]byte("late"))
		fmt.Println(errors.Is(err, http.ErrHandlerTimeout))
	}))
	resp := answerTo(handler, httptest.NewRequest(http.MethodGet, "/report", nil))
	fmt.Println(resp.Status)
	// Output:
	// true
	// 503 Service Unavailable
}

// In a program it goes to lifecycle.HTTP, which calls it when the drain delay is over.
func ExampleHandler_Drain() {
	api := httpx.NewHandler("stopping", httpx.ServerConfig{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	api.Drain()
	for _, path := range []string{"/seats", "/livez"} {
		resp := answerTo(api, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(path, resp.StatusCode, resp.Header.Get("Seawall-Pushback"), resp.Header.Get("Connection"))
	}
	// Output:
	// /seats 503 refused close
	// /livez 200
}

// A handler whose dependency is behind an open breaker passes the refusal on.
func ExampleRefuse() {
	db := breaker.New("db", breaker.Config{Mode: seawall.ForcedOpen, Registry: quiet()})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		permit, err := db.Acquire(r.Context())
		if errors.Is(err, seawall.ErrRejected) {
			httpx.Refuse(w, err)
			return
		}
		permit.Done(nil)
	})
	resp := answerTo(handler, httptest.NewRequest(http.MethodGet, "/seats", nil))
	fmt.Println(resp.StatusCode, resp.Header.Get("Seawall-Pushback"))
	// Output: 503 refused
}

// TrustCIDR believes the programs of one network.
func ExampleTrustCIDR() {
	trust := httpx.TrustCIDR("10.0.0.0/8", "fd00::/8")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "10.1.2.3:40000"
	fmt.Println(trust(r))
	// Output: true
}

// TrustClientCert believes programs that have shown their certificate (mTLS).
func ExampleTrustClientCert() {
	trust := httpx.TrustAny(httpx.TrustLoopback, httpx.TrustClientCert("spiffe://prod.example/gateway"))
	r := httptest.NewRequest(http.MethodGet, "/", nil) // from elsewhere, without a certificate
	fmt.Println(trust(r))
	// Output: false
}

// KeyByField makes each API key a client of its own.
func ExampleKeyByField() {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Api-Key", "k1")
	fmt.Println(httpx.KeyByField("X-Api-Key")(r))
	// Output: k1 true
}
