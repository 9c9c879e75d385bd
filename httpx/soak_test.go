package httpx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

func oneOf[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// soaked is a configuration at random, of those that an Update may change into each other.
func soaked(r *rand.Rand) httpx.ClientConfig {
	cfg := quick()
	cfg.Timeout = oneOf(r, 200*time.Millisecond, time.Second)
	cfg.AttemptTimeout = oneOf(r, 20*time.Millisecond, 100*time.Millisecond, httpx.Off)
	cfg.AttemptSpan = oneOf(r, httpx.SpanHeaders, httpx.SpanFirstByte, httpx.SpanEnd)
	cfg.IdleTimeout = oneOf(r, httpx.Off, 50*time.Millisecond)
	cfg.Retry.MaxAttempts = oneOf(r, 1, 3)
	cfg.Retry.Backoff = retry.Backoff{Base: time.Millisecond, Max: 5 * time.Millisecond}
	cfg.Hedge = &hedge.Config{Delay: oneOf(r, time.Millisecond, 20*time.Millisecond), Cap: hedge.Cap{Ratio: 1, Burst: 100}}
	cfg.HedgeOtherConn = r.IntN(2) == 0
	cfg.Bulkhead.Limit = oneOf(r, 4, 32)
	cfg.Settle = oneOf(r, httpx.AtEnd, httpx.AtHeaders)
	cfg.ReplayBuffer = oneOf(r, 0, 1000, 100_000)
	return cfg
}

// soakedPlan is what the connections suffer, in an order at random.
func soakedPlan(r *rand.Rand) fault.Plan {
	plan := fault.Plan{Seed: r.Uint64()}
	for range 6 {
		f := fault.Fault{
			At: time.Duration(r.IntN(400)) * time.Millisecond, For: time.Duration(20+r.IntN(100)) * time.Millisecond,
			Target: "wire", Toxicity: 0.5, Stream: oneOf(r, fault.Upstream, fault.Downstream, fault.BothStreams),
		}
		switch f.Kind = oneOf(r, fault.ResetPeer, fault.LimitData, fault.HalfClose, fault.Stall, fault.Slicer, fault.Down); f.Kind {
		case fault.Slicer:
			f.AverageSize = 100
		case fault.Down:
			f.Stream = ""
		case fault.Stall:
		default:
			f.Bytes = oneOf[int64](r, 0, 1000, 20_000)
		}
		plan.Faults = append(plan.Faults, f)
	}
	return plan
}

// soakedHandler answers with the byte that the request asks for, so often as it says, in ways at random.
func soakedHandler(begun *sync.Map) act {
	return func(w http.ResponseWriter, r *http.Request) {
		n, _ := begun.LoadOrStore(r.Header.Get("X-Call"), new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
		size, _ := strconv.Atoi(r.Header.Get("X-Size"))
		text := bytes.Repeat([]byte(r.Header.Get("X-Text")), size)
		pause := func() { time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) }
		how := rand.IntN(8)
		if how != 0 {
			if sent, err := io.ReadAll(r.Body); err != nil || len(bytes.Trim(sent, "x")) > 0 {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
		switch how {
		case 1:
			code := [...]int{404, 421, 429, 503}[rand.IntN(4)]
			if code == http.StatusMisdirectedRequest { // which says that nothing was begun
				n.(*atomic.Int64).Add(-1)
			}
			w.WriteHeader(code)
			return
		case 2:
			panic(http.ErrAbortHandler)
		case 3:
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
			_, _ = w.Write(text[:len(text)/2])
			panic(http.ErrAbortHandler)
		case 4:
			pause()
		case 5:
			w.WriteHeader(http.StatusEarlyHints)
			pause()
		case 6:
			_, _ = w.Write(text[:len(text)/2])
			_ = http.NewResponseController(w).Flush()
			pause()
			text = text[len(text)/2:]
		}
		_, _ = w.Write(text)
	}
}

// T1, T2, T21, T31: calls of all kinds through connections that break, with another configuration every few milliseconds. What
// is looked at is what no single call shows: bodies that are closed once, answers that are right or end with an error,
// a POST without a key that is not begun twice, and nothing that is left when it is quiet.
func TestAClientSurvivesCallersFaultsAndUpdatesOfAllKinds(t *testing.T) {
	for _, p := range []protocol{http1, http2} {
		t.Run(string(p), func(t *testing.T) {
			seed := rand.Uint64()
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			})
			r := rand.New(rand.NewPCG(seed, 0))
			injector := fault.New("test", fault.Config{Plan: soakedPlan(r), Registry: quiet()})
			var begun sync.Map
			s := newSiteWith(t, p, soaked(r), func(s *site) { s.unread = true }, soakedHandler(&begun))
			s.base.DialContext = injector.Point("wire").Dial(s.base.DialContext)
			if err := injector.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			end := time.Now().Add(600 * time.Millisecond)
			var callers sync.WaitGroup
			for c := range 8 {
				r := rand.New(rand.NewPCG(seed, uint64(c+1)))
				callers.Go(func() {
					for i := 0; time.Now().Before(end); i++ {
						soakedCall(t, s, r, fmt.Sprint(c, "-", i), &begun)
					}
				})
			}
			for time.Now().Before(end) {
				time.Sleep(10 * time.Millisecond) // a real clock, for real sockets
				if err := s.tr.Update(soaked(r)); err != nil {
					t.Error(err)
				}
			}
			callers.Wait()
			injector.Stop()
			if open := s.tr.OpenBodies(); len(open) > 0 {
				t.Errorf("%v are open", open)
			}
			s.rest(t)
		})
	}
}

// soakedCall makes one call at random.
func soakedCall(t *testing.T, s *site, r *rand.Rand, id string, begun *sync.Map) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if r.IntN(4) == 0 {
		defer time.AfterFunc(time.Duration(r.IntN(40))*time.Millisecond, cancel).Stop()
	}
	method := oneOf(r, "GET", "POST", "PUT")
	var body *countedBody
	req, err := http.NewRequestWithContext(ctx, method, s.URL, nil)
	if err != nil {
		t.Error(err)
		return
	}
	if method != "GET" {
		sent := string(bytes.Repeat([]byte("x"), oneOf(r, 0, 100, 50_000)))
		body = newCountedBody(sent)
		req.Body = body
		if r.IntN(2) == 0 {
			req.GetBody = func() (io.ReadCloser, error) { return newCountedBody(sent), nil }
		}
	}
	size := oneOf(r, 0, 100, 50_000)
	text := string(rune('a' + r.IntN(26)))
	req.Header.Set("X-Call", id)
	req.Header.Set("X-Size", strconv.Itoa(size))
	req.Header.Set("X-Text", text)
	resp, err := s.tr.RoundTrip(req)
	if err == nil {
		if r.IntN(4) > 0 {
			got, err := io.ReadAll(resp.Body)
			if resp.StatusCode == 200 && (err == nil && len(got) != size || len(bytes.Trim(got, text)) > 0) {
				t.Errorf("%s: %d bytes of %d, %v", id, len(got), size, err)
			}
		}
		resp.Body.Close()
		req.Header.Set("X-Text", "!") // it is the caller's again
		req.URL.Path = "/again"
	} else if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, seawall.ErrLost) {
		t.Errorf("%s: %v", id, err)
	}
	for patience := time.Now().Add(5 * time.Second); body != nil && body.closes.Load() != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(patience) {
			t.Errorf("%s: the body of a %s was closed %d times", id, method, body.closes.Load())
			break
		}
	}
	if n, ok := begun.Load(id); ok && method == "POST" && n.(*atomic.Int64).Load() > 1 {
		t.Errorf("%s: a POST without a key was begun %d times", id, n.(*atomic.Int64).Load())
	}
}
