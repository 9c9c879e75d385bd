package httpx_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

// slowBody gives one byte after each pause, and fails when the context of its request has ended, as net/http's do.
type slowBody struct {
	ctx    context.Context
	left   int
	pause  time.Duration
	closes atomic.Int64
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(b.pause):
		b.left--
		p[0] = 'x'
		return 1, nil
	case <-b.ctx.Done():
		return 0, context.Cause(b.ctx)
	}
}

func (b *slowBody) Close() error {
	b.closes.Add(1)
	return nil
}

// slow is a base whose answers have a slow body. attempts gets the context of each.
func slow(status int, headers time.Duration, n int, pause time.Duration) (
	base roundTripper, attempts *[]context.Context, all *[]*slowBody,
) {
	attempts, all = new([]context.Context), new([]*slowBody)
	return func(r *http.Request) (*http.Response, error) {
		*attempts = append(*attempts, r.Context())
		select {
		case <-time.After(headers):
		case <-r.Context().Done():
			return nil, context.Cause(r.Context())
		}
		resp := response(status, "")
		body := &slowBody{ctx: r.Context(), left: n, pause: pause}
		*all = append(*all, body)
		resp.Body, resp.ContentLength = body, -1
		return resp, nil
	}, attempts, all
}

// T23
func TestTheAttemptLimitEndsAtTheHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base, attempts, _ := slow(200, 9*time.Second, 10, time.Second) // 19 s in all
		tr := httpx.NewTransport("test", quick(), base)
		resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
		if err != nil {
			t.Fatal(err)
		}
		ctx := (*attempts)[0]
		if ctx.Err() != nil {
			t.Error("the attempt's context ended before its body was read")
		}
		got, err := io.ReadAll(resp.Body)
		if string(got) != strings.Repeat("x", 10) || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if ctx.Err() == nil {
			t.Error("the attempt's context lives on after the end of the body")
		}
	})
}

// T23, T58
func TestTheTotalLimitBoundsTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		base, _, _ := slow(200, 0, 100, 1700*time.Millisecond)
		tr := httpx.NewTransport("test", quick(), base)
		resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		checkOurLimit(t, err)
		if len(got) != 17 || time.Since(start) != 30*time.Second {
			t.Errorf("read %d bytes in %v, want 17 in the 30 s of the default", len(got), time.Since(start))
		}
		if _, again := resp.Body.Read(make([]byte, 1)); !errors.Is(again, timeout.ErrExceeded) {
			t.Errorf("the next read says %v", again)
		}
		resp.Body.Close()
	})
}

func checkOurLimit(t *testing.T, err error) {
	t.Helper()
	switch {
	case !errors.Is(err, timeout.ErrExceeded):
		t.Errorf("%v does not match timeout.ErrExceeded", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		t.Errorf("%v matches an error of the caller's context", err)
	}
}

// Each end of a response ends its scope, also a second one, and none needs another.
func TestEveryEndOfTheBodyReleasesTheScope(t *testing.T) {
	for _, row := range []struct {
		name string
		end  func(*testing.T, *http.Response)
	}{
		{"read to its end", func(_ *testing.T, r *http.Response) { _, _ = io.Copy(io.Discard, r.Body) }},
		{"closed unread", func(_ *testing.T, r *http.Response) { r.Body.Close() }},
		{"closed twice", func(_ *testing.T, r *http.Response) { r.Body.Close(); r.Body.Close() }},
		{"closed half-read", func(_ *testing.T, r *http.Response) { _, _ = r.Body.Read(make([]byte, 1)); r.Body.Close() }},
		{"read, then closed", func(_ *testing.T, r *http.Response) { _, _ = io.Copy(io.Discard, r.Body); r.Body.Close() }},
		{"forgotten", func(*testing.T, *http.Response) { time.Sleep(31 * time.Second) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.Background()) // long-lived, as a server's is
				defer cancel()
				base, attempts, _ := slow(200, 0, 3, time.Millisecond)
				tr := httpx.NewTransport("test", quick(), base)
				resp, err := tr.RoundTrip(newRequest(t, "GET", "").WithContext(ctx))
				if err != nil {
					t.Fatal(err)
				}
				row.end(t, resp)
				if (*attempts)[0].Err() == nil {
					t.Error("the attempt's context is still alive")
				}
			})
		})
	}
}

// Who is still at work for an attempt may ask for the end of its context at the very moment at which that ends.
func TestAContextThatIsAskedAtItsEndHasEnded(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 500
	}
	cfg := quick()
	cfg.AttemptTimeout, cfg.AttemptSpan = 5*time.Millisecond, httpx.SpanEnd
	var wg sync.WaitGroup
	tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
		for _, end := range []func(context.Context){
			func(ctx context.Context) { <-ctx.Done() },
			func(ctx context.Context) {
				child, cancel := context.WithCancel(ctx)
				defer cancel()
				<-child.Done()
			},
			func(ctx context.Context) {
				for ctx.Err() == nil {
					runtime.Gosched()
				}
				if context.Cause(ctx) == nil {
					t.Error("a context has ended without a cause")
				}
			},
		} {
			wg.Go(func() {
				if pause := rand.IntN(4); pause > 0 {
					time.Sleep(time.Duration(pause) * time.Microsecond)
				}
				end(r.Context())
			})
		}
		return response(200, "x"), nil
	}))
	for n := range rounds {
		resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
		switch {
		case err != nil: // the limit is short for a busy machine
		case n%100 == 0: // nobody comes for it
		case n%2 == 0:
			_, _ = io.Copy(io.Discard, resp.Body)
			fallthrough
		default:
			resp.Body.Close()
		}
	}
	var ended atomic.Bool
	go func() {
		wg.Wait()
		ended.Store(true)
	}()
	waitFor(t, "the contexts to end", ended.Load)
	waitFor(t, "the slots to come back", func() bool { return inUse(tr) == 0 })
}

func TestEmptyBodiesStayWhatTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, body := range []io.ReadCloser{http.NoBody, nil} {
			var attempt context.Context
			tr := httpx.NewTransport("test", quick(), roundTripper(func(r *http.Request) (*http.Response, error) {
				attempt = r.Context()
				resp := response(204, "")
				resp.Body = body
				return resp, nil
			}))
			resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
			if err != nil {
				t.Fatal(err)
			}
			if resp.Body != http.NoBody {
				t.Errorf("the body is a %T", resp.Body)
			}
			if attempt.Err() == nil {
				t.Error("the scope outlives an empty body")
			}
		}
	})
}

// duplex is the body of a 101.
type duplex struct {
	bytes.Buffer
	closes, half int
}

func (d *duplex) Close() error {
	d.closes++
	return nil
}

type halfClosing struct{ *duplex }

func (d halfClosing) CloseWrite() error {
	d.half++
	return nil
}

// T23
func TestAnUpgradedConnectionCanBeWrittenToAndIsLeftAloneByTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, half := range []bool{false, true} {
			var attempt context.Context
			conn := &duplex{}
			tr := httpx.NewTransport("test", quick(), roundTripper(func(r *http.Request) (*http.Response, error) {
				attempt = r.Context()
				resp := response(http.StatusSwitchingProtocols, "")
				resp.Body = conn
				if half {
					resp.Body = halfClosing{conn}
				}
				return resp, nil
			}))
			req := newRequest(t, "GET", "")
			req.Header.Set("Upgrade", "echo")
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			rw, ok := resp.Body.(io.ReadWriteCloser)
			if !ok {
				t.Fatalf("the body is a %T, which cannot be written to", resp.Body)
			}
			if _, err := io.WriteString(rw, "ping"); err != nil || conn.String() != "ping" {
				t.Errorf("wrote %q, %v", conn.String(), err)
			}
			if _, err := io.ReadAll(rw); err != nil || attempt.Err() != nil {
				t.Errorf("after the end of one direction: %v, context %v", err, attempt.Err())
			}
			err = resp.Body.(interface{ CloseWrite() error }).CloseWrite()
			if half != (err == nil) || half != (conn.half == 1) {
				t.Errorf("CloseWrite: %v", err)
			}
			if err := rw.Close(); err != nil || conn.closes != 1 || attempt.Err() == nil {
				t.Errorf("after Close: %v, closed %d times, context %v", err, conn.closes, attempt.Err())
			}
		}
	})
}

// T20
func TestADiscardedResponseIsClosedAndDrainedWithinBounds(t *testing.T) {
	for _, row := range []struct {
		name  string
		n     int
		pause time.Duration
		left  int // unread
		took  time.Duration
	}{
		{"short", 10, 0, 0, 0},
		{"slow", 1000, 10 * time.Millisecond, 995, httpx.DrainTime},
		{"too long", httpx.DrainBytes + 10, 0, 10, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base, attempts, all := slow(503, 0, row.n, row.pause)
				cfg := quick()
				cfg.Retry.MaxAttempts = 2
				tr := httpx.NewTransport("test", cfg, base)
				start := time.Now()
				resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
				if err != nil {
					t.Fatal(err)
				}
				took := time.Since(start)
				first, second := (*all)[0], (*all)[1]
				// The fifth byte of the slow one comes at the very instant at which the time is up.
				if first.left != row.left && first.left != row.left+1 {
					t.Errorf("%d bytes were left unread, want %d", first.left, row.left)
				}
				if first.closes.Load() != 1 || (*attempts)[0].Err() == nil {
					t.Errorf("the discarded response was closed %d times, its context: %v", first.closes.Load(), (*attempts)[0].Err())
				}
				if second.left != row.n || second.closes.Load() != 0 || (*attempts)[1].Err() != nil {
					t.Error("the response that was returned is not as it came")
				}
				if took < row.took || took > row.took+10*time.Millisecond {
					t.Errorf("took %v, want %v", took, row.took)
				}
				resp.Body.Close()
			})
		})
	}
}

// A base that has handed its context on answers after the limit: its body is dead, so it is no answer.
func TestAResponseThatComesAfterTheLimitIsDiscarded(t *testing.T) {
	for limit, cfg := range map[string]func(*httpx.ClientConfig){
		"attempt": func(c *httpx.ClientConfig) { c.AttemptTimeout = time.Second },
		"total":   func(c *httpx.ClientConfig) { c.Timeout = time.Second },
	} {
		t.Run(limit, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := []*countedBody{}
				c := quick()
				cfg(&c)
				n, stats, resp, err := tried(t, c, func(r *http.Request) (*http.Response, error) {
					_ = r.Context().Done()
					time.Sleep(1500 * time.Millisecond)
					resp := response(200, "")
					all = append(all, newCountedBody("late"))
					resp.Body, resp.ContentLength = all[len(all)-1], 4
					return resp, nil
				}, newRequest(t, "POST", ""))
				if n != 1 || resp != nil {
					t.Errorf("%d attempts, %v", n, resp)
				}
				checkOurLimit(t, err)
				checkOutcome(t, stats, seawall.Failure, 1)
				for _, b := range all {
					if b.closes.Load() != 1 || b.reads.Load() != 0 {
						t.Errorf("the body was closed %d times, read %d times", b.closes.Load(), b.reads.Load())
					}
				}
			})
		})
	}
}

func TestALateResponseOfABaseThatDoesNotLookAtItsContextIsAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := quick()
		c.AttemptTimeout = time.Second
		n, stats, resp, err := tried(t, c, func(*http.Request) (*http.Response, error) {
			time.Sleep(1500 * time.Millisecond)
			return response(200, "late"), nil
		}, newRequest(t, "GET", ""))
		if n != 1 || err != nil || resp.StatusCode != 200 {
			t.Errorf("%d attempts, %v, %v", n, resp, err)
		}
		checkOutcome(t, stats, seawall.Success, 1)
		if stats.Slow != 1 {
			t.Error("it does not count as slow")
		}
	})
}

func TestALongResponseIsNotDrainedIfItSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []*slowBody
		tr := httpx.NewTransport("test", quick(), roundTripper(func(r *http.Request) (*http.Response, error) {
			resp := response(503, "")
			all = append(all, &slowBody{ctx: r.Context(), left: 10})
			resp.Body, resp.ContentLength = all[len(all)-1], httpx.DrainBytes+1
			return resp, nil
		}))
		resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		for i, b := range all {
			if b.left != 10 || b.closes.Load() != 1 {
				t.Errorf("response %d: %d bytes left, closed %d times", i, b.left, b.closes.Load())
			}
		}
	})
}

// T13, T58: whose limit it was, by the error that the caller sees and by what the breaker counts.
func TestItIsToldWhoseTimeWasUp(t *testing.T) {
	left := errors.New("the caller has left")
	type want struct {
		took     time.Duration
		attempts int
		outcome  seawall.Outcome
		matches  []error
		not      []error
	}
	var (
		ours    = timeout.ErrExceeded
		callers = []error{context.DeadlineExceeded, context.Canceled}
	)
	for _, row := range []struct {
		name string
		cfg  func(*httpx.ClientConfig)
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		base func(*http.Request) error // how a base says that its context has ended
		want want
	}{
		{
			name: "attempt limit",
			want: want{took: 30 * time.Second, attempts: 3, outcome: seawall.Failure, matches: []error{ours}, not: callers},
			cfg:  func(c *httpx.ClientConfig) { c.Timeout = time.Minute },
		},
		{
			name: "attempt limit, and a base that says only that it was canceled",
			want: want{took: 30 * time.Second, attempts: 3, outcome: seawall.Failure, matches: []error{ours}, not: callers},
			cfg:  func(c *httpx.ClientConfig) { c.Timeout = httpx.Off },
			base: func(r *http.Request) error { return r.Context().Err() },
		},
		{
			name: "total limit in the first attempt",
			want: want{took: 5 * time.Second, attempts: 1, outcome: seawall.Failure, matches: []error{ours}, not: callers},
			cfg:  func(c *httpx.ClientConfig) { c.Timeout = 5 * time.Second },
		},
		{
			name: "total limit in the second attempt",
			want: want{took: 15 * time.Second, attempts: 2, outcome: seawall.Failure, matches: []error{ours}, not: callers},
			cfg:  func(c *httpx.ClientConfig) { c.Timeout = 15 * time.Second },
		},
		{
			name: "total limit without an attempt limit",
			want: want{took: 30 * time.Second, attempts: 1, outcome: seawall.Failure, matches: []error{ours}, not: callers},
			cfg:  func(c *httpx.ClientConfig) { c.AttemptTimeout = httpx.Off },
		},
		{
			name: "the caller's deadline",
			want: want{
				took: 3 * time.Second, attempts: 1, outcome: seawall.Failure,
				matches: []error{context.DeadlineExceeded}, not: []error{ours, retry.ErrOutOfTime},
			},
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 3*time.Second)
			},
		},
		{
			name: "the caller's deadline in the second attempt",
			want: want{
				took: 13 * time.Second, attempts: 2, outcome: seawall.Failure,
				matches: []error{context.DeadlineExceeded, ours}, // the first attempt ended by our limit
			},
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 13*time.Second)
			},
		},
		{
			name: "the caller leaves",
			want: want{
				took: 3 * time.Second, attempts: 1, outcome: seawall.Ignored,
				matches: []error{context.Canceled}, not: []error{ours, context.DeadlineExceeded},
			},
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(3*time.Second, cancel)
				return ctx, cancel
			},
		},
		{
			name: "the caller leaves with a cause, and the base does not say so",
			want: want{
				took: 3 * time.Second, attempts: 1, outcome: seawall.Ignored,
				matches: []error{left}, not: []error{ours, context.DeadlineExceeded},
			},
			base: func(*http.Request) error { return errors.New("use of closed connection") },
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(3*time.Second, func() { cancel(left) })
				return ctx, func() { cancel(nil) }
			},
		},
		{
			name: "the caller was gone before",
			want: want{
				took: 0, attempts: 0, outcome: seawall.Ignored,
				matches: []error{context.Canceled}, not: []error{ours},
			},
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				cancel()
				return ctx, cancel
			},
		},
		{
			name: "a cause that is a limit of somebody further out",
			want: want{
				took: 3 * time.Second, attempts: 1, outcome: seawall.Failure,
				matches: []error{ours}, not: []error{context.Canceled},
			},
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeoutCause(ctx, 3*time.Second, &timeout.ExceededError{Name: "outer", Limit: 3 * time.Second})
			},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := quick()
				if row.cfg != nil {
					row.cfg(&cfg)
				}
				ctx := context.Background()
				if row.ctx != nil {
					var cancel context.CancelFunc
					ctx, cancel = row.ctx(ctx)
					defer cancel()
				}
				hang := func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					if row.base != nil {
						return nil, row.base(r)
					}
					return nil, context.Cause(r.Context())
				}
				start := time.Now()
				n, stats, resp, err := tried(t, cfg, hang, newRequest(t, "GET", "").WithContext(ctx))
				if resp != nil || err == nil {
					t.Fatalf("ended with %v, %v", resp, err)
				}
				// The waits between the attempts are a millisecond each.
				if took := time.Since(start).Round(time.Second); took != row.want.took || n != row.want.attempts {
					t.Errorf("%d attempts in %v, want %d in %v", n, took, row.want.attempts, row.want.took)
				}
				for _, e := range row.want.matches {
					if !errors.Is(err, e) {
						t.Errorf("%v does not match %v", err, e)
					}
				}
				for _, e := range row.want.not {
					if errors.Is(err, e) {
						t.Errorf("%v matches %v", err, e)
					}
				}
				if n > 0 && row.want.outcome == seawall.Ignored {
					checkOutcome(t, stats, seawall.Ignored, n)
				} else if stats.Calls.Failures != int64(n) {
					t.Errorf("the breaker counted %+v for %d attempts", stats.Calls, n)
				}
			})
		})
	}
}

// An http.Client asks its transport's error, and nothing inside of that, whether it is a timeout.
func TestTheClientsErrorSaysWhetherItIsATimeout(t *testing.T) {
	hang := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	boom := func(*http.Request) (*http.Response, error) { return nil, errors.New("boom") }
	second := seawall.ErrRejected // what the second attempt of hangOnce meets
	hangOnce := func(r *http.Request) (*http.Response, error) {
		if seawall.Attempt(r.Context()) > 1 {
			return nil, second
		}
		return hang(r)
	}
	for _, row := range []struct {
		name string
		cfg  httpx.ClientConfig
		base roundTripper
		want bool
	}{
		{"total limit", httpx.ClientConfig{Timeout: time.Second}, hang, true},
		{"attempt limit", httpx.ClientConfig{AttemptTimeout: time.Second}, hang, true},
		{"attempt limit, one attempt", httpx.ClientConfig{
			AttemptTimeout: time.Second, Retry: retry.Config{MaxAttempts: 1},
		}, hang, true},
		{"another error", httpx.ClientConfig{}, boom, false},
		{"another error after a timeout", httpx.ClientConfig{AttemptTimeout: time.Second}, hangOnce, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				row.cfg.Registry = quiet()
				client := &http.Client{Transport: httpx.NewTransport("test", row.cfg, row.base)}
				resp, err := client.Do(newRequest(t, "GET", ""))
				if err == nil {
					resp.Body.Close()
				}
				if e, ok := errors.AsType[net.Error](err); !ok || e.Timeout() != row.want {
					t.Errorf("Timeout() of %v is not %v", err, row.want)
				}
			})
		})
	}
}

// T18
func TestAServersHintIsObeyedCappedAndNotSleptInVain(t *testing.T) {
	for _, row := range []struct {
		name, hint string
		limit      time.Duration // of the caller, 0 for none
		attempts   int
		took       time.Duration // but for what is added at random, a tenth at most
	}{
		{"seconds", "2", 0, 3, 4 * time.Second},
		{"the past", "Wed, 04 Mar 1998 12:00:30 GMT", 0, 3, 0},
		{"garbage", "soon", 0, 3, 0},
		{"an hour, with a second left", "3600", time.Second, 1, 0},
		{"an hour, capped by half a minute, with half a minute for all", "3600", 0, 1, 0},
		{"as long as there is time", "20", 0, 2, 20 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, record := seawall.WithRecord(context.Background())
				if row.limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, row.limit)
					defer cancel()
				}
				start := time.Now()
				n, _, resp, err := tried(t, quick(), func(*http.Request) (*http.Response, error) {
					resp := response(503, "why")
					resp.Header.Set("Retry-After", row.hint)
					return resp, nil
				}, newRequest(t, "GET", "").WithContext(ctx))
				if err != nil || resp.StatusCode != 503 {
					t.Fatalf("ended with %v, %v, want the response", resp, err)
				}
				took := time.Since(start)
				if most := row.took*11/10 + 10*time.Millisecond; n != row.attempts || took < row.took || took > most {
					t.Errorf("%d attempts in %v, want %d in %v", n, took, row.attempts, row.took)
				}
				if row.hint == "3600" && record.Facts().ServerDelay != time.Hour {
					t.Errorf("the record has a delay of %v", record.Facts().ServerDelay)
				}
			})
		})
	}
}

// What is said to the server is true when it is said.
func TestEachAttemptTellsItsNumberAndTheTimeThatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		cfg := quick()
		cfg.Timeout = 25 * time.Second
		_, _, _, _ = tried(t, cfg, func(r *http.Request) (*http.Response, error) {
			h := r.Header
			got = append(got, h.Get("X-Request-Timeout-Ms")+" "+h.Get("Seawall-Attempt")+" "+h.Get("Seawall-Priority"))
			if n := seawall.Attempt(r.Context()); n != len(got) {
				t.Errorf("the context says attempt %d", n)
			}
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		}, newRequest(t, "GET", "").WithContext(seawall.WithPriority(t.Context(), seawall.CriticalPlus)))
		want := "24950  critical-plus|14940 2 critical-plus|4940 3 critical-plus"
		if strings.Join(got, "|") != want {
			t.Errorf("sent %q, want %q", strings.Join(got, "|"), want)
		}
	})
}
