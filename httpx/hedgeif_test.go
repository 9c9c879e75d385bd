package httpx_test

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpx"
)

func isGet(r *http.Request) bool { return r.Method == http.MethodGet }

// readsHedged is a configuration whose GETs get a second attempt after a second.
func readsHedged() httpx.ClientConfig {
	cfg := hedged()
	cfg.HedgeIf = isGet
	return cfg
}

// T24: a PUT may be repeated after a failure, and is still not for sending twice to be quicker.
func TestAWriteIsNotSentTwiceToBeQuickerIfReadsOnlyAreHedged(t *testing.T) {
	for _, row := range []struct {
		name, method string
		ctx          func(context.Context) context.Context
		run          []func(*http.Request) (*http.Response, error)

		lanes int
		took  time.Duration
		calls uint64 // of the hedge
	}{
		{name: "a read", method: "GET", lanes: 2, took: 2 * time.Second, calls: 1},
		{name: "a write", method: "PUT", lanes: 1, took: 5 * time.Second},
		{name: "a read that says so", method: "GET", ctx: httpx.WithoutHedges, lanes: 1, took: 5 * time.Second},
		{name: "a write that says so", method: "PUT", ctx: httpx.WithoutHedges, lanes: 1, took: 5 * time.Second},
		{
			name: "a read that says so, with more attempts", method: "GET", lanes: 1, took: 5 * time.Second,
			ctx: func(ctx context.Context) context.Context { return httpx.WithAttempts(httpx.WithoutHedges(ctx), 5) },
		},
		{
			name: "a write that fails", method: "PUT", lanes: 2, took: 3001 * time.Millisecond,
			run: []func(*http.Request) (*http.Response, error){failing(2 * time.Second), after(time.Second, 200, true)},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := &race{run: row.run}
				if base.run == nil {
					base.run = []func(*http.Request) (*http.Response, error){after(5*time.Second, 200, true), after(time.Second, 200, true)}
				}
				tr := httpx.NewTransport("test", readsHedged(), base)
				req := newRequest(t, row.method, "question")
				if row.ctx != nil {
					req = req.WithContext(row.ctx(req.Context()))
				}
				start := time.Now()
				resp, err := tr.RoundTrip(req)
				if err != nil || resp.StatusCode != 200 || time.Since(start) != row.took {
					t.Errorf("%v, %v after %v, want 200 after %v", resp, err, time.Since(start), row.took)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				var calls uint64
				for _, h := range tr.Hedges() {
					calls += uint64(h.Stats().Calls())
				}
				if len(base.lanes) != row.lanes || calls != row.calls || inUse(tr) != 0 {
					t.Errorf("%d attempts, want %d; the hedge has %d calls, want %d; %d slots in use",
						len(base.lanes), row.lanes, calls, row.calls, inUse(tr))
				}
			})
		})
	}
}

func TestHedgeIfIsAskedOnceAndOnlyAboutWhatMayBeHedged(t *testing.T) {
	once := func(ctx context.Context) context.Context { return httpx.WithAttempts(ctx, 1) }
	for _, row := range []struct {
		name, method string
		ctx          func(context.Context) context.Context
		stream, off  bool
		asked        int
	}{
		{name: "a read, whatever becomes of it", method: "GET", asked: 1},
		{name: "a write", method: "PUT", asked: 1},
		{name: "a POST", method: "POST"},
		{name: "a POST that may be repeated", method: "POST", ctx: httpx.Idempotent, asked: 1},
		{name: "a PUT that must not", method: "PUT", ctx: seawall.NotIdempotent},
		{name: "a body that can only be streamed", method: "PUT", stream: true},
		{name: "one attempt only", method: "GET", ctx: once},
		{name: "without hedges", method: "GET", ctx: httpx.WithoutHedges},
		{name: "a client that hedges nothing", method: "GET", off: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				req := newRequest(t, row.method, "question")
				if row.ctx != nil {
					req = req.WithContext(row.ctx(req.Context()))
				}
				if row.stream {
					req.GetBody = nil
				}
				cfg := hedged()
				if row.off {
					cfg.Hedge = nil
				}
				cfg.HedgeIf = func(r *http.Request) bool {
					asked++
					if r != req {
						t.Error("it is asked about another request than the caller's")
					}
					return true
				}
				// Its attempts are late, and fail.
				tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
					time.Sleep(2 * time.Second)
					return response(503, ""), nil
				}))
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				if resp.Body.Close(); asked != row.asked {
					t.Errorf("asked %d times, want %d", asked, row.asked)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// HedgeIf is the user's code: it runs under no lock, so it may even change the client, and its panic is its caller's.
func TestHedgeIfThatPanicsLeavesNothingBehindAndMayUseTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		base := roundTripper(func(*http.Request) (*http.Response, error) {
			sent++
			return response(200, ""), nil
		})
		var tr *httpx.Transport
		cfg := hedged()
		cfg.HedgeIf = func(*http.Request) bool {
			next := tr.Config()
			next.HedgeIf = nil
			if err := tr.Update(next); err != nil {
				t.Error(err)
			}
			panic("boom")
		}
		tr = httpx.NewTransport("test", cfg, base)
		req, body := newRequest(t, "PUT", ""), newCountedBody("question")
		req.Body = body
		req.GetBody = func() (io.ReadCloser, error) { return newCountedBody("question"), nil }
		func() {
			defer func() {
				if got := recover(); got != "boom" {
					t.Errorf("the panic is %v", got)
				}
			}()
			resp, err := tr.RoundTrip(req)
			t.Errorf("returned %v, %v", resp, err)
		}()
		if sent != 0 || body.closes.Load() != 1 || inUse(tr) != 0 || judged(tr) != "nothing" {
			t.Errorf("sent %d times, the body closed %d times, %d slots in use, judged %s",
				sent, body.closes.Load(), inUse(tr), judged(tr))
		}
		if code, err := to(t, tr, "http://a.example/"); code != 200 || err != nil {
			t.Errorf("afterwards %d, %v", code, err)
		}
	})
}

func TestAnUpdateSaysWhatIsHedgedFromThenOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int64
		tr := httpx.NewTransport("test", readsHedged(), roundTripper(func(r *http.Request) (*http.Response, error) {
			begun.Add(1)
			return after(1500*time.Millisecond, 200, true)(r)
		}))
		attempts := func() int64 {
			begun.Store(0)
			if code, err := to(t, tr, "http://a.example/"); code != 200 || err != nil {
				t.Fatal(code, err)
			}
			synctest.Wait()
			return begun.Load()
		}
		if n := attempts(); n != 2 {
			t.Errorf("%d attempts before the update, want 2", n)
		}
		next := tr.Config() // whose functions are those in force
		next.Timeout = time.Minute
		if err := tr.Update(next); err != nil {
			t.Fatal(err)
		}
		if n := attempts(); n != 2 {
			t.Errorf("%d attempts after an update of the limit, want 2", n)
		}
		next.HedgeIf = func(*http.Request) bool { return false }
		if err := tr.Update(next); err != nil {
			t.Fatal(err)
		}
		if n := attempts(); n != 1 {
			t.Errorf("%d attempts after the update, want 1", n)
		}
	})
}
