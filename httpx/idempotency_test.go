package httpx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/timeout"
)

func ExampleIdempotency() {
	orders := 0
	create := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		orders++
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "order %d", orders)
	})
	keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{
		Tenant:   func(r *http.Request) string { return r.Header.Get("X-Customer") }, // what was authenticated
		Required: httpx.KeyRequired,
	})
	handler := keys.Handler(create)

	for _, key := range []string{"8e03978e", "8e03978e", "", "f1a2"} {
		r := httptest.NewRequest(http.MethodPost, "/orders", strings.NewReader("1 ticket"))
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Printf("%d %s, replayed: %t\n", w.Code, strings.TrimSpace(w.Body.String()), w.Header().Get("Idempotent-Replayed") == "true")
	}
	// Output:
	// 201 order 1, replayed: false
	// 201 order 1, replayed: true
	// 400 Idempotency-Key: missing, replayed: false
	// 201 order 2, replayed: false
}

func ExampleFinal() {
	charge := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpx.Final(r.Context()) // from here on, money may have moved
		http.Error(w, "charged, but no receipt", http.StatusInternalServerError)
	})
	handler := httpx.NewIdempotency("charges", httpx.IdempotencyConfig{Tenant: httpx.OneTenant}).Handler(charge)
	for range 2 {
		r := httptest.NewRequest(http.MethodPost, "/charges", nil)
		r.Header.Set("Idempotency-Key", "8e03978e")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Printf("%d %s, replayed: %t\n", w.Code, w.Header().Get("Seawall-Pushback"), w.Header().Get("Idempotent-Replayed") == "true")
	}
	// Output:
	// 500 final, replayed: false
	// 500 final, replayed: true
}

func TestIdempotencyConfigIsValidated(t *testing.T) {
	ok := httpx.IdempotencyConfig{Tenant: httpx.OneTenant}
	for want, change := range map[string]func(*httpx.IdempotencyConfig){
		`Field is "a b", want the name of an HTTP field`:  func(c *httpx.IdempotencyConfig) { c.Field = "a b" },
		`Pushback is "a b", want the name of an HTTP fie`: func(c *httpx.IdempotencyConfig) { c.Pushback = "a b" },
		"Lease is 10ms, want 1s to 24h":                   func(c *httpx.IdempotencyConfig) { c.Lease = 10 * time.Millisecond },
		"Keep is 2400h0m0s, want 1s to 2160h":             func(c *httpx.IdempotencyConfig) { c.Keep = 2400 * time.Hour },
		"MaxBody is -1, want at least 1":                  func(c *httpx.IdempotencyConfig) { c.MaxBody = -1 },
		"MaxAnswer is -1, want at least 1":                func(c *httpx.IdempotencyConfig) { c.MaxAnswer = -1 },
		"StoreTimeout is 1h0m0s, want 1ms to 1m":          func(c *httpx.IdempotencyConfig) { c.StoreTimeout = time.Hour },
		"OnStoreError is StoreErrorAction(9), want refus": func(c *httpx.IdempotencyConfig) { c.OnStoreError = 9 },
		"Tenant is nil, want a function":                  func(c *httpx.IdempotencyConfig) { c.Tenant = nil },
	} {
		cfg := ok
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), "httpx: IdempotencyConfig."+want) {
			t.Errorf("got %v, want %s", err, want)
		}
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); !strings.HasPrefix(v, "httpx: ") {
					t.Errorf("New panics with %v", v)
				}
			}()
			httpx.NewIdempotency("x", cfg)
		}()
	}
	if err := ok.Validate(); err != nil {
		t.Error(err)
	}
}

func TestIdempotencyConfigIsReadBackAndUpdated(t *testing.T) {
	var log bytes.Buffer
	registry := &seawall.Registry{}
	registry.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: registry})
	cfg := keys.Config()
	if cfg.Lease != time.Minute || cfg.Keep != 24*time.Hour || cfg.MaxBody != 1<<20 || cfg.MaxAnswer != 256<<10 ||
		cfg.StoreTimeout != time.Second || cfg.OnStoreError != httpx.StoreErrorRefuse || cfg.Store == nil {
		t.Errorf("%+v", cfg)
	}
	var fromFile httpx.IdempotencyConfig
	if err := json.Unmarshal([]byte(`{"keep": 3600000000000, "on_store_error": "run", "pushback": "x-repeat"}`), &fromFile); err != nil {
		t.Fatal(err)
	}
	if err := keys.Update(fromFile); err != nil {
		t.Fatal(err)
	}
	if got := keys.Config(); got.Keep != time.Hour || got.OnStoreError != httpx.StoreErrorRun || got.Pushback != "X-Repeat" || got.Tenant == nil || got.Store != cfg.Store {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(log.String(), `seawall.config.updated`) || !strings.Contains(log.String(), "pushback keep on_store_error") {
		t.Errorf("logged: %s", log.String())
	}
	if err := keys.Update(httpx.IdempotencyConfig{Lease: -1}); err == nil || keys.Config().Keep != time.Hour {
		t.Errorf("an update that is not valid: %v, %+v", err, keys.Config())
	}
	if keys.String() != `idempotency "orders"` || keys.Name() != "orders" {
		t.Error(keys)
	}
	if !fromFile.Equal(httpx.IdempotencyConfig{Keep: time.Hour, OnStoreError: httpx.StoreErrorRun, Lease: time.Minute, Pushback: "X-Repeat"}) ||
		fromFile.Equal(httpx.IdempotencyConfig{}) {
		t.Error("Equal does not go by the meaning")
	}
	if err := json.Unmarshal([]byte(`{"on_store_error": "maybe"}`), &fromFile); err == nil {
		t.Error("an action that does not exist is read")
	}
	if text, err := httpx.StoreErrorRun.MarshalText(); err != nil || string(text) != "run" {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := httpx.StoreErrorAction(9).MarshalText(); err == nil {
		t.Error("an action that does not exist is written")
	}
}

func TestIdempotencyIsInTheRegistryWithItsCounts(t *testing.T) {
	registry := quiet()
	store := &flakyStore{IdempotencyStore: httpx.NewMemoryStore(httpx.MemoryStoreConfig{})}
	keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: registry, Store: store})
	handler := keys.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201) }))
	keyed(handler, "k")
	keyed(handler, "k")
	keyed(handler, `"`)
	store.fails("all")
	keyed(handler, "l")
	snapshots := registry.Snapshots()
	if len(snapshots) != 1 {
		t.Fatalf("%+v", snapshots)
	}
	s := snapshots[0]
	values := map[string]float64{}
	for _, v := range s.Values {
		values[v.Name] = v.V
	}
	if s.Kind != "idempotency" || s.Name != "orders" || s.State != "store_lost" || values["requests.new"] != 1 ||
		values["requests.replayed"] != 1 || values["malformed"] != 1 || values["store_errors"] != 1 {
		t.Errorf("%+v", s)
	}
	store.fails("")
	keyed(handler, "l")
	if got := keys.Snapshot().State; got != "ready" {
		t.Errorf("state %q", got)
	}
}

func TestStoreThatIsLostIsToldOnceAndWithoutItsSecrets(t *testing.T) {
	var log bytes.Buffer
	registry := &seawall.Registry{}
	registry.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	store := &flakyStore{IdempotencyStore: httpx.NewMemoryStore(httpx.MemoryStoreConfig{})}
	handler := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{
		Tenant: httpx.OneTenant, Registry: registry, Store: store,
	}).Handler(http.NotFoundHandler())
	for i := range 6 {
		store.fails(map[bool]string{true: "all"}[i < 3])
		keyed(handler, fmt.Sprint("secret-", i))
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "level=WARN msg=seawall.idempotency.store_lost name=orders error_type=other") ||
		!strings.Contains(lines[1], "level=INFO msg=seawall.idempotency.store_restored name=orders") ||
		strings.Contains(log.String(), "secret") {
		t.Errorf("logged:\n%s", log.String())
	}
}

// keyed sends a request with a key to a handler in memory.
func keyed(h http.Handler, key string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Idempotency-Key", key)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHandlersContextEndsWithItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: quiet()})
		start := time.Now()
		keyed(keys.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush() // which lifts a limit of the server, and not the lease
			<-r.Context().Done()
			if d := time.Since(start); d != time.Minute {
				t.Errorf("after %v", d)
			}
			if err := r.Context().Err(); err != context.DeadlineExceeded || !errors.Is(context.Cause(r.Context()), timeout.ErrExceeded) {
				t.Errorf("%v, because of %v", err, context.Cause(r.Context()))
			}
		})), "k")
	})
}

func TestHandlerOutOfTimeFreesItsKeyAndALateAnswerIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: quiet()})
		runs := 0
		h := httpx.NewHandler("api", httpx.ServerConfig{
			TimeLimit: httpx.TimeLimitConfig{FirstByte: time.Second},
			Inner:     []func(http.Handler) http.Handler{keys.Handler},
			Registry:  quiet(),
		}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			if runs++; runs > 1 {
				w.WriteHeader(http.StatusCreated)
			}
		}))
		if w := keyed(h, "k"); w.Code != 503 {
			t.Errorf("out of time: %d", w.Code)
		}
		if w := keyed(h, "k"); w.Code != 503 {
			t.Errorf("late: %d", w.Code)
		}
		if w := keyed(h, "k"); w.Code != 201 || w.Header().Get("Idempotent-Replayed") != "true" || runs != 2 {
			t.Errorf("the repeat gets %d, %v, after %d runs", w.Code, w.Header(), runs)
		}
	})
}

// Each call of a store that hangs is given up after its time, by the keys themselves: no other limit is near.
func TestAStoreThatHangsHoldsNoRequestLongerThanItsTime(t *testing.T) {
	for _, row := range []struct {
		call   string
		serve  http.HandlerFunc
		status int
	}{
		{"begin", ok, 503},
		{"finish", ok, 200},
		{"release", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 500},
	} {
		t.Run(row.call, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &hangingStore{httpx.NewMemoryStore(httpx.MemoryStoreConfig{}), row.call}
				keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{
					Tenant: httpx.OneTenant, Store: store, StoreTimeout: 3 * time.Second, Registry: quiet(),
				})
				start := time.Now()
				w := keyed(keys.Handler(row.serve), "k")
				if took := time.Since(start); w.Code != row.status || took != 3*time.Second || keys.Stats().StoreErrors != 1 {
					t.Errorf("%d after %v, %+v; want %d after 3s", w.Code, took, keys.Stats(), row.status)
				}
			})
		})
	}
}

// hangingStore has a call that takes an hour, unless it is given up.
type hangingStore struct {
	httpx.IdempotencyStore
	call string
}

func (s *hangingStore) hang(ctx context.Context, call string) error {
	if call != s.call {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Hour):
		return nil
	}
}

func (s *hangingStore) Begin(ctx context.Context, l httpx.Lease) (httpx.Claim, error) {
	if err := s.hang(ctx, "begin"); err != nil {
		return httpx.Claim{}, err
	}
	return s.IdempotencyStore.Begin(ctx, l)
}

func (s *hangingStore) Finish(ctx context.Context, l httpx.Lease, a httpx.StoredAnswer, keep time.Duration) error {
	if err := s.hang(ctx, "finish"); err != nil {
		return err
	}
	return s.IdempotencyStore.Finish(ctx, l, a, keep)
}

func (s *hangingStore) Release(ctx context.Context, l httpx.Lease) error {
	if err := s.hang(ctx, "release"); err != nil {
		return err
	}
	return s.IdempotencyStore.Release(ctx, l)
}

// A handler that has done its work and returns has answered, whether its client has waited for that or not.
func TestAClientThatLeavesDoesNotHaveItsOrderMadeTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, in := range map[string]func(http.Handler) http.Handler{
			"alone": func(next http.Handler) http.Handler { return next },
			"behind a Handler": func(next http.Handler) http.Handler {
				return httpx.NewHandler("api", httpx.ServerConfig{Registry: quiet()}, next)
			},
		} {
			keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: quiet()})
			charged := 0
			leave := func() {}
			h := in(keys.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				leave()
				synctest.Wait() // until all have seen it
				charged++
			})))
			r := httptest.NewRequest("POST", "/", strings.NewReader("1 ticket"))
			r.Header.Set("Idempotency-Key", "k")
			ctx, cancel := context.WithCancel(t.Context())
			leave = cancel
			serveOne(h, r.WithContext(ctx))
			r.Body = io.NopCloser(strings.NewReader("1 ticket"))
			w := serveOne(h, r)
			if w.Code != 200 || w.Header().Get("Idempotent-Replayed") != "true" || charged != 1 {
				t.Errorf("%s: the repeat gets %d, %v, and there are %d charges", name, w.Code, w.Header(), charged)
			}
		}
	})
}

func TestKeyThatCannotBeFreedIsFreeWhenTheLeaseIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &flakyStore{IdempotencyStore: httpx.NewMemoryStore(httpx.MemoryStoreConfig{})}
		status := 503
		h := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{
			Tenant: httpx.OneTenant, Registry: quiet(), Store: store,
		}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		store.fails("release")
		for i, want := range []int{503, 409, 201} {
			if w := keyed(h, "k"); w.Code != want {
				t.Errorf("request %d: %d, want %d", i, w.Code, want)
			}
			status = 201
			time.Sleep(45 * time.Second)
		}
	})
}

// Both sides together, on a network that loses answers after the work is done.
func TestAnswersThatAreLostMakeOneOrderEach(t *testing.T) {
	var orders atomic.Int64
	faults := fault.New("network", fault.Config{Registry: quiet(), Plan: fault.Plan{Seed: 3, Faults: []fault.Fault{
		{For: time.Hour, Kind: fault.AckLost, Target: "orders", Toxicity: 0.5},
	}}})
	keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{
		Tenant: httpx.OneTenant, Required: httpx.KeyRequired, Registry: quiet(),
	})
	srv := httptest.NewUnstartedServer(faults.Point("orders").Handler(keys.Handler(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "order ", orders.Add(1)) }))))
	srv.Config.ErrorLog = discardLog
	srv.Start()
	defer srv.Close()
	if err := faults.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer faults.Stop()
	cfg := quick()
	cfg.Retry.MaxAttempts = 20
	cfg.Keys = httpx.QuotedKeys
	client := httpx.NewClient("orders", cfg)
	defer client.CloseIdleConnections()
	seen := map[string]bool{}
	for range 50 {
		resp, err := client.Post(srv.URL, "text/plain", strings.NewReader("1 ticket"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || seen[string(body)] {
			t.Fatalf("%d %q, %v, after %v", resp.StatusCode, body, err, seen)
		}
		seen[string(body)] = true
	}
	if s := keys.Stats(); orders.Load() != 50 || s.New != 50 || s.Replayed < 10 {
		t.Errorf("50 calls made %d orders: %+v", orders.Load(), s)
	}
}

func TestDigestTellsEntriesApart(t *testing.T) {
	seen := map[[32]byte]httpx.IdempotencyEntry{}
	for _, e := range []httpx.IdempotencyEntry{
		{},
		{Tenant: "a"},
		{Method: "a"},
		{Route: "a"},
		{Key: "a"},
		{Tenant: "a", Method: "b"},
		{Tenant: "ab"},
		{Method: "ab"},
		{Tenant: "\x01a"},
		{Tenant: "a", Key: "b"},
		{Route: "a", Key: "b"},
	} {
		if other, ok := seen[e.Digest()]; ok {
			t.Errorf("%+v and %+v", e, other)
		}
		seen[e.Digest()] = e
	}
}

// FuzzIdempotencyKey: whatever a client sends is one key or none, and its quoted form is the same one.
func FuzzIdempotencyKey(f *testing.F) {
	for _, key := range []string{`k`, `"k"`, `"a\"b"`, `"`, `""`, `"a";b=1`, `a,b`, ` k `, `"\\"`, "ü", `"k`, `?1`, `:YQ==:`, "a\x00"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, value string) {
		key, problem := httpx.ParseKey([]string{value})
		if (key == "") != (problem != "") {
			t.Fatalf("%q: key %q and problem %q", value, key, problem)
		}
		if problem != "" {
			return
		}
		if len(key) > 255 || strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Fatalf("%q is taken as %q", value, key)
		}
		quoted, err := httpsfv.Marshal(httpsfv.NewItem(key))
		if err != nil {
			t.Fatal(err)
		}
		if again, problem := httpx.ParseKey([]string{quoted}); again != key || problem != "" {
			t.Fatalf("%q is %q, and %s is %q, %s", value, key, quoted, again, problem)
		}
	})
}

// What belongs to one connection is not kept, in whatever case it is written.
func TestFieldsOfOneConnectionAreNotReplayed(t *testing.T) {
	h := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: quiet()}).Handler(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			header := w.Header()
			header.Set("Connection", "x-hop, close")
			header.Set("X-Hop", "1")
			header.Set("Date", "Mon, 01 Jan 2001 00:00:00 GMT")
			header["content-length"] = []string{"2"}
			header["keep-alive"] = []string{"timeout=5"}
			header.Set("X-End", "1")
			_, _ = io.WriteString(w, "ok")
		}))
	keyed(h, "k")
	again := keyed(h, "k").Header()
	for _, name := range []string{"Connection", "X-Hop", "Date", "content-length", "keep-alive"} {
		if again[name] != nil {
			t.Errorf("%s is replayed: %q", name, again[name])
		}
	}
	if again.Get("X-End") != "1" || again.Get("Idempotent-Replayed") != "true" || again.Get("Content-Length") != "2" {
		t.Errorf("%v", again)
	}
}

// badStore finds an answer that no server can send.
type badStore struct {
	httpx.IdempotencyStore
	status int
}

func (s badStore) Begin(context.Context, httpx.Lease) (httpx.Claim, error) {
	return httpx.Claim{State: httpx.ClaimDone, Answer: httpx.StoredAnswer{Status: s.status}}, nil
}

func TestStoreWithAnAnswerThatCannotBeSentHasFailed(t *testing.T) {
	for status, want := range map[int]int{0: 503, 101: 503, 1000: 503, 200: 200, 999: 999} {
		h := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{
			Tenant: httpx.OneTenant, Registry: quiet(), Store: badStore{status: status},
		}).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") }))
		if w := keyed(h, "k"); w.Code != want {
			t.Errorf("%d is answered with %d", status, w.Code)
		}
	}
}

// A stream that outlives its lease has gone out already: the answer of the next owner is not appended to it.
func TestStreamOfALateOwnerIsLeftAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		h := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{
			Tenant: httpx.OneTenant, Registry: quiet(), Lease: time.Second,
		}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if runs.Add(1) > 1 {
				_, _ = io.WriteString(w, "second")
				return
			}
			_, _ = io.WriteString(w, "first")
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Second)
		}))
		late := make(chan string)
		go func() { late <- keyed(h, "k").Body.String() }()
		time.Sleep(5 * time.Second)
		if got := keyed(h, "k").Body.String(); got != "second" {
			t.Errorf("the next owner's client gets %q", got)
		}
		if got := <-late; got != "first" {
			t.Errorf("the late owner's client gets %q", got)
		}
	})
}

// A client that leaves while the store is asked says nothing about the store.
func TestClientThatLeavesIsNoErrorOfTheStore(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	leave()
	keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: quiet()})
	r := httptest.NewRequestWithContext(ctx, "POST", "/", nil)
	r.Header.Set("Idempotency-Key", "k")
	serveOne(keys.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a handler ran") })), r)
	if s := keys.Stats(); s.StoreErrors != 0 || keys.Snapshot().State != "ready" {
		t.Errorf("%+v, %s", s, keys.Snapshot().State)
	}
}
