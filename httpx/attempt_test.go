package httpx_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
)

// A connection that does not come in time has carried nothing, so that any request may have another.
func TestADialThatHangsIsTriedAgainWithAnyMethodAndBody(t *testing.T) {
	for _, p := range []protocol{http1, http2} {
		for kind, give := range bodies {
			t.Run(string(p)+" "+kind, func(t *testing.T) {
				cfg := quick()
				cfg.AttemptTimeout = short
				s := newSite(t, p, cfg, status(201))
				defer s.rest(t)
				var dials atomic.Int64
				dial := s.base.DialContext
				s.base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if dials.Add(1) == 1 {
						<-ctx.Done()
						return nil, context.Cause(ctx)
					}
					return dial(ctx, network, addr)
				}
				req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				give(req)
				resp, err := s.tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				s.mu.Lock()
				defer s.mu.Unlock()
				if resp.StatusCode != 201 || len(s.got) != 1 || judged(s.tr) != "1 1 0 0 1" {
					t.Errorf("%d, %q, judged %s", resp.StatusCode, s.got, judged(s.tr))
				}
			})
		}
	}
}

// After a 421 the connection is the attempt's own: if that is not made, nothing was sent either.
func TestARefusedConnectionOfItsOwnIsTriedAgainWithAnyMethod(t *testing.T) {
	s := newSite(t, http1, quick(), status(421), status(201))
	defer s.rest(t)
	var dials atomic.Int64
	dial := s.base.DialContext
	s.base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) == 2 {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		return dial(ctx, network, addr)
	}
	tr := httpx.NewTransport("test", quick(), s.base)
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL, strings.NewReader("order"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 201 || dials.Load() != 3 || judged(tr) != "2 1 0 0 0" {
		t.Errorf("%d after %d dials, judged %s", resp.StatusCode, dials.Load(), judged(tr))
	}
}

// T14, T18: whatever the status, the server says when.
func TestTheHintIsReadOnEveryStatusThatIsRepeatedAndCapped(t *testing.T) {
	for _, status := range []int{408, 425, 429, 500, 502, 503, 504} {
		for _, row := range []struct {
			says          string
			atLeast, most time.Duration
		}{
			{"7", 7 * time.Second, 10 * time.Second},
			{"3600", 12 * time.Second, 15 * time.Second}, // the cap
		} {
			synctest.Test(t, func(t *testing.T) {
				cfg := quick()
				cfg.Retry.MaxRetryAfter = 12 * time.Second
				var attempts atomic.Int64
				start := time.Now()
				n, _, resp, err := tried(t, cfg, func(*http.Request) (*http.Response, error) {
					if attempts.Add(1) > 1 {
						return response(200, ""), nil
					}
					resp := response(status, "")
					resp.Header.Set("Retry-After", row.says)
					return resp, nil
				}, newRequest(t, "GET", ""))
				if err != nil || resp.StatusCode != 200 || n != 2 {
					t.Fatalf("%d: %d attempts, %v, %v", status, n, resp, err)
				}
				if d := time.Since(start); d < row.atLeast || d > row.most {
					t.Errorf("%d, Retry-After: %s: repeated after %v, want %v to %v", status, row.says, d, row.atLeast, row.most)
				}
			})
		}
	}
}

// T13, T27: who has lost a race is told apart from whose caller has left, or has run out of time.
func TestACallerThatEndsAHedgedCallIsNotALostRace(t *testing.T) {
	for _, row := range []struct {
		name   string
		end    func(context.Context) (context.Context, context.CancelFunc)
		judged string
		err    error
	}{
		{"leaves", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(3*time.Second, cancel)
			return ctx, cancel
		}, "0 0 0 2 0", context.Canceled},
		{"has no more time", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 3*time.Second)
		}, "0 2 0 0 0", context.DeadlineExceeded},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := hedged()
				var causes [2]error
				var attempts atomic.Int64
				tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
					i := attempts.Add(1) - 1
					<-r.Context().Done()
					time.Sleep(time.Millisecond) // the base takes its time, so that all is known
					causes[i] = context.Cause(r.Context())
					return nil, causes[i]
				}))
				ctx, cancel := row.end(t.Context())
				defer cancel()
				_, err := tr.RoundTrip(newRequest(t, "GET", "").WithContext(ctx))
				time.Sleep(time.Second)
				if !errors.Is(err, row.err) || errors.Is(err, seawall.ErrLost) || judged(tr) != row.judged {
					t.Errorf("%v, judged %s, want %s", err, judged(tr), row.judged)
				}
				for i, cause := range causes {
					if !errors.Is(cause, row.err) {
						t.Errorf("attempt %d ended because of %v", i+1, cause)
					}
				}
			})
		})
	}
}

// An answer that is no good is none because its reader has seen enough of it.
func TestABodyThatIsClosedEarlyIsJudgedByItsStatus(t *testing.T) {
	for status, want := range map[int]bulkhead.Outcomes{
		200: {Successes: 1}, 500: {Failures: 1}, 503: {Failures: 1}, 429: {Overloads: 1, Dropped: 1},
	} {
		cfg := quick()
		cfg.Adaptive = &bulkhead.AdaptiveConfig{}
		tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
			return response(status, "text"), nil
		}))
		resp, err := tr.RoundTrip(newRequest(t, "POST", ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		for _, a := range tr.Adaptive() {
			if got := a.Stats().Outcomes; got != want {
				t.Errorf("%d: the limit was told %+v, want %+v", status, got, want)
			}
		}
	}
}
