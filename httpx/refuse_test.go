package httpx_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// A charge was sent, its answer was lost, and the breaker opened before the repeat. The error matches ErrRejected, and a
// handler that refused for it had its client order again: under another key, so the charge was made twice.
func TestARefusalAfterAnAttemptThatWasSentDoesNotSayRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var orders, charges atomic.Int64
		bank := &http.Client{Transport: httpx.NewTransport("bank", httpx.ClientConfig{
			Breaker: breaker.Config{MinCalls: 1}, Keys: httpx.QuotedKeys, Registry: quiet(),
		}, roundTripper(func(*http.Request) (*http.Response, error) {
			charges.Add(1)
			return nil, errors.New("connection reset by peer")
		}))}
		shop := httpx.NewHandler("shop", httpx.ServerConfig{Registry: quiet()}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			orders.Add(1)
			req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://bank.example/charges", strings.NewReader("10 EUR"))
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := bank.Do(req)
			if !errors.Is(err, seawall.ErrRejected) {
				t.Errorf("the bank's client says %v, want a rejection", err)
				return
			}
			if resp != nil {
				_ = resp.Body.Close()
			}
			httpx.Refuse(w, err)
		}))
		customer := httpx.NewTransport("customer", httpx.ClientConfig{TrustPeer: httpx.TrustAll, Registry: quiet()},
			roundTripper(func(r *http.Request) (*http.Response, error) {
				w := httptest.NewRecorder()
				shop.ServeHTTP(w, r)
				return w.Result(), nil
			}))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://shop.example/orders", strings.NewReader("a mug"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := customer.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("the answer is %d with %v", resp.StatusCode, resp.Header)
		}
		if o, c := orders.Load(), charges.Load(); o != 1 || c != 1 {
			t.Errorf("%d orders and %d charges of one", o, c)
		}
	})
}

func TestRefuseSaysRefusedOnlyIfEachAttemptWas(t *testing.T) {
	no := seawall.Reject("breaker", "db", seawall.ReasonOpen, breaker.ErrOpen, time.Second)
	lost := errors.New("connection reset by peer")
	synctest.Test(t, func(t *testing.T) {
		// after gives the error of a call whose attempts end in this way, one after the other.
		after := func(p seawall.Policy, ends ...error) error {
			n := 0
			return p.Do(t.Context(), func(context.Context) error {
				n++
				return ends[n-1]
			})
		}
		retries := retry.New("db", retry.Config{Registry: quiet()})
		hedged := hedge.New("db", hedge.Config{Delay: hedge.OnFailure, Registry: quiet()})
		// eager repeats what was refused as well.
		eager := retry.New("db", retry.Config{Registry: quiet(), Classify: func(error) seawall.Verdict {
			return seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatAlways}
		}})
		full := bulkhead.ErrFull
		for name, row := range map[string]struct {
			err  error
			want string
		}{
			"a rejection":                          {no, "refused"},
			"in other errors":                      {fmt.Errorf("order: %w", errors.Join(no)), "refused"},
			"an error of one's own":                {errors.New("no"), "refused"},
			"a first attempt that was refused":     {after(retries, no), "refused"},
			"a repeat that was refused":            {after(retries, lost, no), ""},
			"the same in other errors":             {fmt.Errorf("order: %w", errors.Join(full, after(retries, lost, no))), ""},
			"a hedge that was refused":             {after(hedged, lost, no), ""},
			"a repeat of a hedge that was refused": {after(seawall.Chain(retries, hedged), lost, no, no), ""},
			"attempts that were all refused":       {after(eager, no, no, no), "refused"},
		} {
			w := httptest.NewRecorder()
			httpx.Refuse(w, row.err)
			if got := w.Header().Get("Seawall-Pushback"); got != row.want || w.Code != http.StatusServiceUnavailable {
				t.Errorf("%s (%v): %d, told %q, want %q", name, row.err, w.Code, got, row.want)
			}
		}
	})
}

// fields is an error that cannot be compared, as those of validators are.
type fields []string

func (f fields) Error() string { return strings.Join(f, ", ") }

// The cause of the caller's context ends the retry, and may be an error of any type: Refuse compared it with the attempts'.
func TestRefuseDoesNotPanicForACauseThatCannotBeCompared(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	lost, n := errors.New("connection reset by peer"), 0
	err := retry.New("db", retry.Config{Registry: quiet(), Backoff: retry.Backoff{Base: time.Millisecond}, Classify: func(error) seawall.Verdict {
		return seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatAlways}
	}}).Do(ctx, func(context.Context) error {
		if n++; n == 1 {
			return lost
		}
		cancel(fields{"name", "age"})
		return seawall.Reject("breaker", "db", seawall.ReasonOpen, breaker.ErrOpen, time.Second)
	})
	var e *retry.Error
	if !errors.As(err, &e) || e.Attempts != 2 || !errors.As(e.Why, new(fields)) {
		t.Fatalf("the call ends with %v, want two attempts and the cause", err)
	}
	w := httptest.NewRecorder()
	httpx.Refuse(w, err)
	if got := w.Header().Get("Seawall-Pushback"); got != "" || w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d, told %q, want a 503 that says nothing", w.Code, got)
	}
}
