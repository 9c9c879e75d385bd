package httpx_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// hedged is a configuration whose requests get a second attempt after a second.
func hedged() httpx.ClientConfig {
	cfg := quick()
	cfg.Hedge = &hedge.Config{Delay: time.Second, Cap: hedge.Cap{Ratio: 9, Burst: 1000}}
	return cfg
}

// lane is what a base did in one attempt.
type lane struct {
	ctx  context.Context
	body *countedBody // of the response; nil if there was none
	sent string

	number string // as the server is told
}

// race is a base that does what it is told in each attempt, by number.
type race struct {
	mu    sync.Mutex
	lanes []*lane
	run   []func(r *http.Request) (*http.Response, error)
}

func (b *race) RoundTrip(r *http.Request) (*http.Response, error) {
	l := &lane{ctx: r.Context(), number: r.Header.Get("Seawall-Attempt")}
	b.mu.Lock()
	b.lanes = append(b.lanes, l)
	run := b.run[min(len(b.lanes), len(b.run))-1]
	b.mu.Unlock()
	if r.Body != nil {
		defer r.Body.Close()
		sent, _ := io.ReadAll(r.Body)
		l.sent = string(sent)
	}
	resp, err := run(r)
	if err == nil {
		l.body = newCountedBody("body of " + l.number)
		resp.Body, resp.ContentLength = l.body, -1
	}
	return resp, err
}

// after answers with a status after a time, or ends when its context does, if it looks.
func after(d time.Duration, status int, looks bool, header ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		var left <-chan struct{}
		if looks {
			left = r.Context().Done()
		}
		select {
		case <-time.After(d):
			resp := response(status, "")
			for i := 0; i+1 < len(header); i += 2 {
				resp.Header.Set(header[i], header[i+1])
			}
			return resp, nil
		case <-left:
			return nil, context.Cause(r.Context())
		}
	}
}

func failing(d time.Duration) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		time.Sleep(d)
		return nil, errors.New("boom")
	}
}

// T20, T24, T26, T27: who starts, who wins, and what becomes of the others.
func TestHedging(t *testing.T) {
	runs := func(all ...func(*http.Request) (*http.Response, error)) []func(*http.Request) (*http.Response, error) {
		return all
	}
	for _, row := range []struct {
		name   string
		method string
		cfg    func(*httpx.ClientConfig)
		ctx    func(context.Context) context.Context
		stream bool // the body has no GetBody
		run    []func(*http.Request) (*http.Response, error)

		lanes  int
		took   time.Duration
		status int
		text   string
		lost   []int // lanes whose context must say that they have lost
		judged string
	}{
		{
			name: "in time", run: runs(after(900*time.Millisecond, 200, true)),
			lanes: 1, took: 900 * time.Millisecond, status: 200, text: "body of ", judged: "1 0 0 0 0",
		},
		{
			name: "late, the hedge wins", run: runs(after(9*time.Second, 200, true), after(time.Second, 200, true)),
			lanes: 2, took: 2 * time.Second, status: 200, text: "body of 2", lost: []int{0}, judged: "1 0 0 1 0",
		},
		{
			name: "late, the first wins", run: runs(after(1500*time.Millisecond, 200, true), after(9*time.Second, 200, true)),
			lanes: 2, took: 1500 * time.Millisecond, status: 200, text: "body of ", lost: []int{1}, judged: "1 0 0 1 0",
		},
		{
			name:  "the loser answers all the same",
			run:   runs(after(5*time.Second, 200, false), after(time.Second, 200, true)),
			lanes: 2, took: 2 * time.Second, status: 200, text: "body of 2", lost: []int{0}, judged: "1 0 0 1 0",
		},
		{
			name:  "a fast failure starts the next at once, and does not win",
			run:   runs(failing(time.Millisecond), after(5*time.Second, 200, true)),
			lanes: 2, took: 5001 * time.Millisecond, status: 200, text: "body of 2", judged: "1 1 0 0 0",
		},
		{
			name:  "a fast 503 does not beat a slow success",
			run:   runs(after(3*time.Second, 200, true), after(time.Millisecond, 503, true)),
			lanes: 2, took: 3 * time.Second, status: 200, text: "body of ", judged: "1 1 0 0 0",
		},
		{
			name:  "pushback ends hedging",
			cfg:   func(c *httpx.ClientConfig) { c.Hedge.MaxAttempts, c.Retry.MaxAttempts = 3, 1 },
			run:   runs(after(8*time.Second, 200, true), after(time.Millisecond, 429, true)),
			lanes: 2, took: 8 * time.Second, status: 200, text: "body of ", judged: "1 0 1 0 0",
		},
		{
			name: "a 503 wins when none is left", cfg: func(c *httpx.ClientConfig) { c.Retry.MaxAttempts = 1 },
			run:   runs(after(2*time.Second, 503, true), after(2*time.Second, 503, true)),
			lanes: 2, took: 3 * time.Second, status: 503, text: "body of 2", judged: "0 2 0 0 0",
		},
		{
			name: "POST", method: "POST", run: runs(after(5*time.Second, 200, true)),
			lanes: 1, took: 5 * time.Second, status: 200, text: "body of ", judged: "1 0 0 0 0",
		},
		{
			name: "POST that may be repeated", method: "POST", ctx: httpx.Idempotent,
			run:   runs(after(9*time.Second, 200, true), after(time.Second, 200, true)),
			lanes: 2, took: 2 * time.Second, status: 200, text: "body of 2", lost: []int{0}, judged: "1 0 0 1 0",
		},
		{
			name: "PUT that must not", method: "PUT", ctx: seawall.NotIdempotent, run: runs(after(5*time.Second, 200, true)),
			lanes: 1, took: 5 * time.Second, status: 200, text: "body of ", judged: "1 0 0 0 0",
		},
		{
			name: "a body that can only be streamed", method: "PUT", stream: true, run: runs(after(5*time.Second, 200, true)),
			lanes: 1, took: 5 * time.Second, status: 200, text: "body of ", judged: "1 0 0 0 0",
		},
		{
			name: "one attempt only", run: runs(after(5*time.Second, 200, true)),
			ctx:   func(ctx context.Context) context.Context { return httpx.WithAttempts(ctx, 1) },
			lanes: 1, took: 5 * time.Second, status: 200, text: "body of ", judged: "1 0 0 0 0",
		},
		{
			name: "no slot is free", run: runs(after(5*time.Second, 200, true)),
			cfg: func(c *httpx.ClientConfig) {
				c.Bulkhead = bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 100, MaxWait: time.Minute}}
			},
			lanes: 1, took: 5 * time.Second, status: 200, text: "body of ", judged: "1 0 0 1 0",
		},
		{
			name: "no token is there", run: runs(after(5*time.Second, 200, true)),
			cfg: func(c *httpx.ClientConfig) {
				c.RateLimit = &ratelimit.Config{Rate: 0.1, Burst: 1, MaxWait: time.Minute}
			},
			lanes: 1, took: 5 * time.Second, status: 200, text: "body of ", judged: "1 0 0 1 0",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := hedged()
				if row.cfg != nil {
					row.cfg(&cfg)
				}
				base := &race{run: row.run}
				tr := httpx.NewTransport("test", cfg, base)
				method := row.method
				if method == "" {
					method = "PUT"
				}
				ctx, record := seawall.WithRecord(t.Context())
				if row.ctx != nil {
					ctx = row.ctx(ctx)
				}
				req := newRequest(t, method, "question").WithContext(ctx)
				if row.stream {
					req.GetBody = nil
				}
				start := time.Now()
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				took := time.Since(start)
				time.Sleep(100 * time.Millisecond) // the race is over, and the winner's body is whole
				text, err := io.ReadAll(resp.Body)
				if err != nil || string(text) != row.text || resp.StatusCode != row.status || took != row.took {
					t.Errorf("%d %q after %v, %v; want %d %q after %v",
						resp.StatusCode, text, took, err, row.status, row.text, row.took)
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if len(base.lanes) != row.lanes {
					t.Fatalf("%d attempts, want %d", len(base.lanes), row.lanes)
				}
				for i, l := range base.lanes {
					if l.sent != "question" {
						t.Errorf("attempt %d sent %q", i+1, l.sent)
					}
					if l.ctx.Err() == nil {
						t.Errorf("the context of attempt %d lives", i+1)
					}
					// The winner's was read to its end, the others are closed.
					if l.body != nil && l.body.closes.Load() != 1 && string(text) != "body of "+l.number {
						t.Errorf("the response of attempt %d was closed %d times", i+1, l.body.closes.Load())
					}
				}
				for _, i := range row.lost {
					if cause := context.Cause(base.lanes[i].ctx); !errors.Is(cause, seawall.ErrLost) {
						t.Errorf("attempt %d ended because of %v", i+1, cause)
					}
				}
				if got := judged(tr); got != row.judged || inUse(tr) != 0 {
					t.Errorf("judged %s, want %s; %d slots in use", got, row.judged, inUse(tr))
				}
				if f := record.Facts(); f.Hedges != row.lanes-1 && row.judged != "1 0 0 1 0" {
					t.Errorf("the record has %d hedges", f.Hedges)
				}
			})
		})
	}
}

// T56: retries and hedges take from one budget, and a spent one is no failure.
func TestHedgesShareTheBudgetOfTheRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := httpx.ClientConfig{
			Hedge:    &hedge.Config{Delay: time.Second, Cap: hedge.Cap{Ratio: 9, Burst: 1000}},
			Retry:    retry.Config{BudgetConfig: seawall.BudgetConfig{Ratio: 0.000001, Burst: 3}},
			Registry: quiet(),
		}
		var attempts atomic.Int64
		tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
			attempts.Add(1)
			return after(5*time.Second, 200, true)(r)
		}))
		for range 10 {
			if code, err := to(t, tr, "http://a.example/"); code != 200 || err != nil {
				t.Fatal(code, err)
			}
		}
		if attempts.Load() != 13 || tr.Retry().Budget().Available() >= 1 {
			t.Errorf("%d attempts of 10 calls, %v left", attempts.Load(), tr.Retry().Budget().Available())
		}
	})
}

// T76: the latency is estimated for each host.
func TestEachHostHasItsOwnHedgeDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick()
		cfg.Hedge = &hedge.Config{Latency: hedge.Latency{Window: time.Hour}}
		tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
			d := 10 * time.Millisecond
			if r.URL.Host == "slow.example" {
				d = time.Second
			}
			return after(d, 200, true)(r)
		}))
		for range 200 {
			_, _ = to(t, tr, "http://fast.example/")
			_, _ = to(t, tr, "http://slow.example/")
		}
		delays := map[string]time.Duration{}
		for host, h := range tr.Hedges() {
			delays[host], _ = h.Delay()
		}
		if d := delays["http://fast.example"]; d < 10*time.Millisecond || d > 11*time.Millisecond {
			t.Errorf("the fast host is hedged after %v", d)
		}
		if d := delays["http://slow.example"]; d < time.Second || d > 1100*time.Millisecond {
			t.Errorf("the slow host is hedged after %v", d)
		}
	})
}

// Over HTTP/2 two attempts share one socket; with OtherConn the second one has its own, which is closed with it.
func TestAHedgeCanHaveAConnectionOfItsOwn(t *testing.T) {
	for _, own := range []bool{false, true} {
		for _, p := range []protocol{http1, http2} {
			t.Run(string(p), func(t *testing.T) {
				cfg := hedged()
				cfg.Hedge.Delay = 20 * time.Millisecond
				cfg.HedgeOtherConn = own
				var mu sync.Mutex
				peers := map[string]int{}
				s := newSite(t, p, cfg, func(w http.ResponseWriter, r *http.Request) {
					mu.Lock()
					peers[r.RemoteAddr]++
					mu.Unlock()
					if r.Header.Get("Seawall-Attempt") == "" {
						hang(w, r)
						return
					}
					_, _ = io.WriteString(w, "hedge")
				})
				defer s.rest(t)
				// A base that is net/http's own, since only that can make connections.
				tr := httpx.NewTransport("test", cfg, s.base)
				req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(text) != "hedge" || err != nil {
					t.Errorf("%q, %v", text, err)
				}
				mu.Lock()
				defer mu.Unlock()
				if want := 2; (own || p == http1) && len(peers) != want || !own && p == http2 && len(peers) != 1 {
					t.Errorf("own connection %v, %d connections", own, len(peers))
				}
			})
		}
	}
}

// Extra attempts take what is free, and never stand in a queue before first ones.
func TestAHedgeDoesNotQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := hedged()
		cfg.Bulkhead = bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 100, MaxWait: time.Minute}}
		tr := httpx.NewTransport("test", cfg, roundTripper(after(5*time.Second, 200, true)))
		var call sync.WaitGroup
		call.Go(func() {
			if code, err := to(t, tr, "http://a.example/"); code != 200 || err != nil {
				t.Error(code, err)
			}
		})
		time.Sleep(2 * time.Second) // the hedge was due a second ago
		for _, b := range tr.Bulkheads() {
			if s := b.Stats(); s.InUse != 1 || s.Waiting != 0 || s.Rejected.Total() != 1 {
				t.Errorf("%+v", s)
			}
		}
		call.Wait()
	})
}
