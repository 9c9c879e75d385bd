package httpx_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/timeout"
)

// serveOne runs one request through a handler.
func serveOne(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

func TestEachMiddlewareWorksAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		get := httptest.NewRequest("GET", "/", nil)
		registry := quiet()

		recovers := httpx.Recover("a", httpx.RecoverConfig{Registry: registry})
		w := serveOne(recovers(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })), get)
		if w.Code != 500 {
			t.Errorf("Recover: %d", w.Code)
		}

		late := get.Clone(t.Context())
		late.Header.Set("X-Request-Timeout-Ms", "100")
		w = serveOne(httpx.Inbound("a", httpx.InboundConfig{TrustPeer: httpx.TrustAll, Registry: registry})(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				left, _ := seawall.Remaining(r.Context())
				_, _ = io.WriteString(w, left.String())
			})), late)
		if w.Body.String() != "90ms" {
			t.Errorf("Inbound: %q", w.Body)
		}
		over, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		time.Sleep(time.Millisecond)
		refuse := map[string]func(http.Handler) http.Handler{
			"Inbound":   httpx.Inbound("b", httpx.InboundConfig{Registry: registry}),
			"TimeLimit": httpx.TimeLimit("b", httpx.TimeLimitConfig{Registry: registry}),
		}
		for name, m := range refuse {
			if w := serveOne(m(http.HandlerFunc(ok)), get.WithContext(over)); w.Code != 503 || w.Header().Get("Seawall-Pushback") != "refused" {
				t.Errorf("%s lets a request in whose time is over: %d, %v", name, w.Code, w.Header())
			}
		}

		quota := httpx.Quota("a", httpx.QuotaConfig{Limit: ratelimit.Config{Rate: 1}, Registry: registry})(http.HandlerFunc(ok))
		if a, b := serveOne(quota, get), serveOne(quota, get); a.Code != 200 || b.Code != 429 {
			t.Errorf("Quota: %d, %d", a.Code, b.Code)
		}

		admit := httpx.Admit("a", httpx.AdmissionConfig{Fixed: bulkhead.Config{Limit: 1, Mode: seawall.ForcedOpen}, Registry: registry})
		if w := serveOne(admit(http.HandlerFunc(ok)), get); w.Code != 503 {
			t.Errorf("Admit: %d", w.Code)
		}

		limit := httpx.TimeLimit("a", httpx.TimeLimitConfig{FirstByte: time.Second, Registry: registry})
		if w := serveOne(limit(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })), get); w.Code != 503 {
			t.Errorf("TimeLimit: %d", w.Code)
		}
		values := map[string]float64{}
		for _, s := range registry.Snapshots() {
			for _, v := range s.Values {
				values[s.Kind+"."+v.Name] += v.V
			}
		}
		if values["recovery.panics"] != 1 || values["timelimit.out_of_time"] != 1 || values["inbound.too_late"] != 1 {
			t.Errorf("the registry has %v", values)
		}
		runtime.KeepAlive([]any{recovers, refuse, admit, limit}) // the registry does not
	})
}

// An exempt route has no limit of ours, and the deadline of its peer all the same.
func TestExemptRoutesHaveNoLimitButThePeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := httpx.ServerConfig{Inbound: trusting(httpx.TrustAll), Registry: quiet()}
		cfg.TimeLimit = httpx.TimeLimitConfig{FirstByte: time.Second, Exempt: []string{"GET /export/"}}
		h := httpx.NewHandler("api", cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(time.Minute):
				ok(w, r)
			}
		}))
		peer := httptest.NewRequest("GET", "/export/a", nil)
		peer.Header.Set("X-Request-Timeout-Ms", "2000")
		for i, row := range []struct {
			r    *http.Request
			code int
			took time.Duration
		}{
			{httptest.NewRequest("GET", "/export/a", nil), 200, time.Minute},
			{httptest.NewRequest("POST", "/export/a", nil), 503, time.Second},
			{httptest.NewRequest("GET", "/other", nil), 503, time.Second},
			{peer, 503, 2 * time.Second},
		} {
			start := time.Now()
			if w := serveOne(h, row.r); w.Code != row.code || time.Since(start) != row.took {
				t.Errorf("%d: %d after %v, want %d after %v", i, w.Code, time.Since(start), row.code, row.took)
			}
		}
	})
}

// Two limits, one inside the other: the smaller one holds, whichever it is.
func TestLimitsInsideLimitsComeToTheSmallest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct{ outer, inner time.Duration }{
			{time.Second, time.Minute}, {time.Minute, time.Second},
		} {
			outer := httpx.NewHandler("outer", httpx.ServerConfig{TimeLimit: within(row.outer), Registry: quiet()},
				httpx.NewHandler("inner", httpx.ServerConfig{TimeLimit: within(row.inner), Registry: quiet()},
					http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("X-Handler", "1")
						<-r.Context().Done()
					})))
			start := time.Now()
			w := serveOne(outer, httptest.NewRequest("GET", "/", nil))
			if w.Code != 503 || time.Since(start) != time.Second || w.Header().Get("X-Handler") != "" || strings.Count(w.Body.String(), "\n") != 1 {
				t.Errorf("%+v: %d after %v, %v, %q", row, w.Code, time.Since(start), w.Header(), w.Body)
			}
		}
	})
}

// A middleware of somebody else between ours sees a writer that works, also after the handler has returned.
func TestAMiddlewareBetweenOursMayWriteAsWell(t *testing.T) {
	registry := quiet()
	between := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Before", "1")
			next.ServeHTTP(w, r)
			_, _ = io.WriteString(w, "footer")
		})
	}
	h := httpx.Recover("a", httpx.RecoverConfig{Registry: registry})(
		between(httpx.TimeLimit("a", httpx.TimeLimitConfig{Registry: registry})(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Inside", "1") }))))
	w := serveOne(h, httptest.NewRequest("GET", "/", nil))
	if w.Body.String() != "footer" || w.Header().Get("X-Before") != "1" || w.Header().Get("X-Inside") != "1" {
		t.Errorf("%q, %v", w.Body, w.Header())
	}
}

// T34: 5 ms left and a queue of a second.
func TestARequestWhoseTurnWouldComeTooLateIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := one(100, time.Minute)
		cfg.Inbound = trusting(httpx.TrustAll)
		h := httpx.NewHandler("api", cfg, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(time.Second) }))
		for range 5 { // so that the pace is known, and the queue a second long and more
			go serveOne(h, httptest.NewRequest("GET", "/", nil))
		}
		time.Sleep(2500 * time.Millisecond)
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Request-Timeout-Ms", "5")
		start := time.Now()
		w := serveOne(h, r)
		after, err := strconv.Atoi(w.Header().Get("Retry-After"))
		if w.Code != 503 || time.Since(start) != 0 || err != nil || after < 1 {
			t.Errorf("%d after %v, %v", w.Code, time.Since(start), w.Header())
		}
		time.Sleep(time.Minute)
	})
}

// T62: a server without any configuration, at twice what it can serve, with four levels.
func TestWithoutAnyConfigurationTheLeastImportantAreShedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		cfg := httpx.ServerConfig{Registry: quiet()}
		cfg.Inbound.TrustPeer = httpx.TrustAll
		workers := make(chan struct{}, 10)
		h := httpx.NewHandler("api", cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			workers <- struct{}{}
			defer func() { <-workers }()
			time.Sleep(50 * time.Millisecond)
			ok(w, r)
		}))
		if runtime.NumGoroutine() != before {
			t.Error("a goroutine was started")
		}
		levels := []seawall.Priority{seawall.CriticalPlus, seawall.Critical, seawall.SheddablePlus, seawall.Sheddable}
		var asked, served [4]atomic.Int64
		random := rand.New(rand.NewPCG(1, 62))
		var all sync.WaitGroup
		for i := range 30 * 400 { // 400 a second for 200
			level := i % 4
			time.Sleep(time.Duration(random.ExpFloat64() * 2.5e6))
			if i > 10*400 { // it has found its limit
				asked[level].Add(1)
			}
			all.Go(func() {
				r := httptest.NewRequest("GET", "/", nil)
				r.Header.Set("Seawall-Priority", levels[level].String())
				if w := serveOne(h, r); w.Code == 200 && i > 10*400 {
					served[level].Add(1)
				}
			})
		}
		all.Wait()
		share := func(level int) float64 { return float64(served[level].Load()) / float64(asked[level].Load()) }
		if share(0) < 0.95 || share(3) > 0.3 || share(0) < share(2) || share(1) < share(3) {
			t.Errorf("served of the four levels: %.2f %.2f %.2f %.2f", share(0), share(1), share(2), share(3))
		}
	})
}

// T32: what comes from outside is clamped, and nothing if the peer is not trusted.
func FuzzInboundBelievesNobodyTooMuch(f *testing.F) {
	for _, s := range []string{"", "0", "-1", "500", "1000000000", "99999999999999999999", "100m", "critical-plus", "CRITICAL", "\x00", "1e9"} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, timeouts, attempt, priority string) {
		for _, trusted := range []bool{true, false} {
			cfg := httpx.InboundConfig{Registry: quiet(), TrustPeer: func(*http.Request) bool { return trusted }}
			h := httpx.Inbound("fuzz", cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				left, limited := seawall.Remaining(r.Context())
				n, p := seawall.Attempt(r.Context()), seawall.PriorityOf(r.Context())
				if left > 24*time.Hour || n < 1 || n > 1000 || p < seawall.Sheddable || p > seawall.CriticalPlus {
					t.Errorf("sees %v, %d, %v", left, n, p)
				}
				if !trusted && (limited || n != 1 || p != seawall.Critical) {
					t.Errorf("believes a stranger: %v, %d, %v", left, n, p)
				}
			}))
			r := httptest.NewRequest("GET", "/", nil)
			r.Header = http.Header{
				"X-Request-Timeout-Ms": {timeouts, priority}, "Request-Timeout": {timeouts}, "Grpc-Timeout": {timeouts},
				"Seawall-Attempt": {attempt}, "X-Envoy-Attempt-Count": {attempt}, "Grpc-Previous-Rpc-Attempts": {attempt},
				"Seawall-Priority": {priority},
			}
			serveOne(h, r)
			r.Header["Seawall-Priority"] = []string{priority, "critical-plus"}
			serveOne(h, r)
		}
	})
}

func TestWhatTheServerKnowsItselfReachesTheGate(t *testing.T) {
	var got []string
	cfg := httpx.ServerConfig{Registry: quiet()}
	cfg.Inbound = httpx.InboundConfig{
		TrustPeer: func(r *http.Request) bool { return r.Header.Get("X-Trusted") != "" },
		Priority: func(r *http.Request) seawall.Priority {
			if r.URL.Path == "/pay" {
				return seawall.CriticalPlus
			}
			return 0
		},
		User: func(r *http.Request) string { return r.Header.Get("X-User") },
	}
	cfg.Admission.Gate = gateFunc(func(ctx context.Context) {
		user, _ := seawall.UserOf(ctx)
		got = append(got, seawall.PriorityOf(ctx).String()+" "+user)
	})
	h := httpx.NewHandler("api", cfg, http.HandlerFunc(ok))
	for _, row := range [][]string{{"/pay", "X-User", "a"}, {"/", ""}, {"/pay", "X-Trusted", "1", "Seawall-Priority", "sheddable"}} {
		r := httptest.NewRequest("GET", row[0], nil)
		for i := 1; i+1 < len(row); i += 2 {
			r.Header.Set(row[i], row[i+1])
		}
		serveOne(h, r)
	}
	if want := "critical-plus a,critical ,sheddable "; strings.Join(got, ",") != want {
		t.Errorf("the gate sees %q, want %q", strings.Join(got, ","), want)
	}
}

// gateFunc is a gate of somebody else, which lets everybody in.
type gateFunc func(context.Context)

func (g gateFunc) Acquire(ctx context.Context) (seawall.Permit, error) {
	g(ctx)
	return seawall.Permit{}, nil
}

func (g gateFunc) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, g, op)
}

// The time that a limit learns from ends where the response begins, unless it is told otherwise.
func TestAClientThatReadsSlowlyTeachesTheLimitOnlyIfItIsTo(t *testing.T) {
	for latency, slow := range map[httpx.Latency]bool{httpx.UntilFirstByte: false, httpx.UntilEnd: true} {
		synctest.Test(t, func(t *testing.T) {
			cfg := httpx.ServerConfig{Registry: quiet()}
			cfg.Admission = httpx.AdmissionConfig{
				Latency: latency, Adaptive: bulkhead.AdaptiveConfig{Initial: 4, Algorithm: bulkhead.AIMD, AIMD: bulkhead.AIMDConfig{Timeout: time.Second}},
			}
			h := httpx.NewHandler("api", cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ok(w, r)
				time.Sleep(10 * time.Second) // as a write does to a client that does not read
				ok(w, r)
			}))
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() { serveOne(h, httptest.NewRequest("GET", "/", nil)) })
			}
			all.Wait()
			if dropped := h.Admission().(*bulkhead.Adaptive).Stats().Outcomes.Dropped; (dropped > 0) != slow {
				t.Errorf("%v: %d responses spoke for a lower limit", latency, dropped)
			}
		})
	}
}

// T13: the cause of a handler's context is ours, and its error is the one of a deadline.
func TestTheEndOfAHandlersContextSaysWhichLimitItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			cfg  httpx.TimeLimitConfig
			want time.Duration
		}{
			{httpx.TimeLimitConfig{FirstByte: time.Second}, time.Second},
			{httpx.TimeLimitConfig{Idle: 2 * time.Second}, 2 * time.Second},
			{httpx.TimeLimitConfig{Total: 3 * time.Second}, 3 * time.Second},
		} {
			row.cfg.Registry = quiet()
			var cause error
			func() {
				defer func() { _ = recover() }()
				serveOne(httpx.TimeLimit("api", row.cfg)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if row.cfg.FirstByte == 0 {
						ok(w, r)
					}
					<-r.Context().Done()
					if !errors.Is(r.Context().Err(), context.DeadlineExceeded) {
						t.Errorf("it ends with %v", r.Context().Err())
					}
					cause = context.Cause(r.Context())
				})), httptest.NewRequest("GET", "/", nil))
			}()
			var exceeded *timeout.ExceededError
			if !errors.As(cause, &exceeded) || exceeded.Limit != row.want || exceeded.Name != "api" {
				t.Errorf("%+v: the cause is %v", row.cfg, cause)
			}
		}
	})
}

// A request whose turn comes too late has given its slot back before its refusal is written.
func TestARefusalHoldsNoSlot(t *testing.T) {
	gate := bulkhead.New("gate", bulkhead.Config{Limit: 1, Registry: quiet()})
	h := httpx.Admit("api", httpx.AdmissionConfig{Gate: slowGate{gate}})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a handler ran past its deadline")
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	defer func() {
		if v := recover(); v != "no writer" {
			t.Errorf("panics with %v", v)
		}
		if n := gate.Stats().InUse; n != 0 {
			t.Errorf("%d slots are in use", n)
		}
	}()
	h.ServeHTTP(brokenWriter{}, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
}

// slowGate lets in when the deadline has passed.
type slowGate struct{ seawall.Gate }

func (g slowGate) Acquire(ctx context.Context) (seawall.Permit, error) {
	<-ctx.Done()
	return g.Gate.Acquire(context.WithoutCancel(ctx))
}

// brokenWriter panics.
type brokenWriter struct{ http.ResponseWriter }

func (brokenWriter) Header() http.Header { return http.Header{} }
func (brokenWriter) WriteHeader(int)     { panic("no writer") }

// An error is not what the handler was about to send: neither a download, nor in another language.
func TestAnErrorIsNotDescribedAsTheAnswerThatWasNotSent(t *testing.T) {
	w := httptest.NewRecorder()
	for _, name := range []string{
		"Content-Disposition", "Content-Encoding", "Content-Language", "Content-Range", "Content-Location", "Content-Digest",
		"Repr-Digest", "Accept-Ranges", "ETag", "Last-Modified", "Trailer", "Transfer-Encoding",
	} {
		w.Header().Set(name, "x")
	}
	w.Header().Set("X-Request-Id", "7")
	httpx.Refuse(w, seawall.ErrRejected)
	got := slices.Sorted(maps.Keys(w.Result().Header))
	want := []string{
		"Cache-Control", "Content-Length", "Content-Type", "Retry-After", "Seawall-Pushback", "X-Content-Type-Options", "X-Request-Id",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Two gates around one handler, such as one for all routes and one for a few, have each their own slot.
func TestGatesInsideGatesGiveBackASlotEach(t *testing.T) {
	var gates []*bulkhead.Bulkhead
	var h http.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		for _, g := range gates {
			if n := g.Stats().InUse; n != 1 {
				t.Errorf("%v has %d slots in use inside of it", g, n)
			}
		}
	})
	for _, name := range []string{"inner", "outer"} {
		g := bulkhead.New(name, bulkhead.Config{Limit: 2, Registry: quiet()})
		gates = append(gates, g)
		h = httpx.Admit(name, httpx.AdmissionConfig{Gate: g})(h)
	}
	for range 3 {
		serveOne(h, httptest.NewRequest("GET", "/", nil))
	}
	for _, g := range gates {
		if s := g.Stats(); s.InUse != 0 || s.Admitted != 3 {
			t.Errorf("%v: %d slots in use, %d admitted", g, s.InUse, s.Admitted)
		}
	}
}

// The margin is for the way back, and never most of what the peer has given.
func TestTheMarginIsAtMostATenthOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			margin time.Duration
			given  string
			want   time.Duration
		}{
			{0, "1000", 990 * time.Millisecond},
			{0, "50", 45 * time.Millisecond},
			{0, "1", 900 * time.Microsecond},
			{100 * time.Millisecond, "2000", 1900 * time.Millisecond},
			{httpx.NoMargin, "1000", time.Second},
		} {
			cfg := httpx.InboundConfig{TrustPeer: httpx.TrustAll, Margin: row.margin, Registry: quiet()}
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("X-Request-Timeout-Ms", row.given)
			serveOne(httpx.Inbound("api", cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if left, _ := seawall.Remaining(r.Context()); left != row.want {
					t.Errorf("of %s ms less %v are left %v, want %v", row.given, row.margin, left, row.want)
				}
			})), r)
		}
	})
}
