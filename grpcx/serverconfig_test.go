package grpcx_test

import (
	"context"
	"encoding/json"
	"math"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/peer"

	"github.com/seawall-go/seawall"
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
		{grpcx.ServerConfig{Timeout: grpcx.Off, DeadlineMargin: grpcx.Off, Limit: grpcx.AdaptiveLimit, Place: grpcx.BeforeDecode}, ""},
		{grpcx.ServerConfig{Limit: "none"}, `grpcx: ServerConfig.Limit is "none", want "fixed" or "adaptive"`},
		{grpcx.ServerConfig{Place: "tap"}, `grpcx: ServerConfig.Place is "tap", want "interceptor" or "before_decode"`},
		{grpcx.ServerConfig{Timeout: -time.Second}, "grpcx: ServerConfig.Timeout is -1s, want at least 1ms, or Off"},
		{grpcx.ServerConfig{Timeout: 1}, "grpcx: ServerConfig.Timeout is 1ns"},
		{grpcx.ServerConfig{DeadlineMargin: time.Microsecond}, "grpcx: ServerConfig.DeadlineMargin is 1µs"},
		{grpcx.ServerConfig{HealthMethods: []string{"/a/B", "Check"}}, `grpcx: ServerConfig.HealthMethods[1] is "Check"`},
		{grpcx.ServerConfig{Admission: bulkhead.Config{Limit: -1}}, "grpcx: ServerConfig.Admission: bulkhead: Config.Limit is -1"},
		{grpcx.ServerConfig{Adaptive: bulkhead.AdaptiveConfig{Min: -1}}, "grpcx: ServerConfig.Adaptive: bulkhead: AdaptiveConfig.Min is -1"},
		{quotaOf(ratelimit.Config{Rate: math.NaN()}), "grpcx: ServerConfig.Quota: ratelimit: GroupConfig.Limiter: ratelimit: Config.Rate is NaN"},
		{quotaOf(ratelimit.Config{Burst: 5}), "grpcx: ServerConfig.Quota: ratelimit: GroupConfig.Limiter: ratelimit: Config.Rate is 0"},
		{tapped(fixed(1, 5)), "grpcx: ServerConfig.Admission.Queue.Limit is 5, want NoQueue with BeforeDecode"},
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

func quotaOf(cfg ratelimit.Config) (c grpcx.ServerConfig) {
	c.Quota.Limiter = cfg
	return c
}

func tapped(cfg grpcx.ServerConfig) grpcx.ServerConfig {
	cfg.Place = grpcx.BeforeDecode
	return cfg
}

func TestServerConfigReadsBackWithItsDefaults(t *testing.T) {
	cfg := grpcx.NewServer("test", grpcx.ServerConfig{Registry: silent()}).Config()
	if cfg.Limit != grpcx.FixedLimit || cfg.Place != grpcx.InInterceptor || cfg.Admission.Limit != 256 ||
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
		c.Registry, c.QuotaKey, c.TrustPeer = nil, nil, nil
		c.Admission.Registry, c.Adaptive.Registry, c.Quota.Registry = nil, nil, nil
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

func TestClientIsNamedByItsHost(t *testing.T) {
	for a, want := range map[net.Addr]string{
		address{"tcp", "10.0.0.1:99"}: "10.0.0.1", address{"tcp", "[fe80::1]:99"}: "fe80::1", address{"unix", "@"}: "@",
	} {
		if got := grpcx.PeerHost(peer.NewContext(t.Context(), &peer.Peer{Addr: a}), "/a/B"); got != want {
			t.Errorf("%v is named %q, want %q", a, got, want)
		}
	}
	if got := grpcx.PeerHost(t.Context(), "/a/B"); got != "" {
		t.Errorf("nobody is named %q", got)
	}
}
