package httpx_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

func TestRequestsWithoutAKeyCostNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: quiet()})
	h := keys.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w := nobody{http.Header{}}
	for _, method := range []string{"GET", "POST"} {
		r := httptest.NewRequest(method, "/", nil)
		if n := testing.AllocsPerRun(500, func() { h.ServeHTTP(w, r) }); n > 0 {
			t.Errorf("%s allocates %v times", method, n)
		}
	}
}

// BenchmarkIdempotency: a new key with 1 KiB in and out, its repeat, and the same request without a key.
func BenchmarkIdempotency(b *testing.B) {
	body := strings.Repeat("x", 1024)
	h := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{
		Tenant: httpx.OneTenant, Keep: time.Hour, Registry: quiet(),
	}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
	send := func(key string) {
		r := httptest.NewRequest("POST", "/orders", strings.NewReader(body))
		if key != "" {
			r.Header["Idempotency-Key"] = []string{key}
		}
		h.ServeHTTP(nobody{http.Header{}}, r)
	}
	i := 0
	for name, key := range map[string]func() string{
		"new":    func() string { i++; return fmt.Sprint("key-", i) },
		"repeat": func() string { return "the same" },
		"none":   func() string { return "" },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				send(key())
			}
		})
	}
}
