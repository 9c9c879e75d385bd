package httpx_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/timeout"
)

// strictBody is a slowBody that says so when it is closed while somebody reads from it.
type strictBody struct {
	slowBody
	t       *testing.T
	readers atomic.Int64
}

func (b *strictBody) Read(p []byte) (int, error) {
	b.readers.Add(1)
	defer b.readers.Add(-1)
	if b.closes.Load() > 0 {
		return 0, io.EOF // which must not look like the end
	}
	return b.slowBody.Read(p)
}

func (b *strictBody) Close() error {
	if b.readers.Load() > 0 {
		b.t.Error("closed under a reader")
	}
	return b.slowBody.Close()
}

// What wraps a base, a recorder of spans for one, learns of the end of a response by its Close.
func TestABodyIsClosedExactlyOnceAtEveryEnd(t *testing.T) {
	readAll := func(resp *http.Response) error {
		_, err := io.Copy(io.Discard, resp.Body)
		return err
	}
	for _, row := range []struct {
		name  string
		bytes int
		end   func(resp *http.Response, leave context.CancelFunc) error
		want  error
	}{
		{"read to its end", 2, func(r *http.Response, _ context.CancelFunc) error { return readAll(r) }, nil},
		{"read to its end and closed", 2, func(r *http.Response, _ context.CancelFunc) error {
			return errors.Join(readAll(r), r.Body.Close())
		}, nil},
		{"closed twice", 2, func(r *http.Response, _ context.CancelFunc) error {
			return errors.Join(r.Body.Close(), r.Body.Close())
		}, nil},
		{"the idle limit, unread", 2, func(r *http.Response, _ context.CancelFunc) error {
			time.Sleep(2 * time.Second)
			synctest.Wait()
			return readAll(r)
		}, timeout.ErrExceeded},
		{"the idle limit, unread, and closed", 2, func(r *http.Response, _ context.CancelFunc) error {
			time.Sleep(2 * time.Second)
			synctest.Wait()
			return r.Body.Close()
		}, nil},
		{"the total limit, while it is read", 1 << 20, func(r *http.Response, _ context.CancelFunc) error {
			return readAll(r)
		}, timeout.ErrExceeded},
		{"the caller leaves, unread", 2, func(r *http.Response, leave context.CancelFunc) error {
			leave()
			synctest.Wait()
			return readAll(r)
		}, context.Canceled},
		{"the caller leaves, while it is read", 1 << 20, func(r *http.Response, leave context.CancelFunc) error {
			time.AfterFunc(time.Second, leave)
			return readAll(r)
		}, context.Canceled},
		{"the caller leaves between two reads", 1 << 20, func(r *http.Response, leave context.CancelFunc) error {
			_, err := r.Body.Read(make([]byte, 1))
			leave()
			synctest.Wait()
			return errors.Join(err, readAll(r))
		}, context.Canceled},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := quick()
				cfg.Timeout, cfg.IdleTimeout = 5*time.Second, time.Second
				var body *strictBody
				tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
					body = &strictBody{slowBody: slowBody{ctx: r.Context(), left: row.bytes, pause: time.Millisecond}, t: t}
					resp := response(200, "")
					resp.Body, resp.ContentLength = body, -1
					return resp, nil
				}))
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				resp, err := tr.RoundTrip(newRequest(t, "GET", "").WithContext(ctx))
				if err != nil {
					t.Fatal(err)
				}
				if err := row.end(resp, leave); !errors.Is(err, row.want) || (row.want == nil) != (err == nil) {
					t.Errorf("the error is %v, want %v", err, row.want)
				}
				synctest.Wait()
				if n := body.closes.Load(); n != 1 {
					t.Errorf("closed %d times", n)
				}
				if inUse(tr) != 0 {
					t.Error("the slot is in use")
				}
			})
		})
	}
}

// A base may begin to look at its context when the response has been returned. Nothing but the attempt's own state orders
// the end behind the return then.
func TestABodyWhoseContextIsAskedForLateIsListedUntilItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick()
		cfg.Timeout = time.Second
		tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
			go func() {
				time.Sleep(time.Millisecond)
				<-r.Context().Done()
			}()
			return response(200, "x"), nil
		}))
		if _, err := tr.RoundTrip(newRequest(t, "GET", "")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if inUse(tr) != 0 || len(tr.OpenBodies()) != 0 {
			t.Errorf("%d slots in use, open %+v", inUse(tr), tr.OpenBodies())
		}
	})
}

type panickingBody struct{ io.Reader }

func (panickingBody) Close() error { panic("boom") }

func (panickingBody) Write(p []byte) (int, error) { return len(p), nil }

func TestABodyThatPanicsAtItsCloseHoldsNoSlot(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusSwitchingProtocols} {
		tr := httpx.NewTransport("test", quick(), roundTripper(func(*http.Request) (*http.Response, error) {
			resp := response(status, "")
			resp.Body = panickingBody{strings.NewReader("x")}
			return resp, nil
		}))
		req := newRequest(t, "GET", "")
		req.Header.Set("Upgrade", "echo")
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if v := recover(); v != "boom" {
					t.Errorf("%d: the panic is %v", status, v)
				}
			}()
			_ = resp.Body.Close()
		}()
		if inUse(tr) != 0 || len(tr.OpenBodies()) != 0 {
			t.Errorf("%d: %d slots in use, %+v", status, inUse(tr), tr.OpenBodies())
		}
	}
}

// A base that does not look at its context does not notice the total limit, so nobody would know of such a body.
func TestABodyThatNoLimitReachesIsListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick()
		cfg.Timeout = time.Second
		tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
			return response(200, "x"), nil
		}))
		resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if open := tr.OpenBodies(); len(open) != 1 || time.Since(open[0].Since) != time.Hour {
			t.Errorf("open after an hour: %+v", open)
		}
		resp.Body.Close()
		if open := tr.OpenBodies(); len(open) != 0 || inUse(tr) != 0 {
			t.Errorf("%+v, %d slots in use", open, inUse(tr))
		}
	})
}

// Nothing said that the slots were held by bodies that nobody had closed.
func TestAFullBulkheadSaysHowManyBodiesAreOpen(t *testing.T) {
	base := roundTripper(func(*http.Request) (*http.Response, error) { return response(200, "x"), nil })
	for name, configure := range map[string]func(*httpx.ClientConfig){
		"full":          func(c *httpx.ClientConfig) { c.Bulkhead.Queue.Limit = bulkhead.NoQueue },
		"queue_timeout": func(c *httpx.ClientConfig) { c.Bulkhead.Queue.MaxWait = time.Second },
	} {
		synctest.Test(t, func(t *testing.T) {
			cfg := quick()
			cfg.Timeout, cfg.Bulkhead.Limit = httpx.Off, 2
			configure(&cfg)
			tr := httpx.NewTransport("api", cfg, base)
			ask := func(url string) (*http.Response, error) {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				return tr.RoundTrip(req)
			}
			var held []*http.Response
			for _, url := range []string{"http://b.example/", "http://a.example/?secret", "http://a.example/?secret"} {
				resp, err := ask(url)
				if err != nil {
					t.Fatal(err)
				}
				held = append(held, resp)
			}
			_, err := ask("http://a.example/?secret")
			rejected, ok := errors.AsType[*seawall.RejectedError](err)
			if !ok || string(rejected.Reason) != name || !errors.Is(err, bulkhead.ErrFull) || !errors.Is(err, seawall.ErrRejected) {
				t.Fatalf("%s: %v", name, err)
			}
			if want := "; response bodies open: 2, see Transport.OpenBodies"; !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", name, err)
			}
			if v := seawall.Classify(err); v.Outcome != seawall.Ignored || v.Repeat != seawall.RepeatNever {
				t.Errorf("%s: %+v", name, v)
			}
			for _, resp := range held {
				resp.Body.Close()
			}
			resp, err := ask("http://a.example/")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		})
	}
}

// Where slots are given back at the headers, open bodies are not why all are taken.
func TestAFullBulkheadDoesNotBlameBodiesThatHoldNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick()
		cfg.Timeout, cfg.Settle, cfg.Bulkhead.Limit, cfg.Bulkhead.Queue.Limit = httpx.Off, httpx.AtHeaders, 1, bulkhead.NoQueue
		let := make(chan struct{})
		tr := httpx.NewTransport("api", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/slow" {
				<-let
			}
			return response(200, "x"), nil
		}))
		ask := func(path string) (*http.Response, error) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a.example"+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			return tr.RoundTrip(req)
		}
		open, err := ask("/")
		if err != nil {
			t.Fatal(err)
		}
		defer open.Body.Close()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if resp, err := ask("/slow"); err == nil {
				resp.Body.Close()
			}
		}()
		synctest.Wait()
		if _, err := ask("/"); !errors.Is(err, bulkhead.ErrFull) || strings.Contains(err.Error(), "OpenBodies") || len(tr.OpenBodies()) != 1 {
			t.Errorf("%v, open: %d", err, len(tr.OpenBodies()))
		}
		close(let)
		<-ended
	})
}
