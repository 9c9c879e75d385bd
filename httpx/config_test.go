package httpx_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

func TestImpossibleConfigurationsAreRefusedByName(t *testing.T) {
	handler := http.NotFoundHandler()
	for _, row := range []struct {
		cfg  interface{ Validate() error }
		want string
	}{
		{httpx.ClientConfig{}, ""},
		{httpx.ClientConfig{Timeout: httpx.Off, AttemptTimeout: httpx.Off}, ""},
		{httpx.ClientConfig{Timeout: -2}, "httpx: ClientConfig.Timeout is -2ns, want at least 1ms, or Off"},
		{httpx.ClientConfig{AttemptTimeout: 10}, "httpx: ClientConfig.AttemptTimeout is 10ns, want at least 1ms, or Off"},
		{httpx.ClientConfig{MaxHosts: -1}, "httpx: ClientConfig.MaxHosts is -1, want 1 to 1000000"},
		{
			httpx.ClientConfig{Retry: retry.Config{MaxAttempts: -7}},
			"httpx: ClientConfig.Retry: retry: Config.MaxAttempts is -7",
		},
		{
			httpx.ClientConfig{Breaker: breaker.Config{FailureRate: 2}},
			"httpx: ClientConfig.Breaker: breaker: Config.FailureRate is 2",
		},
		{
			httpx.ClientConfig{Bulkhead: bulkhead.Config{Limit: -1}},
			"httpx: ClientConfig.Bulkhead: bulkhead: Config.Limit is -1",
		},
		{httpx.ServerConfig{}, ""},
		{httpx.ServerConfig{TimeLimit: httpx.TimeLimitConfig{FirstByte: httpx.Off}, HealthPaths: []string{}}, ""},
		{
			httpx.ServerConfig{TimeLimit: httpx.TimeLimitConfig{FirstByte: time.Microsecond}},
			"httpx: ServerConfig.TimeLimit: httpx: TimeLimitConfig.FirstByte is 1µs, want at least 1ms, or Off",
		},
		{httpx.ServerConfig{HealthPaths: []string{"/a", "b"}}, `httpx: ServerConfig.HealthPaths[1] is "b", want a path`},
		{
			httpx.ServerConfig{Admission: httpx.AdmissionConfig{Fixed: bulkhead.Config{Limit: -1}}},
			"httpx: ServerConfig.Admission: httpx: AdmissionConfig.Fixed: bulkhead: Config.Limit is -1",
		},
	} {
		err := row.cfg.Validate()
		if (row.want == "") != (err == nil) || !strings.HasPrefix(text(err), row.want) {
			t.Errorf("%+v: %v, want %q", row.cfg, err, row.want)
		}
		func() {
			defer func() {
				if got, _ := recover().(string); got != text(err) {
					t.Errorf("%+v: New panics with %q, want %q", row.cfg, got, text(err))
				}
			}()
			switch cfg := row.cfg.(type) {
			case httpx.ClientConfig:
				cfg.Registry = quiet()
				httpx.NewClient("test", cfg)
			case httpx.ServerConfig:
				cfg.Registry = quiet()
				httpx.NewHandler("test", cfg, handler)
			}
		}()
	}
}

func TestNewHandlerWantsAHandler(t *testing.T) {
	defer func() {
		if got := recover(); got != "httpx: NewHandler: the handler is nil" {
			t.Errorf("the panic is %v", got)
		}
	}()
	httpx.NewHandler("test", httpx.ServerConfig{Registry: quiet()}, nil)
}

func TestDefaultsReadBack(t *testing.T) {
	client := httpx.NewClient("test", httpx.ClientConfig{Registry: quiet()})
	tr := client.Transport.(*httpx.Transport)
	c := tr.Config()
	if c.Timeout != 30*time.Second || c.AttemptTimeout != 10*time.Second || c.MaxHosts != 1000 || tr.Name() != "test" {
		t.Errorf("the client's are %+v", c)
	}
	h := httpx.NewHandler("test", httpx.ServerConfig{Registry: quiet()}, http.NotFoundHandler())
	s := h.Config()
	if s.TimeLimit.FirstByte != 30*time.Second || strings.Join(s.HealthPaths, " ") != "/livez /readyz /startupz" ||
		h.Stats().Admission.Limit != 64 || h.Name() != "test" || h.String() != `handler "test"` {
		t.Errorf("the handler's are %+v", s)
	}
	s.HealthPaths[0] = "/scribbled" // T19
	if h.Config().HealthPaths[0] != "/livez" {
		t.Error("what Config returns is the handler's own")
	}
}

// A configuration is a file's: it is written and read without its functions.
func TestConfigurationsAreDataForFiles(t *testing.T) {
	for _, cfg := range []any{httpx.ClientConfig{Timeout: time.Second}, httpx.TimeLimitConfig{FirstByte: time.Second}} {
		text, err := json.Marshal(cfg)
		if err != nil || !strings.Contains(string(text), `":1000000000`) || strings.Contains(string(text), "rust") {
			t.Errorf("%s, %v", text, err)
		}
	}
}

// By the breaker's own default, uploads and long polls of five seconds were slow, and opened it although all succeeded.
func TestUploadsAndLongPollsAreNotSlowByDefault(t *testing.T) {
	for _, c := range []struct {
		cfg  httpx.ClientConfig
		want time.Duration
	}{
		{httpx.ClientConfig{}, 9 * time.Second},
		{httpx.ClientConfig{AttemptTimeout: time.Second}, 900 * time.Millisecond},
		{httpx.ClientConfig{AttemptTimeout: time.Millisecond}, time.Millisecond},
		{httpx.ClientConfig{AttemptTimeout: 40 * time.Second}, breaker.NoSlowCalls},
		{httpx.ClientConfig{AttemptTimeout: httpx.Off}, breaker.NoSlowCalls},
		{httpx.ClientConfig{Breaker: breaker.Config{Slow: breaker.SlowCalls{Over: time.Minute}}}, time.Minute},
	} {
		c.cfg.Registry = quiet()
		got := httpx.SlowOver(c.cfg)
		if got != c.want {
			t.Errorf("with an attempt limit of %v a call is slow over %v, want %v", c.cfg.AttemptTimeout, got, c.want)
		}
	}
}
