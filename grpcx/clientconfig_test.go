package grpcx_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/retry"
)

// T78
func TestClientConfigTable(t *testing.T) {
	method := func(pattern string, m grpcx.MethodConfig) grpcx.ClientConfig {
		return grpcx.ClientConfig{Methods: map[string]grpcx.MethodConfig{pattern: m}}
	}
	badPattern := func(pattern string) string {
		return `ClientConfig.Methods has "` + pattern + `", want a full method name, such as /catalog.v1.Catalog/GetItem, or the beginning of one and *`
	}
	for _, c := range []struct {
		cfg  grpcx.ClientConfig
		want string
	}{
		{grpcx.ClientConfig{}, ""},
		{grpcx.ClientConfig{Timeout: grpcx.Off, AttemptTimeout: grpcx.Off, StreamSettle: grpcx.AtEnd, MaxGroups: 1}, ""},
		{grpcx.ClientConfig{RetryCodes: []codes.Code{codes.Internal, codes.Aborted}, Hedge: &hedge.Config{}}, ""},
		{method("/catalog.v1.Catalog/GetItem", grpcx.MethodConfig{
			Idempotency: grpcx.Idempotent, Group: "reads", Timeout: time.Second, AttemptTimeout: grpcx.Off,
			RetryCodes: []codes.Code{codes.DataLoss}, Hedge: &hedge.Config{MaxAttempts: 1},
		}), ""},
		{method("/catalog.v1.Catalog/Get*", grpcx.MethodConfig{}), ""},
		{method("/catalog.v1.Catalog/*", grpcx.MethodConfig{}), ""},
		{method("/catalog.*", grpcx.MethodConfig{}), ""},
		{method("/*", grpcx.MethodConfig{}), ""},
		{grpcx.ClientConfig{Timeout: 1}, "ClientConfig.Timeout is 1ns, want at least 1ms, or Off"},
		{grpcx.ClientConfig{AttemptTimeout: -2}, "ClientConfig.AttemptTimeout is -2ns, want at least 1ms, or Off"},
		{grpcx.ClientConfig{StreamSettle: -2}, "ClientConfig.StreamSettle is -2ns, want at least 1ms, or AtEnd"},
		{grpcx.ClientConfig{MaxGroups: -1}, "ClientConfig.MaxGroups is -1, want 1 to 1000000"},
		{grpcx.ClientConfig{MaxGroups: 1_000_001}, "ClientConfig.MaxGroups is 1000001, want 1 to 1000000"},
		{grpcx.ClientConfig{RetryCodes: []codes.Code{codes.Internal, codes.OK}}, "ClientConfig.RetryCodes[1] is OK, want a code of gRPC other than OK"},
		{grpcx.ClientConfig{RetryCodes: []codes.Code{17}}, "ClientConfig.RetryCodes[0] is Code(17), want a code of gRPC other than OK"},
		{grpcx.ClientConfig{Retry: retry.Config{MaxAttempts: -2}}, "ClientConfig.Retry: retry: Config.MaxAttempts is -2, want at least 1, or Unlimited"},
		{grpcx.ClientConfig{Hedge: &hedge.Config{MaxAttempts: -1}}, "ClientConfig.Hedge: hedge: Config.MaxAttempts is -1, want 1 to 10"},
		{grpcx.ClientConfig{Breaker: breaker.Config{FailureRate: 2}}, "ClientConfig.Breaker: breaker: Config.FailureRate is 2, want 0.000001 to 1"},
		{grpcx.ClientConfig{Bulkhead: bulkhead.Config{Limit: -1}}, "ClientConfig.Bulkhead: bulkhead: Config.Limit is -1, want 1 to 1000000"},
		{grpcx.ClientConfig{StreamBulkhead: bulkhead.Config{Limit: -1}}, "ClientConfig.StreamBulkhead: bulkhead: Config.Limit is -1, want 1 to 1000000"},
		{method("", grpcx.MethodConfig{}), badPattern("")},
		{method("*", grpcx.MethodConfig{}), badPattern("*")},
		{method("catalog.v1.Catalog/GetItem", grpcx.MethodConfig{}), badPattern("catalog.v1.Catalog/GetItem")},
		{method("/catalog.v1.Catalog", grpcx.MethodConfig{}), badPattern("/catalog.v1.Catalog")},
		{method("/catalog.v1.Catalog/", grpcx.MethodConfig{}), badPattern("/catalog.v1.Catalog/")},
		{method("/*/GetItem", grpcx.MethodConfig{}), badPattern("/*/GetItem")},
		{method("/a/b/c", grpcx.MethodConfig{}), badPattern("/a/b/c")},
		{method("/a/b**", grpcx.MethodConfig{}), badPattern("/a/b**")},
		{method("/*", grpcx.MethodConfig{Idempotency: "yes"}), `ClientConfig.Methods["/*"].Idempotency is "yes", want "from_proto", "idempotent" or "not_idempotent"`},
		{method("/*", grpcx.MethodConfig{Timeout: 1}), `ClientConfig.Methods["/*"].Timeout is 1ns, want at least 1ms, or Off`},
		{method("/*", grpcx.MethodConfig{AttemptTimeout: 1}), `ClientConfig.Methods["/*"].AttemptTimeout is 1ns, want at least 1ms, or Off`},
		{method("/*", grpcx.MethodConfig{RetryCodes: []codes.Code{0}}), `ClientConfig.Methods["/*"].RetryCodes[0] is OK, want a code of gRPC other than OK`},
		{method("/*", grpcx.MethodConfig{Hedge: &hedge.Config{MaxAttempts: 11}}), `ClientConfig.Methods["/*"].Hedge: hedge: Config.MaxAttempts is 11, want 1 to 10`},
	} {
		text := ""
		if err := c.cfg.Validate(); err != nil {
			text = strings.TrimPrefix(err.Error(), "grpcx: ")
		}
		if text != c.want {
			t.Errorf("%+v: the error is %q, want %q", c.cfg, text, c.want)
		}
		if c.want == "" {
			c.cfg.Registry = silent()
			client := grpcx.NewClient("test", c.cfg)
			if again := client.Config(); again.Validate() != nil {
				t.Errorf("%+v reads back as %+v", c.cfg, again)
			}
			continue
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v makes a client", c.cfg)
				}
			}()
			grpcx.DialOptions("test", c.cfg)
		}()
	}
}

func TestClientConfigComesFromJSON(t *testing.T) {
	var cfg grpcx.ClientConfig
	err := json.Unmarshal([]byte(`{
		"timeout": 5000000000, "retry_codes": ["INTERNAL"], "hedge": {"delay": 1000000},
		"methods": {"/catalog.v1.Catalog/Get*": {"idempotency": "idempotent", "group": "reads", "retry_codes": ["ABORTED"]}}
	}`), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	m := cfg.Methods["/catalog.v1.Catalog/Get*"]
	if cfg.Validate() != nil || cfg.Timeout != 5*time.Second || cfg.RetryCodes[0] != codes.Internal ||
		cfg.Hedge.Delay != time.Millisecond || m.Idempotency != grpcx.Idempotent || m.Group != "reads" || m.RetryCodes[0] != codes.Aborted {
		t.Errorf("it reads %+v", cfg)
	}
}

// The caller's configuration may be changed afterwards.
func TestAClientKeepsItsOwnConfiguration(t *testing.T) {
	cfg := quick()
	cfg.Hedge = &hedge.Config{}
	cfg.RetryCodes = []codes.Code{codes.Internal}
	cfg.Methods = map[string]grpcx.MethodConfig{"/*": {RetryCodes: []codes.Code{codes.Internal}}}
	client := grpcx.NewClient("test", cfg)
	cfg.Hedge.MaxAttempts, cfg.RetryCodes[0], cfg.Methods["/*"].RetryCodes[0] = 9, codes.OK, codes.OK
	delete(cfg.Methods, "/*")
	got := client.Config()
	if got.Hedge.MaxAttempts == 9 || got.RetryCodes[0] != codes.Internal || got.Methods["/*"].RetryCodes[0] != codes.Internal {
		t.Errorf("it has become %+v", got)
	}
}

// Everything of a client is in one registry, however many targets it has.
func TestAClientEntersItsPoliciesIntoItsRegistry(t *testing.T) {
	registry := new(seawall.Registry)
	before := len(seawall.DefaultRegistry().Members())
	client := grpcx.NewClient("shop", grpcx.ClientConfig{
		Registry: registry, Hedge: &hedge.Config{},
		Methods: map[string]grpcx.MethodConfig{"/catalog.v1.Catalog/*": {Timeout: time.Second}},
	})
	var got []string
	for _, m := range registry.Snapshots() {
		got = append(got, m.Kind+" "+m.Name)
	}
	want := "breaker shop, bulkhead shop, bulkhead shop.streams, hedge shop, hedge shop /catalog.v1.Catalog/*, " +
		"retry shop, timeout shop /catalog.v1.Catalog/*.total, timeout shop.total"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("the registry has %s, want %s", text, want)
	}
	if after := len(seawall.DefaultRegistry().Members()); after != before {
		t.Errorf("the default registry has got %d members", after-before)
	}
	if client.Name() != "shop" || client.String() != `client "shop"` {
		t.Errorf("it is called %s", client)
	}
}
