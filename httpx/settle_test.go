package httpx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/timeout"
)

// inUse returns how many slots of all hosts are in use.
func inUse(tr *httpx.Transport) (n int) {
	for _, b := range tr.Bulkheads() {
		n += b.Stats().InUse
	}
	for _, b := range tr.Adaptive() {
		n += b.Stats().InUse
	}
	return n
}

// judged returns what the breaker of the only host has counted, as successes, failures, overloads, ignored and slow.
func judged(tr *httpx.Transport) string {
	for _, b := range tr.Breakers() {
		s := b.Stats()
		return fmt.Sprint(s.Calls.Successes, s.Calls.Failures, s.Overloads, s.Ignored, s.Slow)
	}
	return "nothing"
}

// broken is a body that breaks off after some bytes.
type broken struct{ left int }

func (b *broken) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	b.left--
	p[0] = 'x'
	return 1, nil
}

func (*broken) Close() error { return nil }

// T1, T13, T23: the end of the body is the end of the attempt, and what it is tells the breaker; the time is that of the
// headers.
func TestTheVerdictAndTheSlotAreSettledAtTheEndOfTheBody(t *testing.T) {
	read := func(resp *http.Response) { _, _ = io.Copy(io.Discard, resp.Body) }
	shut := func(resp *http.Response) { resp.Body.Close() }
	for _, row := range []struct {
		name   string
		status int
		cfg    func(*httpx.ClientConfig)
		body   func(*http.Request) io.ReadCloser
		open   string // judged while the body is open
		end    func(*http.Response)
		want   string
	}{
		{name: "read to its end", status: 200, open: "0 0 0 0 0", end: read, want: "1 0 0 0 0"},
		{name: "a slow body is not a slow server", status: 200, open: "0 0 0 0 0", want: "1 0 0 0 0", end: func(r *http.Response) {
			time.Sleep(20 * time.Second)
			read(r)
		}},
		{name: "closed early", status: 200, open: "0 0 0 0 0", end: shut, want: "1 0 0 0 0"},
		{name: "closed early, not found", status: 404, open: "0 0 0 0 0", end: shut, want: "1 0 0 0 0"},
		{name: "closed early, unavailable", status: 501, open: "0 1 0 0 0", end: shut, want: "0 1 0 0 0"},
		{
			name: "broken off by the peer", status: 200, open: "0 0 0 0 0", end: read, want: "0 1 0 0 0",
			body: func(*http.Request) io.ReadCloser { return &broken{3} },
		},
		{
			name: "nothing comes until the total limit", status: 200, open: "0 0 0 0 0", end: read, want: "0 1 0 0 0",
			body: func(r *http.Request) io.ReadCloser { return &slowBody{ctx: r.Context(), left: 1, pause: time.Hour} },
		},
		{
			name: "nobody reads until the total limit", status: 200, open: "0 0 0 0 0", want: "1 0 0 0 0",
			body: func(r *http.Request) io.ReadCloser {
				_ = r.Context().Done()
				return &slowBody{ctx: r.Context(), left: 10}
			},
			end: func(*http.Response) { time.Sleep(31 * time.Second) },
		},
		{
			name: "at the headers, if one says so", status: 200, open: "1 0 0 0 0", end: read, want: "1 0 0 0 0",
			cfg:  func(c *httpx.ClientConfig) { c.Settle = httpx.AtHeaders },
			body: func(*http.Request) io.ReadCloser { return &broken{3} },
		},
	} {
		for _, adaptive := range []bool{false, true} {
			t.Run(fmt.Sprint(row.name, ", adaptive ", adaptive), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cfg := quick()
					if row.cfg != nil {
						row.cfg(&cfg)
					}
					if adaptive {
						cfg.Adaptive = &bulkhead.AdaptiveConfig{}
					}
					tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
						resp := response(row.status, strings.Repeat("x", 100))
						if row.body != nil {
							resp.Body = row.body(r)
						}
						return resp, nil
					}))
					resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
					if err != nil {
						t.Fatal(err)
					}
					held := 1
					if cfg.Settle == httpx.AtHeaders {
						held = 0
					}
					if got := judged(tr); got != row.open || inUse(tr) != held {
						t.Errorf("while it is open: %s, %d slots in use", got, inUse(tr))
					}
					row.end(resp)
					if got := judged(tr); got != row.want || inUse(tr) != 0 {
						t.Errorf("at the end: %s, want %s; %d slots in use", got, row.want, inUse(tr))
					}
					resp.Body.Close()
					read(resp)
					if got := judged(tr); got != row.want || inUse(tr) != 0 {
						t.Errorf("a second end counted: %s", got)
					}
				})
			})
		}
	}
}

// T13: nobody comes for the body of a caller that is gone.
func TestACallerThatLeavesItsBodyOpenHoldsNoSlot(t *testing.T) {
	for name, limit := range map[string]time.Duration{"with a total limit": time.Minute, "without any": httpx.Off} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := quick()
				cfg.Timeout = limit
				tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
					_ = r.Context().Done()
					return response(200, "x"), nil
				}))
				ctx, cancel := context.WithCancel(t.Context())
				if _, err := tr.RoundTrip(newRequest(t, "GET", "").WithContext(ctx)); err != nil {
					t.Fatal(err)
				}
				open := len(tr.OpenBodies())
				if want := map[time.Duration]int{httpx.Off: 1}[limit]; open != want {
					t.Errorf("%d open bodies, want %d", open, want)
				}
				cancel()
				synctest.Wait()
				if inUse(tr) != 0 || judged(tr) != "1 0 0 0 0" || len(tr.OpenBodies()) != 0 {
					t.Errorf("%d slots in use, judged %s, open %v", inUse(tr), judged(tr), tr.OpenBodies())
				}
			})
		})
	}
}

func TestBodiesWithoutALimitAreListedByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick()
		cfg.Timeout = httpx.Off
		tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
			return response(200, "x"), nil
		}))
		var all []*http.Response
		for range 3 {
			resp, err := tr.RoundTrip(newRequest(t, "PUT", "secret"))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, resp)
			time.Sleep(time.Second)
		}
		all[1].Body.Close()
		open := tr.OpenBodies()
		if len(open) != 2 || open[0].Method != "PUT" || open[0].Host != "http://a.example" ||
			time.Since(open[0].Since) != 3*time.Second || time.Since(open[1].Since) != time.Second {
			t.Errorf("%+v", open)
		}
		all[2].Body.Close()
		_, _ = io.ReadAll(all[0].Body)
		if open := tr.OpenBodies(); len(open) != 0 {
			t.Errorf("%+v", open)
		}
	})
}

// Bodies that come at the same instant, and more of them than there are places, are all listed and all forgotten.
func TestManyOpenBodiesAreEachListedOnce(t *testing.T) {
	const bodies = 500
	each := func(t *testing.T) {
		cfg := quick()
		cfg.Timeout, cfg.Bulkhead.Limit = httpx.Off, bodies
		tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
			return response(200, "x"), nil
		}))
		var wg sync.WaitGroup
		var all [bodies]*http.Response
		for i := range all {
			wg.Go(func() {
				resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
				if err != nil {
					t.Error(err)
					return
				}
				all[i] = resp
				if i%2 == 0 {
					resp.Body.Close()
				}
			})
		}
		wg.Wait()
		if n := len(tr.OpenBodies()); n != bodies/2 {
			t.Errorf("%d open bodies, want %d", n, bodies/2)
		}
		for _, resp := range all {
			wg.Go(func() { resp.Body.Close() })
		}
		wg.Wait()
		if n := len(tr.OpenBodies()); n != 0 {
			t.Errorf("%d open bodies when all are closed", n)
		}
	}
	t.Run("at one instant", func(t *testing.T) { synctest.Test(t, each) })
	t.Run("one after the other", each)
}

// T23, T58: what the limit of an attempt covers, and the one without progress.
func TestLimitsOfTheBody(t *testing.T) {
	for _, row := range []struct {
		name    string
		cfg     httpx.ClientConfig
		headers time.Duration
		n       int
		pause   time.Duration
		read    int // bytes until the error; all of them if there is none
		took    time.Duration
		ours    bool
	}{
		{name: "headers only", headers: 900 * time.Millisecond, n: 3, pause: 2 * time.Second, read: 3, took: 6900 * time.Millisecond},
		{
			name: "up to the first byte", cfg: httpx.ClientConfig{AttemptSpan: httpx.SpanFirstByte},
			headers: 500 * time.Millisecond, n: 3, pause: 400 * time.Millisecond, read: 3, took: 1700 * time.Millisecond,
		},
		{
			name: "the first byte is late", cfg: httpx.ClientConfig{AttemptSpan: httpx.SpanFirstByte},
			headers: 500 * time.Millisecond, n: 3, pause: 600 * time.Millisecond, read: 0, took: time.Second, ours: true,
		},
		{
			name: "up to the end", cfg: httpx.ClientConfig{AttemptSpan: httpx.SpanEnd},
			headers: 500 * time.Millisecond, n: 3, pause: 150 * time.Millisecond, read: 3, took: 950 * time.Millisecond,
		},
		{
			name: "the end is late", cfg: httpx.ClientConfig{AttemptSpan: httpx.SpanEnd},
			headers: 500 * time.Millisecond, n: 4, pause: 150 * time.Millisecond, read: 3, took: time.Second, ours: true,
		},
		{
			name: "progress within the idle limit", cfg: httpx.ClientConfig{IdleTimeout: 3 * time.Second},
			n: 5, pause: 2 * time.Second, read: 5, took: 10 * time.Second,
		},
		{
			name: "no progress within the idle limit", cfg: httpx.ClientConfig{IdleTimeout: 3 * time.Second},
			n: 5, pause: 4 * time.Second, read: 0, took: 3 * time.Second, ours: true,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := quick()
				cfg.AttemptTimeout = time.Second
				cfg.AttemptSpan, cfg.IdleTimeout = row.cfg.AttemptSpan, row.cfg.IdleTimeout
				base, attempts, _ := slow(200, row.headers, row.n, row.pause)
				tr := httpx.NewTransport("test", cfg, base)
				start := time.Now()
				resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				if len(got) != row.read || time.Since(start) != row.took || (err != nil) != row.ours {
					t.Errorf("read %d bytes in %v, %v", len(got), time.Since(start), err)
				}
				if row.ours {
					checkOurLimit(t, err)
					if judged(tr) != "0 1 0 0 0" {
						t.Errorf("judged %s", judged(tr))
					}
				}
				if inUse(tr) != 0 || (*attempts)[0].Err() == nil {
					t.Error("the attempt goes on")
				}
			})
		})
	}
}

// With an idle limit a body that nobody reads and nobody closes ends by itself, whatever the base looks at.
func TestABodyThatNobodyWantsEndsByItsIdleLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick()
		cfg.Timeout, cfg.IdleTimeout = httpx.Off, 3*time.Second
		tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
			return response(200, "x"), nil
		}))
		if _, err := tr.RoundTrip(newRequest(t, "GET", "")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if inUse(tr) != 0 || judged(tr) != "1 0 0 0 0" {
			t.Errorf("%d slots in use, judged %s", inUse(tr), judged(tr))
		}
	})
}

// T4: a probe whose answer streams is out until the end of the stream, or back at its headers.
func TestAStreamHoldsTheProbeUnlessItIsSettledAtTheHeaders(t *testing.T) {
	for _, settle := range []httpx.Settle{httpx.AtEnd, httpx.AtHeaders} {
		t.Run(settle.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := quick()
				cfg.Settle = settle
				cfg.Retry.MaxAttempts = 1
				cfg.Breaker = breaker.Config{MinCalls: 1, OpenFor: time.Second, Probes: breaker.Probes{Calls: 1}, Ramp: breaker.Ramp{Start: breaker.NoRamp}}
				status := 500
				tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
					return response(status, "x"), nil
				}))
				resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				status = 200
				time.Sleep(2 * time.Second)
				stream, err := tr.RoundTrip(newRequest(t, "GET", ""))
				if err != nil {
					t.Fatal(err)
				}
				_, err = tr.RoundTrip(newRequest(t, "GET", ""))
				if free := err == nil; free != (settle == httpx.AtHeaders) {
					t.Errorf("beside the stream: %v", err)
				}
				stream.Body.Close()
				if _, err = tr.RoundTrip(newRequest(t, "GET", "")); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A classifier of the user's that panics where there is no caller does not end the process.
func TestAPanicWithoutACallerIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick()
		cfg.Timeout = time.Second
		cfg.Breaker.Classify = func(err error) seawall.Verdict {
			if errors.Is(err, timeout.ErrExceeded) {
				panic("boom")
			}
			return seawall.Classify(err)
		}
		reading := make(chan struct{})
		tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
			_ = r.Context().Done()
			resp := response(200, "")
			resp.Body = io.NopCloser(stuck(reading)) // which does not look at the context
			return resp, nil
		}))
		resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, resp.Body) }()
		time.Sleep(2 * time.Second)
		if inUse(tr) != 0 {
			t.Error("the slot is in use")
		}
		close(reading)
	})
}

// stuck is a reader that waits for its channel.
type stuck chan struct{}

func (s stuck) Read([]byte) (int, error) {
	<-s
	return 0, io.EOF
}
