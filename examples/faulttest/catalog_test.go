package faulttest_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/examples/faulttest"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/httpx"
)

// world is the service, and the client with faults on its way.
type world struct {
	shop          *faulttest.Shop
	reads, orders atomic.Int64
	failing       atomic.Bool
	faults        *fault.Injector
}

func newWorld(t *testing.T, faults ...fault.Fault) *world {
	t.Helper()
	seawall.DefaultRegistry().SetLogger(slog.New(slog.DiscardHandler))
	w := &world{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /seats", func(rw http.ResponseWriter, _ *http.Request) {
		w.reads.Add(1)
		if w.failing.Load() {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = fmt.Fprint(rw, "A1 A2")
	})
	keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: httpx.OneTenant})
	mux.Handle("POST /orders", keys.Handler(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(rw, "order %d", w.orders.Add(1))
	})))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)

	w.faults = fault.New("test", fault.Config{Plan: fault.Plan{Seed: 7, Faults: faults}})
	w.shop = faulttest.NewShop(srv.URL, w.faults.Point("shop").RoundTripper(srv.Client().Transport))
	if err := w.faults.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.faults.Stop)
	return w
}

func TestReadsGetThroughATwentiethOfFailures(t *testing.T) {
	w := newWorld(t, fault.Fault{
		For: time.Hour, Kind: fault.StatusCode, Target: "shop", Status: http.StatusServiceUnavailable, Toxicity: 0.05,
	})
	for i := range 100 {
		if _, err := w.shop.Seats(t.Context()); err != nil {
			t.Errorf("read %d: %v", i, err)
		}
	}
}

// What is wrong with all of it is not made worse: the budget for repeats is empty soon, and then the breaker opens.
func TestServerThatFailsAllIsNotAskedMore(t *testing.T) {
	w := newWorld(t) // without a fault on the way: the server itself fails
	w.failing.Store(true)
	for range 200 {
		if _, err := w.shop.Seats(t.Context()); err == nil {
			t.Fatal("a read went through")
		}
	}
	if n := w.reads.Load(); n > 60 {
		t.Errorf("the server was asked %d times in 200 calls", n)
	}
}

func TestAnswerThatIsLostDoesNotBuyTwice(t *testing.T) {
	w := newWorld(t, fault.Fault{
		For: time.Hour, Kind: fault.AckLost, Target: "shop", Method: http.MethodPost, Toxicity: 0.5,
	})
	bought := map[string]bool{}
	for i := range 20 {
		order, err := w.shop.Buy(t.Context(), "A1", fmt.Sprintf(`"purchase-%d"`, i))
		if err != nil {
			continue // all attempts lost: the next call with this key would say what has become of it
		}
		if bought[order] {
			t.Errorf("%s was given twice", order)
		}
		bought[order] = true
	}
	if n := w.orders.Load(); n > 20 || len(bought) < 10 {
		t.Errorf("20 purchases, %d orders, %d answers", n, len(bought))
	}
}

func TestPurchaseWithoutAKeyIsNotRepeated(t *testing.T) {
	w := newWorld(t, fault.Fault{For: time.Hour, Kind: fault.AckLost, Target: "shop"})
	_, err := w.shop.Buy(t.Context(), "A1", "")
	if !errors.Is(err, syscall.ECONNRESET) || w.orders.Load() != 1 {
		t.Errorf("%v, and %d orders", err, w.orders.Load())
	}
}
