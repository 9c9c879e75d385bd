package httpx_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpx"
)

// redirecting is a base that leads from /0 to /1 and so on, for as long as next says so, and takes a second for each hop.
func redirecting(status int, next func(r *http.Request, n int) string, got *[]*http.Request) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		*got = append(*got, r)
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		if to := next(r, len(*got)); to != "" {
			resp := response(status, "")
			resp.Header.Set("Location", to)
			return resp, nil
		}
		return response(200, "there"), nil
	}
}

// T58: the hops of one call share the total limit of the first.
func TestRedirectsShareTheTotalLimitOfTheFirstRequest(t *testing.T) {
	for _, own := range []bool{false, true} {
		t.Run(fmt.Sprint("of the call: ", own), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []*http.Request
				cfg := quick()
				cfg.Timeout = 3500 * time.Millisecond
				ctx := t.Context()
				if own {
					cfg.Timeout = time.Hour
					ctx = httpx.WithTimeout(ctx, 3500*time.Millisecond)
				}
				base := redirecting(302, func(_ *http.Request, n int) string { return fmt.Sprintf("/%d", n) }, &got)
				client := &http.Client{Transport: httpx.NewTransport("test", cfg, base)}
				start := time.Now()
				resp, err := client.Do(newRequest(t, "GET", "").WithContext(ctx))
				if err == nil {
					resp.Body.Close()
				}
				checkOurLimit(t, err)
				if len(got) != 4 || time.Since(start) != 3500*time.Millisecond {
					t.Errorf("%d hops in %v", len(got), time.Since(start))
				}
				if left := got[3].Header.Get("X-Request-Timeout-Ms"); left != "495" {
					t.Errorf("the last hop has %q ms", left)
				}
			})
		})
	}
}

func TestAHopToAnotherHostTellsNothingAndBringsNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []*http.Request
		cfg := quick()
		cfg.Keys = httpx.QuotedKeys
		base := redirecting(307, func(_ *http.Request, n int) string {
			return map[int]string{1: "/same", 2: "http://b.example/other", 3: "/back"}[n]
		}, &got)
		client := &http.Client{Transport: httpx.NewTransport("test", cfg, base)}
		ctx := seawall.WithPriority(t.Context(), seawall.CriticalPlus)
		resp, err := client.Do(newRequest(t, "POST", "order").WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if len(got) != 4 {
			t.Fatalf("%d hops", len(got))
		}
		key := got[0].Header.Get("Idempotency-Key")
		for i, r := range got {
			ours := r.Header.Get("X-Request-Timeout-Ms") != "" && r.Header.Get("Seawall-Priority") == "critical-plus" &&
				r.Header.Get("Idempotency-Key") == key && key != ""
			nothing := r.Header.Get("X-Request-Timeout-Ms")+r.Header.Get("Seawall-Priority")+r.Header.Get("Idempotency-Key") == ""
			if first := i < 2; first && !ours || !first && !nothing {
				t.Errorf("hop %d to %s has %v", i, r.URL, r.Header)
			}
		}
	})
}

// T22: what the caller sees of a redirect is its own request.
func TestARedirectThatIsNotFollowedIsAnAnswer(t *testing.T) {
	var got []*http.Request
	base := redirecting(301, func(*http.Request, int) string { return "/moved" }, &got)
	tr := httpx.NewTransport("test", quick(), base)
	req := newRequest(t, "GET", "")
	resp, err := tr.RoundTrip(req)
	if err != nil || resp.StatusCode != 301 || resp.Request.URL != req.URL || resp.Request.Header == nil {
		t.Errorf("%v, %v", resp, err)
	}
	if judged(tr) != "1 0 0 0 0" {
		t.Errorf("judged %s", judged(tr))
	}
}

func TestOverridesHoldForOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		hang := roundTripper(func(r *http.Request) (*http.Response, error) {
			attempts++
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		tr := httpx.NewTransport("test", quick(), hang)
		for _, row := range []struct {
			name     string
			req      *http.Request
			attempts int
			took     time.Duration
		}{
			{"none", newRequest(t, "GET", ""), 3, 30 * time.Second},
			{"attempts", newRequest(t, "GET", "").WithContext(httpx.WithAttempts(t.Context(), 1)), 1, 10 * time.Second},
			{"more attempts", newRequest(t, "GET", "").WithContext(
				httpx.WithAttemptTimeout(httpx.WithAttempts(t.Context(), 5), time.Second)), 5, 5004 * time.Millisecond},
			{"timeout", newRequest(t, "GET", "").WithContext(httpx.WithTimeout(t.Context(), 5*time.Second)), 1, 5 * time.Second},
			{"a longer timeout", newRequest(t, "GET", "").WithContext(
				httpx.WithAttemptTimeout(httpx.WithTimeout(t.Context(), time.Minute), 15*time.Second)), 3, 45002 * time.Millisecond},
			{"no timeout", newRequest(t, "GET", "").WithContext(
				httpx.WithAttemptTimeout(httpx.WithTimeout(t.Context(), httpx.Off), time.Minute)), 3, 180002 * time.Millisecond},
			{"idempotent, and one attempt", newRequest(t, "POST", "").WithContext(
				httpx.WithAttempts(httpx.Idempotent(t.Context()), 2)), 2, 20001 * time.Millisecond},
		} {
			attempts = 0
			start := time.Now()
			_, err := tr.RoundTrip(row.req)
			checkOurLimit(t, err)
			if took := time.Since(start); attempts != row.attempts || took != row.took {
				t.Errorf("%s: %d attempts in %v, want %d in %v", row.name, attempts, took, row.attempts, row.took)
			}
		}
	})
}
