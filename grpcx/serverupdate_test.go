package grpcx_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/timeout"
)

// under makes a call of a server, all of whose parts are around do.
func under(ctx context.Context, s *grpcx.Server, method string, do func(context.Context) error) error {
	handler := func(ctx context.Context, _ any) (any, error) { return nil, do(ctx) }
	for _, part := range []grpcx.Interceptor{s.Admit(), s.Quota(), s.Deadline(), s.Believe(), s.Recover()} {
		inner := handler
		handler = func(ctx context.Context, req any) (any, error) {
			return part.Unary(ctx, req, &grpc.UnaryServerInfo{FullMethod: method}, inner)
		}
	}
	_, err := handler(ctx, nil)
	return err
}

// fullServer has each part that may change.
func fullServer() grpcx.ServerConfig {
	cfg := fixed(2, 5)
	cfg.Registry = silent()
	cfg.Quota = grpcx.QuotaConfig{Limit: ratelimit.Config{Rate: 0.001, Burst: 100}, Key: grpcx.KeyByMetadata("tenant")}
	cfg.TrustPeer = grpcx.TrustAll
	cfg.HealthMethods = []string{"/a.B/Up"}
	return cfg
}

// A call that is under way keeps its limits, and the next one has the new ones.
func TestAnUpdateDoesNotCutTheHandlersThatRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := fullServer()
		s := grpcx.NewServer("api", cfg)
		took := func(of, want time.Duration) {
			t.Helper()
			ctx := t.Context()
			if of > 0 {
				within, cancel := context.WithTimeout(ctx, of)
				defer cancel()
				ctx = within
			}
			start := time.Now()
			err := under(ctx, s, "/a.B/C", func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			})
			if got := time.Since(start); got != want {
				t.Errorf("the handler's time was %v, want %v", got, want)
			}
			wantCode(t, err, codes.DeadlineExceeded)
		}
		var first sync.WaitGroup
		first.Go(func() { took(0, 30*time.Second) })
		first.Go(func() { took(20*time.Second, 20*time.Second-10*time.Millisecond) })
		synctest.Wait()
		cfg.Timeout, cfg.DeadlineMargin = time.Second, 100*time.Millisecond
		cfg.Admission.Fixed.Limit = 3
		if err := s.Update(cfg); err != nil {
			t.Fatal(err)
		}
		took(0, time.Second)
		cfg.Timeout = grpcx.Off
		if err := s.Update(cfg); err != nil {
			t.Fatal(err)
		}
		took(5*time.Second, 5*time.Second-100*time.Millisecond)
		first.Wait()
		if got := s.Config(); !got.Equal(cfg) {
			t.Errorf("in force is %+v", got)
		}
	})
}

// The limit, the quota and what is exempt change, and what was used up stays so. A configuration from a file has no
// functions: those that the server was made with stay.
func TestAnUpdateFromAFileForgetsNeitherTrustNorUse(t *testing.T) {
	cfg := fullServer()
	cfg.Quota.Limit.Burst = 4
	s := grpcx.NewServer("api", cfg)
	tenant := func(name string) context.Context {
		return metadata.NewIncomingContext(t.Context(), metadata.Pairs("tenant", name, "seawall-priority", "sheddable"))
	}
	for range 3 {
		if err := under(tenant("a"), s, "/a.B/C", answer); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var next grpcx.ServerConfig
	if err := json.Unmarshal(text, &next); err != nil {
		t.Fatal(err)
	}
	next.Quota.Limit.Burst = 2
	next.HealthMethods = []string{"/a.B/Down"}
	if err := s.Update(next); err != nil {
		t.Fatal(err)
	}
	for _, want := range []codes.Code{codes.OK, codes.ResourceExhausted} { // there is one of the four left
		wantCode(t, under(tenant("a"), s, "/a.B/C", answer), want)
	}
	for range 2 {
		if err := under(tenant("b"), s, "/a.B/C", func(ctx context.Context) error {
			if got := seawall.PriorityOf(ctx); got != seawall.Sheddable {
				t.Errorf("the peer is not trusted any more: the priority is %v", got)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	wantCode(t, under(tenant("b"), s, "/a.B/C", answer), codes.ResourceExhausted)
	if err := under(tenant("b"), s, "/a.B/Down", answer); err != nil {
		t.Errorf("what is exempt now: %v", err)
	}
	wantCode(t, under(tenant("b"), s, "/a.B/Up", answer), codes.ResourceExhausted)
}

func TestAnUpdateOfTheLimitKeepsTheSlotsThatAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := fixed(1, 0)
		cfg.Registry = silent()
		s := grpcx.NewServer("api", cfg)
		d := newDoor()
		var first sync.WaitGroup
		first.Go(func() {
			if err := under(t.Context(), s, "/a.B/C", d.hold); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		wantCode(t, under(t.Context(), s, "/a.B/C", answer), codes.Unavailable)
		cfg.Admission.Fixed.Limit = 2
		if err := s.Update(cfg); err != nil {
			t.Fatal(err)
		}
		if err := under(t.Context(), s, "/a.B/C", func(context.Context) error {
			wantCode(t, under(t.Context(), s, "/a.B/C", answer), codes.Unavailable)
			return nil
		}); err != nil {
			t.Error(err)
		}
		close(d.open)
		first.Wait()
		if n := s.Admission().(*bulkhead.Bulkhead).Stats().InUse; n != 0 {
			t.Errorf("%d slots are taken", n)
		}
	})
}

// Somebody has let everything in by hand, and changes something else.
func TestAnUpdateOfSomethingElseLeavesTheModeOfTheAdmissionAlone(t *testing.T) {
	for name, cfg := range map[string]grpcx.ServerConfig{"fixed": fixed(1, 0), "adaptive": {}} {
		cfg.Registry = silent()
		s := grpcx.NewServer("api", cfg)
		gate := s.Admission().(interface{ SetMode(seawall.Mode) error })
		mode := func() seawall.Mode {
			if a, ok := s.Admission().(*bulkhead.Adaptive); ok {
				return a.Config().Mode
			}
			return s.Admission().(*bulkhead.Bulkhead).Config().Mode
		}
		if err := gate.SetMode(seawall.Shadow); err != nil {
			t.Fatal(err)
		}
		cfg.Timeout = time.Minute
		if err := s.Update(cfg); err != nil || mode() != seawall.Shadow {
			t.Errorf("%s: %v, the mode is %v", name, err, mode())
		}
		if name == "fixed" {
			cfg.Admission.Fixed.Limit = 9
		} else {
			cfg.Admission.Adaptive.Max = 99
		}
		if err := s.Update(cfg); err != nil || mode() != seawall.Enforce || !s.Config().Equal(cfg) {
			t.Errorf("%s: %v, the mode is %v", name, err, mode())
		}
	}
}

// One gate of the user's, which may be in use elsewhere.
func TestAnUpdateDoesNotTouchAGateOfTheUsers(t *testing.T) {
	shared := bulkhead.New("shared", bulkhead.Config{Limit: 7, Registry: silent()})
	s := grpcx.NewServer("api", grpcx.ServerConfig{Admission: grpcx.AdmissionConfig{Gate: shared}, Registry: silent()})
	if err := s.Update(grpcx.ServerConfig{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if s.Admission() != seawall.Gate(shared) || shared.Config().Limit != 7 || s.Config().Timeout != time.Minute {
		t.Errorf("in force is %+v", s.Config())
	}
	if err := s.Update(fixed(5, 0)); err == nil {
		t.Error("a limit beside the gate was taken in")
	}
}

func TestAnUpdateOfAServerThatCannotBeChangesNothing(t *testing.T) {
	s := grpcx.NewServer("api", fullServer())
	none := grpcx.NewServer("api", grpcx.ServerConfig{Registry: silent()})
	for _, c := range []struct {
		server *grpcx.Server
		change func(*grpcx.ServerConfig)
		want   string
	}{
		{s, func(c *grpcx.ServerConfig) { c.Timeout = -5 }, "grpcx: ServerConfig.Timeout is -5ns, want at least 1ms, or Off"},
		{s, func(c *grpcx.ServerConfig) { c.Admission.Fixed = bulkhead.Config{} }, "grpcx: ServerConfig.Admission.Fixed.Limit is 0, want it as the server was made, which was 2"},
		{s, func(c *grpcx.ServerConfig) { c.Admission.Fixed.Limit = -1 }, "grpcx: ServerConfig.Admission: grpcx: AdmissionConfig.Fixed: bulkhead: Config.Limit is -1"},
		{s, func(c *grpcx.ServerConfig) {
			c.Admission.Place, c.Admission.Fixed.Queue.Limit = grpcx.BeforeDecode, bulkhead.NoQueue
		}, `grpcx: ServerConfig.Admission.Place is "before_decode", want "interceptor": it cannot change`},
		{s, func(c *grpcx.ServerConfig) { c.Quota = grpcx.QuotaConfig{} }, "grpcx: ServerConfig.Quota cannot come or go"},
		{s, func(c *grpcx.ServerConfig) { c.Quota = grpcx.QuotaConfig{Key: grpcx.KeyByAddr} }, "grpcx: ServerConfig.Quota cannot come or go"},
		{s, func(c *grpcx.ServerConfig) { c.Quota.Limit.Rate = -2 }, "grpcx: ServerConfig.Quota: grpcx: QuotaConfig.Limit: ratelimit: GroupConfig.Limiter: ratelimit: Config.Rate is -2"},
		{none, func(c *grpcx.ServerConfig) { c.Admission.Fixed = bulkhead.Config{} }, "grpcx: ServerConfig.Quota cannot come or go"},
	} {
		before := c.server.Config()
		cfg := fullServer()
		cfg.DeadlineMargin = time.Second
		c.change(&cfg)
		if err := c.server.Update(cfg); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
		if !c.server.Config().Equal(before) {
			t.Errorf("%s: in force is %+v", c.want, c.server.Config())
		}
	}
	if err := s.Update(s.Config()); err != nil {
		t.Error(err)
	}
	if err := none.Update(none.Config()); err != nil {
		t.Error(err)
	}
}

func TestEveryFieldOfAServerConfigCounts(t *testing.T) {
	changes := map[string]func(*grpcx.ServerConfig){
		"Quota":           func(c *grpcx.ServerConfig) { c.Quota.Limit.Burst = 9 },
		"Admission":       func(c *grpcx.ServerConfig) { c.Admission.Fixed.Limit = 9 },
		"Timeout":         func(c *grpcx.ServerConfig) { c.Timeout = time.Minute },
		"DeadlineMargin":  func(c *grpcx.ServerConfig) { c.DeadlineMargin = time.Minute },
		"HealthMethods":   func(c *grpcx.ServerConfig) { c.HealthMethods = nil },
		"Quota.Limit":     func(c *grpcx.ServerConfig) { c.Quota.Limit.Rate = 5 },
		"Quota.MaxKeys":   func(c *grpcx.ServerConfig) { c.Quota.MaxKeys = 5 },
		"Admission.Fixed": func(c *grpcx.ServerConfig) { c.Admission.Fixed.Queue.Limit = 6 },
		"Admission.Adaptive": func(c *grpcx.ServerConfig) {
			c.Admission.Fixed, c.Admission.Adaptive = bulkhead.Config{}, bulkhead.AdaptiveConfig{}
		},
		"Admission.Place": func(c *grpcx.ServerConfig) { c.Admission.Place = grpcx.BeforeDecode },
	}
	everyFieldCounts(t, fullServer, changes, map[reflect.Type]string{
		reflect.TypeFor[grpcx.ServerConfig](): "", reflect.TypeFor[grpcx.QuotaConfig](): "Quota.",
		reflect.TypeFor[grpcx.AdmissionConfig](): "Admission.",
	})
	learned := grpcx.ServerConfig{Admission: grpcx.AdmissionConfig{Adaptive: bulkhead.AdaptiveConfig{Max: 5}}}
	if learned.Equal(grpcx.ServerConfig{}) {
		t.Error("Admission.Adaptive.Max is no difference")
	}
	said := grpcx.ServerConfig{
		Timeout: 30 * time.Second, DeadlineMargin: 10 * time.Millisecond, TrustPeer: grpcx.TrustAll,
		Admission: grpcx.AdmissionConfig{Place: grpcx.InInterceptor, Adaptive: bulkhead.AdaptiveConfig{Initial: 64}},
	}
	if !said.Equal(grpcx.ServerConfig{}) || !grpcx.NewServer("api", withRegistry(grpcx.ServerConfig{})).Config().Equal(said) {
		t.Error("the defaults differ when they are said")
	}
}

// The limit of a second server of a name was that of the first, until an Update.
func TestTheLimitOfAServerHasItsNameInTheRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := grpcx.ServerConfig{Timeout: time.Second, Registry: silent()}
		_, second := grpcx.NewServer("api", cfg), grpcx.NewServer("api", cfg)
		for range 2 {
			var cause error
			wantCode(t, under(t.Context(), second, "/a.B/C", func(ctx context.Context) error {
				<-ctx.Done()
				cause = context.Cause(ctx)
				return ctx.Err()
			}), codes.DeadlineExceeded)
			if limit, ok := errors.AsType[*timeout.ExceededError](cause); !ok || limit.Name != "api#2" {
				t.Errorf("the handler's context has ended by %v, want the limit of api#2", cause)
			}
			cfg.Timeout = time.Minute
			if err := second.Update(cfg); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestAnUpdateOfAServerIsLogged(t *testing.T) {
	var log strings.Builder
	registry := new(seawall.Registry)
	registry.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	s := grpcx.NewServer("api", grpcx.ServerConfig{Registry: registry})
	if err := s.Update(grpcx.ServerConfig{}); err != nil || log.String() != "" { // without the registry, as from a file
		t.Errorf("%v, and it says %s", err, log.String())
	}
	if err := s.Update(grpcx.ServerConfig{Timeout: time.Minute, HealthMethods: []string{}}); err != nil {
		t.Fatal(err)
	}
	const want = `msg=seawall.config.updated kind=server name=api fields="timeout health_methods"`
	if !strings.Contains(log.String(), want) {
		t.Errorf("it says\n%s", log.String())
	}
}

// T5, T19
func TestUpdatesAndHandlersMayRunBesideEachOther(t *testing.T) {
	cfg := fullServer()
	cfg.Quota.Limit, cfg.Quota.Key = ratelimit.Config{Rate: 1e6, Burst: 1e6}, nil
	s := grpcx.NewServer("api", cfg)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 300 {
				if err := under(t.Context(), s, "/a.B/C", answer); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		all.Go(func() {
			for i := range 50 {
				next := cfg
				next.Timeout = time.Duration(i+1) * time.Second
				next.Admission.Fixed.Limit = i%3 + 1
				if err := s.Update(next); err != nil {
					t.Error(err)
				}
				_ = s.Config()
			}
		})
	}
	all.Wait()
	if err := errors.Join(s.Update(cfg), under(t.Context(), s, "/a.B/C", answer)); err != nil {
		t.Error(err)
	}
}

func ExampleServer_Update() {
	server := grpcx.NewServer("payments", grpcx.ServerConfig{Registry: silent()})
	cfg := server.Config()
	cfg.Timeout = 5 * time.Second
	if err := server.Update(cfg); err != nil {
		fmt.Println(err)
	}
	fmt.Println(server.Config().Timeout)
	// Output: 5s
}
