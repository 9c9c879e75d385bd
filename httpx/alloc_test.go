package httpx_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

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
	if n := client(httpx.NewTransport("test", quick(), base)) - client(base); n > 4 {
		t.Errorf("the Transport allocates %v times", n)
	}

	inner := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	r, w := httptest.NewRequestWithContext(ctx, "GET", "/", nil), nobody{http.Header{}}
	for limit, most := range map[string]float64{"with a limit": 4, "without": 1} {
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
