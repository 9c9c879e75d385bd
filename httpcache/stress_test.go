package httpcache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpcache"
)

// slowBody comes in over some time, and may break.
type slowBody struct {
	left   int
	chunk  int
	wait   time.Duration
	broken bool
	ctx    func() error
	closed *atomic.Int64
}

func (b *slowBody) Read(p []byte) (int, error) {
	time.Sleep(b.wait)
	switch {
	case b.ctx() != nil:
		return 0, b.ctx()
	case b.left == 0 && b.broken:
		return 0, io.ErrUnexpectedEOF
	case b.left == 0:
		return 0, io.EOF
	}
	n := min(b.left, b.chunk, len(p))
	for i := range n {
		p[i] = 'x'
	}
	b.left -= n
	return n, nil
}

func (b *slowBody) Close() error {
	b.closed.Add(1)
	return nil
}

// Callers come, leave at any moment, close early or read to the end, while the origin is slow, fails, breaks off or
// changes its mind. In the end nothing is left: no request, no byte that is counted, no body that is open.
func TestNothingIsLeftWhateverCallersAndOriginDo(t *testing.T) {
	seeds := 20
	if testing.Short() {
		seeds = 10
	}
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) { stress(t, seed) })
	}
}

func stress(t *testing.T, seed uint64) {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 3))
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n)
	}
	pick := func(of ...string) string { return of[draw(len(of))] }
	ms := func(n int) time.Duration { return time.Duration(draw(n)) * time.Millisecond }
	var opened, closed atomic.Int64
	base := roundTripper(func(req *http.Request) (*http.Response, error) {
		select {
		case <-time.After(ms(40)):
		case <-req.Context().Done():
			return nil, context.Cause(req.Context())
		}
		if draw(10) == 0 {
			return nil, errDown
		}
		resp := &http.Response{StatusCode: 200, Header: http.Header{}, Request: req}
		resp.Header.Set("Cache-Control", pick("max-age=1", "max-age=0", "no-store", "max-age=1, stale-while-revalidate=2, stale-if-error=5", "no-cache"))
		resp.Header.Set("Date", httpDate(time.Now()))
		resp.Header.Set("ETag", `"v"`)
		if draw(3) == 0 {
			resp.Header.Set("Vary", "Foo")
		}
		switch {
		case draw(8) == 0:
			resp.StatusCode = http.StatusServiceUnavailable
		case req.Header.Get("If-None-Match") != "" && draw(2) == 0:
			resp.StatusCode, resp.Body = http.StatusNotModified, http.NoBody
			return resp, nil
		}
		length := draw(30_000)
		resp.ContentLength = int64(length)
		if draw(2) == 0 {
			resp.ContentLength = -1
		}
		opened.Add(1)
		resp.Body = &slowBody{
			left: length, chunk: 1 + draw(5000), wait: ms(8), broken: draw(8) == 0, closed: &closed,
			ctx: func() error { return context.Cause(req.Context()) },
		}
		return resp, nil
	})
	c := newCache(t, httpcache.Config{MaxBytes: 1 << 18, MaxObject: 20_000, RetryEvery: 10 * time.Millisecond}, base)
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			for range 25 {
				time.Sleep(ms(60))
				ctx, cancel := context.WithCancel(context.Background())
				switch draw(4) {
				case 0:
					time.AfterFunc(ms(60), cancel)
				case 1:
					ctx, cancel = context.WithTimeout(ctx, ms(60))
				}
				method := http.MethodGet
				if draw(15) == 0 {
					method = http.MethodPost
				}
				req := request(ctx, method, fmt.Sprintf("http://origin.example/%d", draw(3)), "Foo: "+pick("1", "2"))
				resp, err := c.RoundTrip(req)
				if err == nil {
					b, rerr := io.ReadAll(io.LimitReader(resp.Body, int64(1+draw(40_000))))
					if strings.Trim(string(b), "x") != "" {
						t.Errorf("seed %d: a wrong body", seed)
					}
					if rerr != nil && ctx.Err() == nil && !errors.Is(rerr, io.ErrUnexpectedEOF) {
						t.Errorf("seed %d: reading ended with %v", seed, rerr)
					}
					resp.Body.Close()
				} else if ctx.Err() == nil && !errors.Is(err, errDown) {
					t.Errorf("seed %d: %v", seed, err)
				}
				cancel()
			}
		})
	}
	all.Wait()
	time.Sleep(time.Minute)
	listed, refreshes := c.Fetches()
	s := c.Stats()
	if listed != 0 || refreshes != 0 || s.Incoming != 0 || s.Waiting != 0 || opened.Load() != closed.Load() {
		t.Errorf("seed %d: %d fetches, %d refreshes, %d bytes coming in, %d waiting, %d of %d bodies closed", seed,
			listed, refreshes, s.Incoming, s.Waiting, closed.Load(), opened.Load())
	}
	if n := s.Fresh + s.Stale + s.Miss + s.Errors + s.Passed; n != 12*25 {
		t.Errorf("seed %d: %d requests are counted, want %d: %+v", seed, n, 12*25, s)
	}
}
