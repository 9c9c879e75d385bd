package httpx_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
)

// foreign is a middleware of others, which puts a writer of its own around ours.
func foreign(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(around{w}, r) })
}

type around struct{ http.ResponseWriter }

func (a around) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// What a repeat would do is said under the name that was chosen, whoever says it.
func TestTheNameOfThePushbackFieldIsNotIgnored(t *testing.T) {
	refuse := func(w http.ResponseWriter, _ *http.Request) { httpx.Refuse(w, errors.New("no")) }
	final := func(w http.ResponseWriter, r *http.Request) {
		httpx.Final(r.Context())
		w.WriteHeader(500)
	}
	shut := httpx.AdmissionConfig{Fixed: bulkhead.Config{Limit: 1, Mode: seawall.ForcedOpen}}
	late := func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithDeadline(ctx, time.Now().Add(-time.Second))
	}
	keyed := func(fails string) func(http.Handler) http.Handler {
		store := &flakyStore{IdempotencyStore: httpx.NewMemoryStore(httpx.MemoryStoreConfig{})}
		store.fails(fails)
		return httpx.NewIdempotency("test", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Store: store, Registry: quiet()}).Handler
	}
	var asked atomic.Int64
	client := &http.Client{Transport: httpx.NewTransport("test", httpx.ClientConfig{Registry: quiet()}, down(&asked))}
	inVain := func(w http.ResponseWriter, r *http.Request) {
		_, _, _ = ask(r.Context(), client, "http://api.example")
		w.WriteHeader(502)
	}
	for _, row := range []struct {
		name  string
		cfg   httpx.ServerConfig
		serve http.HandlerFunc
		ctx   func(context.Context) (context.Context, context.CancelFunc)
		says  string
	}{
		{"a quota", httpx.ServerConfig{Quotas: []httpx.QuotaConfig{{Limit: ratelimit.Config{Rate: 1, Mode: seawall.ForcedOpen}}}}, ok, nil, "refused"},
		{"a full server", httpx.ServerConfig{Admission: shut}, ok, nil, "refused"},
		{"a deadline that has passed", httpx.ServerConfig{}, ok, late, "refused"},
		{"the handler", httpx.ServerConfig{}, refuse, nil, "refused"},
		{"the handler in a writer of others", httpx.ServerConfig{}, foreign(http.HandlerFunc(refuse)).ServeHTTP, nil, "refused"},
		{"the handler behind a key", httpx.ServerConfig{}, keyed("")(http.HandlerFunc(refuse)).ServeHTTP, nil, "refused"},
		{"a gate behind a key", httpx.ServerConfig{}, keyed("")(httpx.Admit("b", shut)(http.HandlerFunc(ok))).ServeHTTP, nil, "refused"},
		{"a store that fails", httpx.ServerConfig{}, keyed("begin")(http.HandlerFunc(ok)).ServeHTTP, nil, "refused"},
		{"a final answer", httpx.ServerConfig{}, keyed("")(http.HandlerFunc(final)).ServeHTTP, nil, "final"},
		{"attempts that are used up", httpx.ServerConfig{}, inVain, nil, "final"},
		{"attempts that are used up behind a key", httpx.ServerConfig{}, keyed("")(http.HandlerFunc(inVain)).ServeHTTP, nil, "final"},
	} {
		for name, want := range map[string]http.Header{
			"":            {"Seawall-Pushback": {row.says}},
			"x-repeat":    {"X-Repeat": {row.says}},
			httpx.NoField: {},
		} {
			t.Run(row.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cfg := row.cfg
					cfg.Registry, cfg.Inbound.Fields.Pushback = quiet(), name
					cfg.Admission.Registry = cfg.Registry
					r := httptest.NewRequest("POST", "/", nil)
					r.Header.Set("Idempotency-Key", "k"+name)
					if row.ctx != nil {
						ctx, cancel := row.ctx(r.Context())
						defer cancel()
						r = r.WithContext(ctx)
					}
					w := serveOne(httpx.NewHandler("test", cfg, row.serve), r)
					for _, field := range []string{"Seawall-Pushback", "X-Repeat", "-"} {
						if got := w.Header().Get(field); got != want.Get(field) {
							t.Errorf("%s is %q, want %q", field, got, want.Get(field))
						}
					}
				})
			})
		}
	}
}

// Keys that are not behind an Inbound have a name of their own.
func TestKeysAloneSayFinalUnderTheirName(t *testing.T) {
	keys := httpx.NewIdempotency("test", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Pushback: "x-repeat", Registry: quiet()})
	h := keys.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpx.Final(r.Context())
		w.WriteHeader(500)
	}))
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Idempotency-Key", "k")
	for range 2 {
		if w := serveOne(h, r); w.Header().Get("X-Repeat") != "final" || w.Header().Get("Seawall-Pushback") != "" {
			t.Errorf("told %v", w.Header())
		}
	}
}

// A refusal further in is no work for those further out: a token comes back, and a limit learns nothing, also through what
// others have put in between.
func TestARefusalFurtherInTakesNoTokenAndTeachesNoLimit(t *testing.T) {
	keyed := httpx.NewIdempotency("test", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: quiet()})
	for name, between := range map[string]func(http.Handler) http.Handler{
		"nothing":            func(next http.Handler) http.Handler { return next },
		"a writer of others": foreign,
		"keys":               keyed.Handler,
		"two limits of time": func(next http.Handler) http.Handler { return limitTwice(next) },
		"a Handler in itself": func(next http.Handler) http.Handler {
			return httpx.NewHandler("b", httpx.ServerConfig{Registry: quiet()}, next)
		},
	} {
		t.Run(name, func(t *testing.T) {
			registry := quiet()
			told := &tellingGate{}
			inner := httpx.Admit("inner", httpx.AdmissionConfig{
				Fixed: bulkhead.Config{Limit: 1, Mode: seawall.ForcedOpen}, Registry: registry,
			})
			h := httpx.Admit("outer", httpx.AdmissionConfig{Gate: told})(between(inner(http.HandlerFunc(ok))))
			h = httpx.Quota("test", httpx.QuotaConfig{Limit: ratelimit.Config{Rate: 1, Burst: 2}, Registry: registry})(h)
			for i := range 5 {
				r := httptest.NewRequest("POST", "/", nil)
				r.Header.Set("Idempotency-Key", "k")
				if w := serveOne(h, r); w.Code != 503 || w.Header().Get("Seawall-Pushback") != "refused" {
					t.Fatalf("request %d: %d, %v", i, w.Code, w.Header())
				}
				if !errors.Is(told.err, seawall.ErrRejected) {
					t.Errorf("the gate further out is told %v", told.err)
				}
			}
		})
	}
}

func limitTwice(next http.Handler) http.Handler {
	outer := httpx.TimeLimit("a", httpx.TimeLimitConfig{Registry: quiet()})
	inner := httpx.TimeLimit("b", httpx.TimeLimitConfig{Registry: quiet()})
	return outer(inner(next))
}

// tellingGate lets all in, and keeps how the latest has ended.
type tellingGate struct{ err error }

func (g *tellingGate) Acquire(context.Context) (seawall.Permit, error) {
	return seawall.NewPermit(g, seawall.Ticket{}), nil
}

func (g *tellingGate) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, g, op)
}

func (g *tellingGate) Release(_ seawall.Ticket, err error) bool {
	g.err = err
	return true
}
