package httpx_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

// What a request costs in allocations, beside those of the base and of the handler.
func TestARequestCostsFewAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req := newRequest(t, "GET", "").WithContext(ctx)
	req.Body = nil
	client := func(rt http.RoundTripper) float64 {
		return testing.AllocsPerRun(500, func() { roundTrip(t, rt, req) })
	}
	base := answered()
	bare := client(base)
	if n := client(httpx.NewTransport("test", quick(), base)) - bare; n > 5 {
		t.Errorf("the Transport allocates %v times", n)
	}
	unlimited := quick()
	unlimited.Timeout = httpx.Off
	req = req.WithContext(t.Context())
	if n := client(httpx.NewTransport("test", unlimited, base)) - bare; n > 6 {
		t.Errorf("the Transport without a total limit allocates %v times", n)
	}
	req = req.WithContext(context.Background()) // that of a test can be canceled
	if n := client(httpx.NewTransport("test", unlimited, base)) - bare; n > 3 {
		t.Errorf("the Transport without anything to watch allocates %v times", n)
	}

	watching := roundTripper(func(r *http.Request) (*http.Response, error) {
		_ = r.Context().Done()
		return base(r)
	})
	if n := client(httpx.NewTransport("test", quick(), watching)) - bare; n > 11 {
		t.Errorf("the Transport allocates %v times if its base watches the context", n)
	}
	unlimited.Retry.MaxAttempts = 1 // nothing is left behind by an attempt that failed, so nothing is copied for it
	if n := client(httpx.NewTransport("test", unlimited, base)) - bare; n > 2 {
		t.Errorf("the Transport with one attempt allocates %v times", n)
	}
	unlimited.Retry = quick().Retry
	soon, cancelSoon := context.WithTimeout(context.Background(), time.Second)
	defer cancelSoon()
	req = req.WithContext(soon)
	unlimited.Timeout = httpx.Off
	if n := client(httpx.NewTransport("test", unlimited, watching)) - bare; n > 11 {
		t.Errorf("the Transport allocates %v times if its base watches the context of a caller with less time", n)
	}

	inner := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	r, w := httptest.NewRequestWithContext(ctx, "GET", "/", nil), nobody{http.Header{}}
	for limit, most := range map[string]float64{"with a limit": 4, "without": 2} {
		cfg := httpx.ServerConfig{Registry: quiet()}
		if limit == "without" {
			cfg.TimeLimit.FirstByte = httpx.Off
		}
		h := httpx.NewHandler("test", cfg, inner)
		if n := testing.AllocsPerRun(500, func() { h.ServeHTTP(w, r) }); n > most {
			t.Errorf("the Handler %s allocates %v times", limit, n)
		}
	}
}
