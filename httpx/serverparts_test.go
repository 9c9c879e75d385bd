package httpx_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
)

func TestImpossiblePartsOfAServerAreRefusedByName(t *testing.T) {
	limit := ratelimit.Config{Rate: 1}
	for _, row := range []struct {
		cfg  interface{ Validate() error }
		want string
	}{
		{httpx.InboundConfig{Margin: httpx.NoMargin}, ""},
		{httpx.InboundConfig{Margin: 1}, "httpx: InboundConfig.Margin is 1ns, want at least 1ms, or NoMargin"},
		{httpx.InboundConfig{Fields: httpx.Fields{Timeout: "a b"}}, `httpx: InboundConfig.Fields: httpx: Fields.Timeout is "a b"`},
		{httpx.QuotaConfig{Limit: limit}, ""},
		{httpx.QuotaConfig{}, "httpx: QuotaConfig.Limit: ratelimit: "},
		{httpx.QuotaConfig{Limit: limit, Name: "ü"}, `httpx: QuotaConfig.Name is "ü", want printable ASCII`},
		{httpx.QuotaConfig{Limit: limit, XRateLimit: 7}, "httpx: QuotaConfig.XRateLimit is XRateLimit(7), want one of"},
		{httpx.QuotaConfig{Limit: limit, Routes: []string{"/a", "nonsense pattern here"}}, "httpx: QuotaConfig.Routes[1] is \"nonsense"},
		{httpx.QuotaConfig{Limit: limit, Routes: []string{"/a", "/a"}}, "httpx: QuotaConfig.Routes[1] is \"/a\", want a pattern"},
		{httpx.AdmissionConfig{}, ""},
		{httpx.AdmissionConfig{Adaptive: bulkhead.AdaptiveConfig{Min: 100}}, ""},
		{httpx.AdmissionConfig{Adaptive: bulkhead.AdaptiveConfig{Max: 10}}, ""},
		{httpx.AdmissionConfig{Adaptive: bulkhead.AdaptiveConfig{Min: -1}}, "httpx: AdmissionConfig.Adaptive: bulkhead: AdaptiveConfig.Min is -1"},
		{httpx.AdmissionConfig{Latency: 7}, "httpx: AdmissionConfig.Latency is Latency(7), want one of"},
		{
			httpx.AdmissionConfig{Fixed: bulkhead.Config{Limit: 1}, Adaptive: bulkhead.AdaptiveConfig{Max: 3}},
			"httpx: AdmissionConfig.Fixed.Limit is 1, want 0, or Adaptive zero: a limit is fixed or adaptive",
		},
		{
			httpx.AdmissionConfig{Fixed: bulkhead.Config{Mode: seawall.Shadow}},
			"httpx: AdmissionConfig.Fixed.Limit is 0, want at least 1 where Fixed is set",
		},
		{
			httpx.AdmissionConfig{Fixed: bulkhead.Config{Limit: 1}, Gate: bulkhead.New("g", bulkhead.Config{Registry: quiet()})},
			`httpx: AdmissionConfig.Gate is bulkhead "g", want none, or Fixed and Adaptive zero: a gate of one's own takes their place`,
		},
		{httpx.TimeLimitConfig{Idle: httpx.Off, Total: httpx.Off}, ""},
		{httpx.TimeLimitConfig{Idle: -2}, "httpx: TimeLimitConfig.Idle is -2ns"},
		{httpx.TimeLimitConfig{Total: 1}, "httpx: TimeLimitConfig.Total is 1ns"},
		{httpx.TimeLimitConfig{Exempt: []string{""}}, `httpx: TimeLimitConfig.Exempt[0] is ""`},
		{
			httpx.ServerConfig{Quotas: []httpx.QuotaConfig{{Limit: limit}, {Name: "default", Limit: limit}}},
			`httpx: ServerConfig.Quotas[1].Name is "default", want one that no other quota has`,
		},
		{httpx.ServerConfig{Quotas: []httpx.QuotaConfig{{}}}, "httpx: ServerConfig.Quotas[0]: httpx: QuotaConfig.Limit"},
		{httpx.ServerConfig{Inbound: httpx.InboundConfig{Margin: 1}}, "httpx: ServerConfig.Inbound: httpx: InboundConfig.Margin"},
		{httpx.ServerConfig{Degraded: 7}, "httpx: ServerConfig.Degraded is Degraded(7)"},
		{httpx.ServerConfig{Inner: []func(http.Handler) http.Handler{nil}}, "httpx: ServerConfig.Inner[0] is nil"},
	} {
		err := row.cfg.Validate()
		if (row.want == "") != (err == nil) || !strings.HasPrefix(text(err), row.want) {
			t.Errorf("%+v: %v, want %q", row.cfg, err, row.want)
		}
		func() {
			defer func() {
				if got, _ := recover().(string); got != text(err) {
					t.Errorf("%+v: the constructor panics with %q, want %q", row.cfg, got, text(err))
				}
			}()
			switch cfg := row.cfg.(type) {
			case httpx.InboundConfig:
				cfg.Registry = quiet()
				httpx.Inbound("test", cfg)
			case httpx.QuotaConfig:
				cfg.Registry = quiet()
				httpx.Quota("test", cfg)
			case httpx.AdmissionConfig:
				cfg.Registry = quiet()
				httpx.Admit("test", cfg)
			case httpx.TimeLimitConfig:
				cfg.Registry = quiet()
				httpx.TimeLimit("test", cfg)
			case httpx.ServerConfig:
				cfg.Registry = quiet()
				httpx.NewHandler("test", cfg, http.NotFoundHandler())
			}
		}()
	}
}

func TestNamedValuesOfAServerGoThroughFiles(t *testing.T) {
	for _, all := range [][]encoding.TextMarshaler{
		{httpx.UntilFirstByte, httpx.UntilEnd, httpx.Latency(9)},
		{httpx.NoXRateLimit, httpx.XRateLimitSeconds, httpx.XRateLimitUnix, httpx.XRateLimit(9)},
		{httpx.DegradedUntold, httpx.DegradedTold, httpx.Degraded(9)},
	} {
		for i, v := range all {
			text, err := v.MarshalText()
			if last := i == len(all)-1; last != (err != nil) {
				t.Errorf("%v is written as %q, %v", v, text, err)
			}
			back := reflect.New(reflect.TypeOf(v))
			err = back.Interface().(encoding.TextUnmarshaler).UnmarshalText(text)
			if i < len(all)-1 && (err != nil || back.Elem().Interface() != v) {
				t.Errorf("%q is read as %v, %v", text, back.Elem(), err)
			}
			if back.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte("nonsense")) == nil {
				t.Errorf("%T reads nonsense", v)
			}
		}
	}
	var cfg httpx.ServerConfig
	file := `{"time_limit":{"first_byte":1000000000,"exempt":["/a/"]},"admission":{"latency":"until_end","adaptive":{"max":7}},
		"quotas":[{"name":"a","limit":{"rate":2},"x_rate_limit":"unix"}],"degraded":"told","health_paths":["/up"]}`
	if err := json.Unmarshal([]byte(file), &cfg); err != nil || cfg.Validate() != nil || cfg.Quotas[0].XRateLimit != httpx.XRateLimitUnix ||
		cfg.Admission.Latency != httpx.UntilEnd || cfg.TimeLimit.FirstByte != time.Second || cfg.Degraded != httpx.DegradedTold {
		t.Errorf("%+v, %v, %v", cfg, err, cfg.Validate())
	}
}

// T32
func TestOnlyAddressesInThePrefixesAreTrusted(t *testing.T) {
	trust := httpx.TrustCIDR("10.0.0.0/8", "2001:db8::/32", "192.0.2.7")
	for addr, want := range map[string]bool{
		"10.1.2.3:80": true, "[::ffff:10.1.2.3]:80": true, "11.0.0.1:80": false, "[2001:db8::1]:80": true, "[2001:db9::1]:80": false,
		"192.0.2.7:1": true, "192.0.2.8:1": false, "@": false, "": false, "10.1.2.3": false, "[fe80::1%eth0]:80": false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = addr
		r.Header.Set("X-Forwarded-For", "10.0.0.1")
		if got := trust(r); got != want {
			t.Errorf("from %q: %t", addr, got)
		}
	}
	// A proxy's form of the request line is what the peer writes. Over a Unix socket there may be no address besides.
	for _, target := range []string{"http://10.1.2.3/", "http://localhost/", "http://127.0.0.1/"} {
		r := httptest.NewRequest("GET", target, nil)
		r.RemoteAddr = ""
		if trust(r) || httpx.TrustLoopback(r) {
			t.Errorf("%s is trusted by its own word", target)
		}
		if key, _ := httpx.KeyByAddr(r); key != "" {
			t.Errorf("%s has chosen its key: %q", target, key)
		}
	}
	defer func() {
		if v, _ := recover().(string); !strings.HasPrefix(v, "httpx: TrustCIDR: ") {
			t.Errorf("panics with %q", v)
		}
	}()
	httpx.TrustCIDR("nonsense")
}

// T32
func TestOnlyVerifiedCertificatesWithTheNameAreTrusted(t *testing.T) {
	id, err := url.Parse("spiffe://prod.example/gateway")
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{URIs: []*url.URL{id}, DNSNames: []string{"gateway.prod.example"}}
	verified := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}}}
	shown := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
	for _, row := range []struct {
		state *tls.ConnectionState
		name  string
		want  bool
	}{
		{verified, "spiffe://prod.example/gateway", true},
		{verified, "gateway.prod.example", true},
		{verified, "spiffe://prod.example/other", false},
		{verified, "prod.example", false},
		{shown, "gateway.prod.example", false},
		{nil, "gateway.prod.example", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.TLS = row.state
		if got := httpx.TrustClientCert("x.example", row.name)(r); got != row.want {
			t.Errorf("%+v: %t", row, got)
		}
		if got := httpx.TrustAny(httpx.TrustCIDR(), httpx.TrustClientCert(row.name))(r); got != row.want {
			t.Errorf("any of %+v: %t", row, got)
		}
	}
}

func TestAClientIsWhoeverHasItsAddress(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7:80": "192.0.2.7", "[::ffff:192.0.2.7]:80": "192.0.2.7", "[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::", "@": "@",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = addr
		if key, ok := httpx.KeyByAddr(r); key != want || !ok {
			t.Errorf("%q is %q", addr, key)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	for _, values := range [][]string{nil, {"a"}, {"a", "b"}} {
		r.Header["X-Api-Key"] = values
		if key, ok := httpx.KeyByField("x-api-key")(r); !ok || (key == "a") != (len(values) == 1) {
			t.Errorf("%q is %q", values, key)
		}
	}
}

// All clients shared one quota, by a field that none of them can send.
func TestAKeyByAFieldThatCannotBeIsRefused(t *testing.T) {
	for _, name := range []string{"", "X-Api-Key:", "X Api Key"} {
		func() {
			defer func() {
				want := fmt.Sprintf("httpx: KeyByField: the name is %q, want that of an HTTP field", name)
				if got := recover(); got != want {
					t.Errorf("%q: %v, want %q", name, got, want)
				}
			}()
			httpx.KeyByField(name)
		}()
	}
}

func TestEachRouteAndKeyHasABucketOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := httpx.Quota("api", httpx.QuotaConfig{
			Limit: ratelimit.Config{Rate: 1}, Routes: []string{"GET /a/{id}", "/b"}, Registry: quiet(),
			Key: func(r *http.Request) (string, bool) { return r.Header.Get("X-Key"), r.Header.Get("X-Key") != "exempt" },
		})
		h := m(http.HandlerFunc(ok))
		for i, row := range []struct {
			path, key string
			code      int
		}{
			{"/a/1", "k", 200},
			{"/a/2", "k", 429}, // the same route
			{"//a/3", "k", 429},
			{"/a/1", "l", 200},
			{"/b", "k", 200},
			{"/b", "k", 429},
			{"/b", "exempt", 200},
			{"/b", "exempt", 200},
			{"/c", "k", 200},
			{"/c", "k", 200},
			{"/b", strings.Repeat("x", 1000) + "1", 200},
			{"/b", strings.Repeat("x", 1000) + "2", 200},
			{"/b", strings.Repeat("x", 1000) + "2", 429},
		} {
			r := httptest.NewRequest("GET", row.path, nil)
			r.Header.Set("X-Key", row.key)
			if w := serveOne(h, r); w.Code != row.code {
				t.Errorf("%d: %s of %.9s gets %d", i, row.path, row.key, w.Code)
			}
		}
	})
}

// A client that waits as long as it is told finds a token.
func TestWhoComesBackAfterTheHintIsLetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limit := range []ratelimit.Config{{Rate: 0.3}, {Rate: 7, Burst: 3}, {Rate: 1000}, {Rate: 0.01, Burst: 20}} {
			h := httpx.Quota("api", httpx.QuotaConfig{Limit: limit, Registry: quiet()})(http.HandlerFunc(ok))
			for range 200 {
				w := serveOne(h, httptest.NewRequest("GET", "/", nil))
				list, err := httpsfv.UnmarshalList(w.Header().Values("RateLimit"))
				if err != nil {
					t.Fatal(err)
				}
				r, _ := list[0].(httpsfv.Item).Params.Get("r")
				wait, _ := list[0].(httpsfv.Item).Params.Get("t")
				if w.Code == 200 && r.(int64) > 0 {
					continue
				}
				if r.(int64) != 0 {
					t.Fatalf("%v: refused with %d left", limit, r)
				}
				time.Sleep(time.Duration(wait.(int64)) * time.Second)
				if w := serveOne(h, httptest.NewRequest("GET", "/", nil)); w.Code != 200 {
					t.Fatalf("%v: after the %d s of the field: %d", limit, wait, w.Code)
				}
			}
		}
	})
}

// A 429 says that the client has asked too much, and nothing else: whoever leaves while it waits for a token, or comes
// when its time is over, has not.
func TestARequestThatGivesUpItsWaitForATokenIsNot429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := ratelimit.Config{Rate: 0.01, Burst: 1, MaxWait: time.Hour}
		h := httpx.Quota("api", httpx.QuotaConfig{Limit: limit, Registry: quiet()})(http.HandlerFunc(ok))
		serveOne(h, httptest.NewRequest("GET", "/", nil)) // the only token
		leaving, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		for name, ctx := range map[string]context.Context{"a client that leaves": leaving, "a deadline that has passed": over} {
			w := serveOne(h, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
			if w.Code != 503 || w.Header().Get("Seawall-Pushback") != "refused" || w.Header().Get("RateLimit") == "" {
				t.Errorf("%s: %d, %v", name, w.Code, w.Header())
			}
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if w := serveOne(h, httptest.NewRequest("GET", "/", nil).WithContext(soon)); w.Code != 429 {
			t.Errorf("a token that comes too late for the deadline: %d", w.Code)
		}
	})
}

// The time limit and the recovery answer in the handler's place, and what a quota has told stays.
func TestOurOwnAnswersDoNotForgetTheQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, row := range map[string]struct {
			status int
			serve  http.HandlerFunc
		}{
			"the time limit": {503, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
			"the time limit behind a handler that looks at nothing": {503, func(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) }},
			"a panic": {500, func(http.ResponseWriter, *http.Request) { panic("boom") }},
		} {
			h := httpx.NewHandler("api", httpx.ServerConfig{
				TimeLimit: within(time.Second), Registry: quiet(),
				Quotas: []httpx.QuotaConfig{{Limit: ratelimit.Config{Rate: 0.1, Burst: 3}, XRateLimit: httpx.XRateLimitSeconds}},
			}, row.serve)
			w := serveOne(h, httptest.NewRequest("GET", "/", nil))
			for _, field := range []string{"RateLimit", "RateLimit-Policy", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"} {
				if w.Code != row.status || w.Header().Get(field) == "" {
					t.Errorf("%s: %d without %s: %v", name, w.Code, field, w.Header())
				}
			}
		}
	})
}

// A bucket that is full has no more to come, so there is no time to tell.
func TestAFullBucketHasNoTime(t *testing.T) {
	h := httpx.Quota("api", httpx.QuotaConfig{Limit: ratelimit.Config{Rate: 1e9, Burst: 2}, Registry: quiet()})(http.HandlerFunc(ok))
	for range 100 {
		told := serveOne(h, httptest.NewRequest("GET", "/", nil)).Header().Get("RateLimit")
		if told == `"default";r=2` {
			return
		}
		if told != `"default";r=1;t=1` {
			t.Fatalf("left is %s", told)
		}
	}
	t.Error("it is never full")
}

func TestAnUnlimitedQuotaTellsNothing(t *testing.T) {
	h := httpx.Quota("api", httpx.QuotaConfig{Limit: ratelimit.Config{Rate: ratelimit.Unlimited}, Registry: quiet()})(http.HandlerFunc(ok))
	if w := serveOne(h, httptest.NewRequest("GET", "/", nil)); w.Code != 200 || w.Header().Get("RateLimit") != "" {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
}

// Several quotas are told one beside the other, and the first one that is used up refuses.
func TestSeveralQuotasAreToldTogether(t *testing.T) {
	cfg := httpx.ServerConfig{Registry: quiet(), Quotas: []httpx.QuotaConfig{
		{Name: "second", Limit: ratelimit.Config{Rate: 1, Burst: 2}},
		{Name: "hour", Limit: ratelimit.Config{Rate: 0.01, Burst: 36}, XRateLimit: httpx.XRateLimitUnix},
	}}
	h := httpx.NewHandler("api", cfg, http.HandlerFunc(ok))
	w := serveOne(h, httptest.NewRequest("GET", "/", nil))
	policies := strings.Join(w.Header().Values("RateLimit-Policy"), ", ")
	if policies != `"second";q=2;w=2, "hour";q=36;w=3600` {
		t.Errorf("policies are %s", policies)
	}
	if told := strings.Join(w.Header().Values("RateLimit"), ", "); told != `"second";r=1;t=1, "hour";r=35;t=100` {
		t.Errorf("left is %s", told)
	}
	at, err := strconv.ParseInt(w.Header().Get("X-Ratelimit-Reset"), 10, 64)
	if in := at - time.Now().Unix(); err != nil || in < 95 || in > 105 {
		t.Errorf("%v, %v", w.Header(), err)
	}
	serveOne(h, httptest.NewRequest("GET", "/", nil))
	if w := serveOne(h, httptest.NewRequest("GET", "/", nil)); w.Code != 429 || len(w.Header().Values("RateLimit")) != 1 {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
}

// The first request was told, by a panic that named nothing.
func TestMiddlewaresRefuseAHandlerThatIsNil(t *testing.T) {
	trusted := func(*http.Request) bool { return true }
	limit := ratelimit.Config{Rate: 1}
	for want, build := range map[string]func(){
		"NewHandler: the handler is nil": func() { httpx.NewHandler("x", httpx.ServerConfig{Registry: quiet()}, nil) },
		"Recover: the handler is nil":    func() { httpx.Recover("x", httpx.RecoverConfig{Registry: quiet()})(nil) },
		"Inbound: the handler is nil":    func() { httpx.Inbound("x", httpx.InboundConfig{Registry: quiet()})(nil) },
		"Quota: the handler is nil":      func() { httpx.Quota("x", httpx.QuotaConfig{Limit: limit, Registry: quiet()})(nil) },
		"Admit: the handler is nil":      func() { httpx.Admit("x", httpx.AdmissionConfig{Registry: quiet()})(nil) },
		"TimeLimit: the handler is nil":  func() { httpx.TimeLimit("x", httpx.TimeLimitConfig{Registry: quiet()})(nil) },
		"ETags: the handler is nil":      func() { httpx.ETags(httpx.ETagConfig{})(nil) },
		"CachePolicy.Handler: the handler is nil": func() {
			httpx.CachePolicy{}.Handler(nil)
		},
		"Idempotency.Handler: the handler is nil": func() {
			httpx.NewIdempotency("x", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: quiet()}).Handler(nil)
		},
		"TrustAny: function 1 of 1 is nil": func() { httpx.TrustAny(nil) },
		"TrustAny: function 2 of 2 is nil": func() { httpx.TrustAny(trusted, nil) },
	} {
		func() {
			defer func() {
				if got := recover(); got != "httpx: "+want {
					t.Errorf("%v, want %q", got, want)
				}
			}()
			build()
		}()
	}
}
