package httpx_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/internal/dice"
)

// deafStore looks at no context: a call of it takes as long as it takes.
type deafStore struct {
	httpx.IdempotencyStore
	takes func(call string) time.Duration
}

func (s *deafStore) Begin(ctx context.Context, l httpx.Lease) (httpx.Claim, error) {
	time.Sleep(s.takes("begin"))
	return s.IdempotencyStore.Begin(context.WithoutCancel(ctx), l)
}

func (s *deafStore) Finish(ctx context.Context, l httpx.Lease, a httpx.StoredAnswer, keep time.Duration) error {
	time.Sleep(s.takes("finish"))
	return s.IdempotencyStore.Finish(context.WithoutCancel(ctx), l, a, keep)
}

func (s *deafStore) Release(ctx context.Context, l httpx.Lease) error {
	time.Sleep(s.takes("release"))
	return s.IdempotencyStore.Release(context.WithoutCancel(ctx), l)
}

// deafKeys are keys in a store of which one call takes 20 s as long as it is deaf.
func deafKeys(call string, deaf *atomic.Bool) *httpx.Idempotency {
	return httpx.NewIdempotency("orders", httpx.IdempotencyConfig{
		Tenant: httpx.OneTenant, StoreTimeout: 3 * time.Second, Registry: quiet(),
		Store: &deafStore{httpx.NewMemoryStore(httpx.MemoryStoreConfig{}), func(c string) time.Duration {
			if c == call && deaf.Load() {
				return 20 * time.Second
			}
			return 0
		}},
	})
}

// The request is answered on time, and what the store does later is not lost, and runs no handler.
func TestAStoreThatIgnoresItsContextHoldsNoRequestLongerThanItsTime(t *testing.T) {
	for _, row := range []struct {
		call                string
		handler             int // the status of the first run
		first, during, then int
		runs                int
	}{
		{"begin", 201, 503, 503, 201, 1},
		{"finish", 201, 201, 409, 201, 1},
		{"release", 500, 500, 409, 201, 2},
	} {
		t.Run(row.call, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var deaf atomic.Bool
				deaf.Store(true)
				keys, runs, status := deafKeys(row.call, &deaf), 0, row.handler
				h := keys.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					runs++
					w.WriteHeader(status)
				}))
				ask := func(when string, want int, takes time.Duration) {
					start := time.Now()
					if w := keyed(h, "k"); w.Code != want || time.Since(start) != takes {
						t.Errorf("%s: %d after %v, want %d after %v", when, w.Code, time.Since(start), want, takes)
					}
				}
				ask("at first", row.first, 3*time.Second)
				if s := keys.Stats(); s.Overdue != 1 || s.StoreErrors != 1 {
					t.Errorf("%+v", s)
				}
				status = 201
				takes := time.Duration(0)
				if row.call == "begin" {
					takes = 3 * time.Second
				}
				ask("meanwhile", row.during, takes)
				deaf.Store(false)
				time.Sleep(time.Minute / 2)
				ask("then", row.then, 0)
				if s := keys.Stats(); s.Overdue != 0 || runs != row.runs {
					t.Errorf("%d handlers ran, want %d; %+v", runs, row.runs, s)
				}
			})
		})
	}
}

// However many requests come: the goroutines that a store holds are bounded, and when it goes on, so do the requests.
func TestAStoreThatIgnoresItsContextHoldsAtMost64Goroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var calls atomic.Int64
		keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{
			Tenant: httpx.OneTenant, Registry: quiet(),
			Store: &deafStore{httpx.NewMemoryStore(httpx.MemoryStoreConfig{}), func(c string) time.Duration {
				if c == "begin" {
					calls.Add(1)
					<-release
				}
				return 0
			}},
		})
		runs := 0
		h := keys.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			runs++
			w.WriteHeader(http.StatusCreated)
		}))
		for i := range 200 {
			start, want := time.Now(), time.Second
			if i >= 64 {
				want = 0
			}
			w := keyed(h, fmt.Sprint(i))
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || time.Since(start) != want {
				t.Fatalf("request %d: %d after %v, want 503 after %v", i, w.Code, time.Since(start), want)
			}
		}
		if n := goroutinesOfKeys(); calls.Load() != 64 || n != 64 || keys.Stats().Overdue != 64 {
			t.Errorf("%d calls, %d goroutines, %+v", calls.Load(), n, keys.Stats())
		}
		close(release)
		synctest.Wait()
		for i := range 200 {
			if w := keyed(h, fmt.Sprint(i)); w.Code != http.StatusCreated || w.Header().Get("Idempotent-Replayed") != "" {
				t.Fatalf("later: request %d: %d, %v", i, w.Code, w.Header())
			}
		}
		if s := keys.Stats(); s.Overdue != 0 || runs != 200 {
			t.Errorf("%d handlers ran, %+v", runs, s)
		}
	})
}

// goroutinesOfKeys counts those that are in an Idempotency, and so none of what an earlier test or the runtime has.
func goroutinesOfKeys() (n int) {
	buf := make([]byte, 4<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "httpx.(*Idempotency).") {
			n++
		}
	}
	return n
}

// The bound is on what begins. A handler that has run tells the store so however many calls are stuck there: when the store
// goes on it has the answer, without which a repeat would run the handler again behind the lease.
func TestAHandlerThatRanTellsAStoreThatIsStuckAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stuck atomic.Bool
		release, back := make(chan struct{}), make(chan struct{})
		keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{
			Tenant: httpx.OneTenant, Lease: time.Hour, Registry: quiet(),
			Store: &deafStore{httpx.NewMemoryStore(httpx.MemoryStoreConfig{}), func(string) time.Duration {
				if stuck.Load() {
					<-release
				}
				return 0
			}},
		})
		runs := 0
		h := keys.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			runs++
			<-back
			w.WriteHeader(http.StatusCreated)
		}))
		answered := make(chan int, 1)
		go func() { answered <- keyed(h, "charge").Code }()
		synctest.Wait()
		stuck.Store(true)
		for i := range 64 {
			if w := keyed(h, fmt.Sprint(i)); w.Code != http.StatusServiceUnavailable {
				t.Fatalf("request %d: %d", i, w.Code)
			}
		}
		close(back)
		if code := <-answered; code != http.StatusCreated || keys.Stats().Overdue != 65 {
			t.Errorf("it is answered with %d, %+v", code, keys.Stats())
		}
		stuck.Store(false)
		close(release)
		time.Sleep(2 * time.Hour) // behind the lease
		if w := keyed(h, "charge"); w.Code != http.StatusCreated || runs != 1 {
			t.Errorf("a repeat gets %d, and the handler ran %d times", w.Code, runs)
		}
	})
}

// A client that leaves does not wait for a store either, and leaves no claim behind.
func TestAClientThatLeavesADeafStoreLeavesNoClaimBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var deaf atomic.Bool
		deaf.Store(true)
		keys := deafKeys("begin", &deaf)
		runs := 0
		h := keys.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { runs++ }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/orders", strings.NewReader("{}"))
		r.Header.Set("Idempotency-Key", `"k"`)
		start := time.Now()
		serveOne(h, r)
		if took := time.Since(start); took != time.Second || keys.Stats().StoreErrors != 0 {
			t.Errorf("after %v, %+v", took, keys.Stats())
		}
		deaf.Store(false)
		time.Sleep(time.Minute / 2)
		if w := keyed(h, "k"); w.Code != http.StatusOK || runs != 1 {
			t.Errorf("the next one gets %d, after %d runs", w.Code, runs)
		}
	})
}

// T2, T3: a store is the user's. What it does in time goes on in the request; what it does later ends nothing.
func TestAStoreThatPanicsDoesSoInItsRequestOrNowhere(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("no store") }, "goexit": runtime.Goexit} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", late: ", late), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log syncBuffer
					registry := new(seawall.Registry)
					registry.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
					keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{
						Tenant: httpx.OneTenant, Registry: registry,
						Store: &deafStore{httpx.NewMemoryStore(httpx.MemoryStoreConfig{}), func(string) time.Duration {
							if late {
								time.Sleep(time.Minute)
							}
							leave()
							return 0
						}},
					})
					var w *httptest.ResponseRecorder
					var thrown any
					ended := make(chan struct{})
					go func() {
						defer close(ended)
						defer func() { thrown = recover() }()
						w = keyed(keys.Handler(http.HandlerFunc(ok)), "k")
					}()
					<-ended
					time.Sleep(2 * time.Minute)
					var passed *seawall.AttemptPanic
					if err, _ := thrown.(error); (name == "panic" && !late) != (errors.As(err, &passed) && passed.Value == "no store") {
						t.Errorf("it throws %v", thrown)
					}
					if answered := w != nil && w.Code == http.StatusServiceUnavailable; answered != late {
						t.Errorf("the answer is %v", w)
					}
					if told := strings.Contains(log.String(), "no store"); told != (late && name == "panic") {
						t.Errorf("the log has %s", log.String())
					}
					if n := keys.Stats().Overdue; n != 0 {
						t.Errorf("%d calls are overdue", n)
					}
				})
			})
		}
	}
}

// Whatever a store that looks at no context does when: a client that asks until it gets an answer has had one run.
func TestAStoreOfAnySpeedRunsNoHandlerTwice(t *testing.T) {
	for range 20 {
		seed := dice.Uint64()
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex // guards r and runs
			r, runs := rand.New(rand.NewPCG(seed, 0)), map[string]int{}
			keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{
				Tenant: httpx.OneTenant, StoreTimeout: time.Second, Lease: time.Hour, Registry: quiet(),
				Store: &deafStore{httpx.NewMemoryStore(httpx.MemoryStoreConfig{}), func(string) time.Duration {
					mu.Lock()
					defer mu.Unlock()
					return time.Duration(r.IntN(5)) * 500 * time.Millisecond // 1 s at the same instant as the end of its time
				}},
			})
			h := keys.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				runs[r.Header.Get("Idempotency-Key")]++
				mu.Unlock()
				w.WriteHeader(http.StatusCreated)
			}))
			var all sync.WaitGroup
			for i := range 40 {
				all.Go(func() {
					for range 1000 {
						if keyed(h, fmt.Sprint(i%10)).Code == http.StatusCreated {
							return
						}
						time.Sleep(time.Second)
					}
					t.Errorf("seed %d: no answer", seed)
				})
			}
			all.Wait()
			time.Sleep(time.Minute)
			for key, n := range runs {
				if n != 1 {
					t.Errorf("seed %d: the handler of %s ran %d times", seed, key, n)
				}
			}
			if len(runs) != 10 || keys.Stats().Overdue != 0 {
				t.Errorf("seed %d: %v, %+v", seed, runs, keys.Stats())
			}
		})
	}
}
