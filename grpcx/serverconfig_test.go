package grpcx_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"math"
	"net"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/ratelimit"
)

func TestServerConfigNamesTheFieldThatIsWrong(t *testing.T) {
	for _, c := range []struct {
		cfg  grpcx.ServerConfig
		want string
	}{
		{grpcx.ServerConfig{}, ""},
		{grpcx.ServerConfig{Timeout: grpcx.Off, DeadlineMargin: grpcx.NoMargin}, ""},
		{at(grpcx.BeforeDecode), ""},
		{tapped(fixed(1, 0)), ""},
		{admitted(grpcx.AdmissionConfig{Gate: breaker.New("test", breaker.Config{Registry: silent()})}), ""},
		{at("tap"), `grpcx: ServerConfig.Admission: grpcx: AdmissionConfig.Place is "tap", want "interceptor" or "before_decode"`},
		{grpcx.ServerConfig{Timeout: -time.Second}, "grpcx: ServerConfig.Timeout is -1s, want at least 1ms, or Off"},
		{grpcx.ServerConfig{Timeout: 1}, "grpcx: ServerConfig.Timeout is 1ns"},
		{grpcx.ServerConfig{DeadlineMargin: time.Microsecond}, "grpcx: ServerConfig.DeadlineMargin is 1µs, want at least 1ms, or NoMargin"},
		{grpcx.ServerConfig{HealthMethods: []string{"/a/B", "Check"}}, `grpcx: ServerConfig.HealthMethods[1] is "Check"`},
		{fixed(-1, 0), "grpcx: ServerConfig.Admission: grpcx: AdmissionConfig.Fixed: bulkhead: Config.Limit is -1"},
		{
			admitted(grpcx.AdmissionConfig{Fixed: bulkhead.Config{Shedding: bulkhead.ByUser}}),
			"grpcx: ServerConfig.Admission: grpcx: AdmissionConfig.Fixed.Limit is 0",
		},
		{
			admitted(grpcx.AdmissionConfig{Fixed: bulkhead.Config{Limit: 1}, Adaptive: bulkhead.AdaptiveConfig{Min: 2}}),
			"grpcx: ServerConfig.Admission: grpcx: AdmissionConfig.Fixed.Limit is 1, want it without Adaptive",
		},
		{
			admitted(grpcx.AdmissionConfig{Fixed: bulkhead.Config{Limit: 1}, Gate: breaker.New("test", breaker.Config{Registry: silent()})}),
			"grpcx: ServerConfig.Admission: grpcx: AdmissionConfig.Gate is breaker \"test\", want it without",
		},
		{
			admitted(grpcx.AdmissionConfig{Adaptive: bulkhead.AdaptiveConfig{Min: -1}}),
			"grpcx: ServerConfig.Admission: grpcx: AdmissionConfig.Adaptive: bulkhead: AdaptiveConfig.Min is -1",
		},
		{quotaOf(ratelimit.Config{Rate: math.NaN()}), "grpcx: ServerConfig.Quota: grpcx: QuotaConfig.Limit: ratelimit: GroupConfig.Limiter: ratelimit: Config.Rate is NaN"},
		{quotaOf(ratelimit.Config{Burst: 5}), "grpcx: ServerConfig.Quota: grpcx: QuotaConfig.Limit: ratelimit: GroupConfig.Limiter: ratelimit: Config.Rate is 0"},
		{grpcx.ServerConfig{Quota: grpcx.QuotaConfig{MaxKeys: 5}}, "grpcx: ServerConfig.Quota: grpcx: QuotaConfig.Limit: ratelimit: GroupConfig.Limiter: ratelimit: Config.Rate is 0"},
		{tapped(fixed(1, 5)), "grpcx: ServerConfig.Admission: grpcx: AdmissionConfig.Fixed.Queue.Limit is 5, want NoQueue with BeforeDecode"},
	} {
		err := c.cfg.Validate()
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("got %v, want %q", err, c.want)
		}
		if c.want == "" {
			continue
		}
		func() {
			defer func() {
				if v := recover(); v != err.Error() {
					t.Errorf("NewServer panicked with %v, want %v", v, err)
				}
			}()
			grpcx.NewServer("test", c.cfg)
		}()
	}
}

func admitted(cfg grpcx.AdmissionConfig) grpcx.ServerConfig {
	return grpcx.ServerConfig{Admission: cfg}
}

func quotaOf(cfg ratelimit.Config) (c grpcx.ServerConfig) {
	c.Quota.Limit = cfg
	return c
}

func tapped(cfg grpcx.ServerConfig) grpcx.ServerConfig {
	cfg.Admission.Place = grpcx.BeforeDecode
	return cfg
}

func TestServerConfigReadsBackWithItsDefaults(t *testing.T) {
	cfg := grpcx.NewServer("test", grpcx.ServerConfig{Registry: silent()}).Config()
	if a := cfg.Admission; a.Place != grpcx.InInterceptor || a.Adaptive.Initial != 64 || a.Adaptive.Queue.Limit != 256 ||
		a.Adaptive.Queue.Order != bulkhead.AdaptiveLIFO ||
		cfg.Timeout != 30*time.Second || cfg.DeadlineMargin != 10*time.Millisecond || len(cfg.HealthMethods) != 3 {
		t.Errorf("the defaults are %+v", cfg)
	}
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var loaded grpcx.ServerConfig
	if err := json.Unmarshal(text, &loaded); err != nil {
		t.Fatal(err)
	}
	loaded.Registry = silent()
	again := grpcx.NewServer("test", loaded).Config()
	for _, c := range []*grpcx.ServerConfig{&cfg, &again} {
		c.Registry, c.TrustPeer = nil, nil
		c.Admission.Registry, c.Admission.Adaptive.Registry, c.Quota.Registry = nil, nil, nil
	}
	if !reflect.DeepEqual(cfg, again) {
		t.Errorf("%+v was read back as %+v", cfg, again)
	}
}

func TestServerIsInTheRegistryWithItsPolicies(t *testing.T) {
	registry := silent()
	cfg := quotaOf(ratelimit.Config{Rate: 1000})
	cfg.Registry = registry
	s := grpcx.NewServer("api", cfg)
	s.Drain()
	var found []string
	for _, snapshot := range registry.Snapshots() {
		found = append(found, snapshot.Kind+" "+snapshot.Name+" "+snapshot.State)
	}
	if got := strings.Join(found, ", "); got != "bulkhead api , ratelimit api , server api draining" {
		t.Errorf("the registry has %s", got)
	}
	if s.Name() != "api" || s.String() != `server "api"` {
		t.Errorf("it is %s, %v", s.Name(), s)
	}
	var _ seawall.Member = s
}

type address struct{ network, text string }

func (a address) Network() string { return a.network }
func (a address) String() string  { return a.text }

func TestLoopbackIsWhatIsOnTheSameMachine(t *testing.T) {
	for a, want := range map[net.Addr]bool{
		address{"tcp", "127.0.0.1:1"}:          true,
		address{"tcp", "127.8.0.1:1"}:          true,
		address{"tcp", "[::1]:1"}:              true,
		address{"tcp", "[::ffff:127.0.0.1]:1"}: true,
		address{"unix", "@"}:                   true,
		address{"tcp", "10.0.0.1:1"}:           false,
		address{"tcp", "localhost:1"}:          false, // a connection has an address
		address{"tcp", "127.0.0.1"}:            false,
		address{"bufconn", "bufconn"}:          false,
	} {
		if got := grpcx.TrustLoopback(peer.NewContext(t.Context(), &peer.Peer{Addr: a})); got != want {
			t.Errorf("%v: %t, want %t", a, got, want)
		}
	}
	if grpcx.TrustLoopback(context.Background()) || grpcx.TrustLoopback(peer.NewContext(t.Context(), &peer.Peer{})) {
		t.Error("who is not known is trusted")
	}
}

// T32: only the other end of the connection counts.
func TestPeerIsTrustedByItsAddress(t *testing.T) {
	trust := grpcx.TrustAny(grpcx.TrustCIDR("10.0.0.0/8", "fd00::/8"), grpcx.TrustCIDR("192.0.2.7"))
	for a, want := range map[net.Addr]bool{
		address{"tcp", "10.1.2.3:1"}:          true,
		address{"tcp", "[::ffff:10.1.2.3]:1"}: true,
		address{"tcp", "[fd00::1%eth0]:1"}:    true,
		address{"tcp", "192.0.2.7:1"}:         true,
		address{"tcp", "192.0.2.8:1"}:         false,
		address{"bufconn", "bufconn"}:         false,
	} {
		if got := trust(peer.NewContext(t.Context(), &peer.Peer{Addr: a})); got != want {
			t.Errorf("%v: %t, want %t", a, got, want)
		}
	}
	if trust(t.Context()) || grpcx.TrustAny()(t.Context()) {
		t.Error("who is not known is trusted")
	}
	defer func() {
		if v, _ := recover().(string); !strings.HasPrefix(v, "grpcx: TrustCIDR: ") {
			t.Errorf("a wrong prefix: %v", v)
		}
	}()
	grpcx.TrustCIDR("10.0.0.0/99")
}

// The first call was told, by a panic that named nothing.
func TestTrustAnyRefusesAFunctionThatIsNil(t *testing.T) {
	for want, functions := range map[string][]func(context.Context) bool{
		"grpcx: TrustAny: function 1 of 1 is nil": {nil},
		"grpcx: TrustAny: function 2 of 2 is nil": {grpcx.TrustAll, nil},
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("%v, want %q", got, want)
				}
			}()
			grpcx.TrustAny(functions...)
		}()
	}
}

// T32: a certificate that was not verified is worth nothing.
func TestPeerIsTrustedByItsVerifiedCertificate(t *testing.T) {
	leaf := &x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: "prod.example", Path: "/gateway"}}, DNSNames: []string{"gateway.internal"}}
	trust := grpcx.TrustClientCert("spiffe://prod.example/gateway")
	byName := grpcx.TrustClientCert("gateway.internal")
	verified := credentials.TLSInfo{State: tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}}}
	shown := credentials.TLSInfo{State: tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}}
	for _, c := range []struct {
		info  credentials.AuthInfo
		trust func(context.Context) bool
		want  bool
	}{
		{verified, trust, true},
		{verified, byName, true},
		{verified, grpcx.TrustClientCert("other"), false},
		{shown, trust, false},
		{nil, trust, false},
	} {
		if got := c.trust(peer.NewContext(t.Context(), &peer.Peer{AuthInfo: c.info})); got != c.want {
			t.Errorf("%v: %t, want %t", c.info, got, c.want)
		}
	}
	if trust(t.Context()) {
		t.Error("who is not known is trusted")
	}
}

func keyByAddr(ctx context.Context) string {
	key, ok := grpcx.KeyByAddr(ctx, "/a/B")
	if !ok {
		return "none"
	}
	return key
}

func TestClientIsNamedByItsAddress(t *testing.T) {
	for a, want := range map[net.Addr]string{
		address{"tcp", "10.0.0.1:99"}: "10.0.0.1", address{"tcp", "[2001:db8:1:2:3::1]:99"}: "2001:db8:1:2::", address{"unix", "@"}: "@",
	} {
		if got := keyByAddr(peer.NewContext(t.Context(), &peer.Peer{Addr: a})); got != want {
			t.Errorf("%v is named %q, want %q", a, got, want)
		}
	}
	if got := keyByAddr(t.Context()); got != "" {
		t.Errorf("nobody is named %q", got)
	}
}
