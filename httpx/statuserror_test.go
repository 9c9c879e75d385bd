package httpx_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// The status that a Classify or an OnRetry decides by was out of its reach.
func TestTheStatusIsWithinReachOfClassifyAndOnRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []int
		cfg := httpx.ClientConfig{Registry: quiet(), Retry: retry.Config{
			Classify: func(err error) seawall.Verdict {
				v := seawall.Classify(err)
				if e, ok := errors.AsType[*httpx.StatusError](err); ok && e.Code == http.StatusInternalServerError {
					v.Repeat = seawall.RepeatNever
				}
				return v
			},
			OnRetry: func(e retry.Event) {
				if status, ok := errors.AsType[*httpx.StatusError](e.Err); ok {
					told = append(told, status.Code)
				}
			},
		}}
		for status, want := range map[int]int{http.StatusInternalServerError: 1, http.StatusServiceUnavailable: 3} {
			asked := 0
			tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
				asked++
				return response(status, ""), nil
			}))
			if got, err := getBy(t, tr); err != nil || got != status || asked != want {
				t.Errorf("%d: asked %d times, want %d; %d, %v", status, asked, want, got, err)
			}
		}
		if len(told) != 2 || told[0] != 503 || told[1] != 503 {
			t.Errorf("OnRetry was told %v", told)
		}
	})
}

// A chain of one's own would judge the answers of an http.Client in another way than a client of the package.
func TestCheckStatusJudgesEachAnswerAsAClientDoes(t *testing.T) {
	for _, fields := range []http.Header{
		nil,
		{"Retry-After": {"7"}},
		{"Ratelimit": {`"a";r=0;t=3`}},
		{"Seawall-Pushback": {"final"}, "Retry-After": {"7"}},
		{"Seawall-Pushback": {"refused"}},
	} {
		var judged seawall.Verdict
		tr := httpx.NewTransport("test", httpx.ClientConfig{Registry: quiet(), Retry: retry.Config{
			Classify: func(err error) seawall.Verdict {
				judged = seawall.Classify(err)
				return seawall.Verdict{}
			},
		}}, roundTripper(func(req *http.Request) (*http.Response, error) {
			resp := response(len(req.URL.Path), "")
			resp.Header = fields.Clone()
			return resp, nil
		}))
		for status := 200; status < 600; status++ {
			judged = seawall.Verdict{}
			path := make([]byte, status) // as long as the status
			for i := range path {
				path[i] = '/'
			}
			u := &url.URL{Scheme: "http", Host: "api.example", Path: string(path)}
			resp, err := tr.RoundTrip(&http.Request{Method: http.MethodGet, URL: u})
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			resp.Header = fields
			err = httpx.CheckStatus(resp)
			if (err != nil) != (status >= 400) {
				t.Fatalf("%d: %v", status, err)
			}
			if v := seawall.Classify(err); v != judged {
				t.Errorf("%d with %v: %+v, a client has it as %+v", status, fields, v, judged)
			}
		}
	}
}

func TestCheckStatusLeavesTheBodyToTheCaller(t *testing.T) {
	resp := &http.Response{StatusCode: http.StatusNotFound, Body: untouchable{t}}
	err := httpx.CheckStatus(resp)
	if err == nil || err.Error() != "404 Not Found" { // no Request: made by hand
		t.Errorf("%v", err)
	}
	resp.Request = &http.Request{URL: &url.URL{Scheme: "http", Host: "api.example", Path: "/secret"}}
	if err := httpx.CheckStatus(resp); err == nil || err.Error() != "GET api.example: 404 Not Found" {
		t.Errorf("%v", err)
	}
}

type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) { u.t.Error("read"); return 0, nil }
func (u untouchable) Close() error             { u.t.Error("closed"); return nil }

// A breaker of one's own opened for what is not there, and not for a server that is down.
func TestCheckStatusOpensABreakerForFailuresAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for status, want := range map[int]breaker.State{
			http.StatusNotFound: breaker.Closed, http.StatusTooManyRequests: breaker.Closed, http.StatusServiceUnavailable: breaker.Open,
		} {
			b := breaker.New("api", breaker.Config{MinCalls: 3, OpenFor: time.Minute, Registry: quiet()})
			asked := 0
			chain := seawall.Chain(retry.New("api", retry.Config{MaxAttempts: 2, Registry: quiet()}), b)
			for range 5 {
				_ = chain.Do(t.Context(), func(context.Context) error {
					asked++
					resp := response(status, "")
					resp.Header = http.Header{"Retry-After": {"1"}}
					return httpx.CheckStatus(resp)
				})
				time.Sleep(10 * time.Millisecond)
			}
			if b.State() != want {
				t.Errorf("%d: %v after %d, want %v", status, b.State(), asked, want)
			}
		}
	})
}
