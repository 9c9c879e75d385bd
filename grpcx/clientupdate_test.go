package grpcx_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/timeout"
)

// over makes a call of a client, of which invoke is what grpc-go would do.
func over(
	ctx context.Context, c *grpcx.Client, method string, invoke func(context.Context) error, opts ...grpc.CallOption,
) error {
	var reply struct{}
	return c.UnaryInterceptor()(ctx, method, nil, &reply, nil,
		func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			return invoke(ctx)
		}, opts...)
}

// streamOver opens a stream of answers of a client, of which open is what grpc-go would do.
func streamOver(
	ctx context.Context, c *grpcx.Client, method string, open func(context.Context) (grpc.ClientStream, error),
	opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return c.StreamInterceptor()(ctx, &grpc.StreamDesc{ServerStreams: true}, nil, method,
		func(ctx context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
			return open(ctx)
		}, opts...)
}

// noStream opens a stream for which do is all that comes of it.
func noStream(do func(context.Context) error) func(context.Context) (grpc.ClientStream, error) {
	return func(ctx context.Context) (grpc.ClientStream, error) { return nil, do(ctx) }
}

// hang ends with its context.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

func answer(context.Context) error { return nil }

func unavailable(context.Context) error { return status.Error(codes.Unavailable, "down") }

// fullClient has each optional part.
func fullClient() grpcx.ClientConfig {
	cfg := quick()
	cfg.RetryCodes = []codes.Code{codes.Aborted, codes.Internal}
	cfg.Hedge = &hedge.Config{Delay: time.Second}
	cfg.Methods = map[string]grpcx.MethodConfig{
		"/a.B/Get*": {
			Idempotency: grpcx.Idempotent, Group: "reads", Timeout: time.Second, AttemptTimeout: time.Second / 2,
			RetryCodes: []codes.Code{codes.DataLoss}, Hedge: &hedge.Config{Delay: time.Minute},
		},
		"/a.B/Put": {},
	}
	return cfg
}

// A call that is under way keeps its limits, and the next one has the new ones.
func TestAnUpdateDoesNotCutTheCallsThatAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := with(func(c *grpcx.ClientConfig) {
			c.Retry.MaxAttempts = 1
			c.Methods = map[string]grpcx.MethodConfig{"/a.B/Long": {Timeout: 40 * time.Second, AttemptTimeout: grpcx.Off}}
		})
		client := grpcx.NewClient("test", cfg)
		took := func(method string, want time.Duration) {
			t.Helper()
			start := time.Now()
			err := over(t.Context(), client, method, hang)
			wantIs(t, err, timeout.ErrExceeded)
			if got := time.Since(start); got != want || !strings.Contains(err.Error(), want.String()) {
				t.Errorf("%s ended after %v with %v, want %v", method, got, err, want)
			}
		}
		var calls sync.WaitGroup
		calls.Go(func() { took("/a.B/C", 10*time.Second) })
		calls.Go(func() { took("/a.B/Long", 40*time.Second) })
		synctest.Wait()
		cfg.Timeout, cfg.AttemptTimeout = 4*time.Second, 2*time.Second
		cfg.Methods = map[string]grpcx.MethodConfig{"/a.B/Long": {Timeout: 6 * time.Second, AttemptTimeout: grpcx.Off}}
		if err := client.Update(cfg); err != nil {
			t.Fatal(err)
		}
		took("/a.B/C", 2*time.Second)
		took("/a.B/Long", 6*time.Second)
		calls.Wait()
		cfg.AttemptTimeout, cfg.Methods = grpcx.Off, nil
		if err := client.Update(cfg); err != nil {
			t.Fatal(err)
		}
		took("/a.B/Long", 4*time.Second)
		if got := client.Config(); !got.Equal(cfg) {
			t.Errorf("in force is %+v", got)
		}
	})
}

// What is said about methods holds for the next call, of methods that were called before as well.
func TestAnUpdateReachesMethodsThatAreKnown(t *testing.T) {
	client := grpcx.NewClient("test", quick())
	attempts := func(code codes.Code) (n int) {
		_ = over(t.Context(), client, "/a.B/C", func(context.Context) error {
			n++
			return status.Error(code, "no")
		})
		return n
	}
	if n := attempts(codes.Unavailable); n != 1 {
		t.Errorf("%d attempts at a method of which nothing is known", n)
	}
	cfg := with(func(c *grpcx.ClientConfig) {
		c.Retry.MaxAttempts = 2
		c.RetryCodes = []codes.Code{codes.DataLoss}
		c.Methods = map[string]grpcx.MethodConfig{"/a.B/*": {Idempotency: grpcx.Idempotent, Group: "b"}}
	})
	if err := client.Update(cfg); err != nil {
		t.Fatal(err)
	}
	if n, m := attempts(codes.Unavailable), attempts(codes.DataLoss); n != 2 || m != 2 {
		t.Errorf("%d and %d attempts", n, m)
	}
	if n := client.Known(); n != 1 { // for Lint
		t.Errorf("%d methods are known", n)
	}
	if group, idempotent := client.Method("/a.B/C"); group != "b" || !idempotent {
		t.Errorf("%s, %v", group, idempotent)
	}
}

func TestAnUpdateChangesWhoIsTrusted(t *testing.T) {
	client := grpcx.NewClient("test", quick())
	refused := func() (n int) {
		_ = client.UnaryInterceptor()(t.Context(), "/a.B/C", nil, nil, nil,
			func(_ context.Context, _ string, _, _ any, _ *grpc.ClientConn, o ...grpc.CallOption) error {
				n++
				for _, o := range o {
					if o, ok := o.(grpc.TrailerCallOption); ok {
						*o.TrailerAddr = metadata.Pairs("seawall-pushback", "refused")
					}
				}
				return status.Error(codes.Unavailable, "full")
			})
		return n
	}
	if n := refused(); n != 1 {
		t.Errorf("%d attempts", n)
	}
	if err := client.Update(with(func(c *grpcx.ClientConfig) { c.TrustPeer = grpcx.TrustAll })); err != nil {
		t.Fatal(err)
	}
	if n := refused(); n != 3 {
		t.Errorf("%d attempts with trust", n)
	}
}

// A stream keeps what it met to its end, and what the gates are told of it.
func TestAStreamIsSettledAsWhenItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := grpcx.NewClient("test", quick())
		open := func() grpc.ClientStream {
			t.Helper()
			stream, err := streamOver(t.Context(), client, "/a.B/C", func(ctx context.Context) (grpc.ClientStream, error) {
				return &scriptedStream{ctx: ctx, receive: []error{nil, io.EOF}}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return stream
		}
		before := open()
		if err := client.Update(with(func(c *grpcx.ClientConfig) { c.StreamSettle = time.Minute })); err != nil {
			t.Fatal(err)
		}
		for i, stream := range []grpc.ClientStream{before, open()} {
			if err := stream.RecvMsg(nil); err != nil {
				t.Fatal(err)
			}
			time.Sleep(6 * time.Second)
			wantTally(t, client, tally{Successes: 1}) // of the first, after 5 s
			if i == 1 {
				time.Sleep(time.Minute)
				wantTally(t, client, tally{Successes: 2})
			}
			if err := stream.RecvMsg(nil); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		}
	})
}

func TestAnUpdateClosesNoBreaker(t *testing.T) {
	client := grpcx.NewClient("test", with(func(c *grpcx.ClientConfig) { c.Breaker.MinCalls = 5 }))
	for range 5 {
		_ = over(t.Context(), client, "/a.B/C", unavailable)
	}
	wantIs(t, over(t.Context(), client, "/a.B/C", answer), breaker.ErrOpen)
	_, err := streamOver(t.Context(), client, "/a.Streams/C", noStream(unavailable), grpcx.CallMaxAttempts(1))
	wantCode(t, err, codes.Unavailable)
	next := with(func(c *grpcx.ClientConfig) {
		c.Breaker.MinCalls, c.Timeout, c.Bulkhead.Limit, c.StreamBulkhead.Limit = 7, time.Minute, 5, 6
	})
	if err := client.Update(next); err != nil {
		t.Fatal(err)
	}
	wantIs(t, over(t.Context(), client, "/a.B/C", answer), breaker.ErrOpen)
	for name, b := range client.Breakers() {
		if b.Config().MinCalls != 7 {
			t.Errorf("%s has the old configuration", name)
		}
	}
	for name, b := range client.Bulkheads() {
		if b.Config().Limit != 5 {
			t.Errorf("%s has the old configuration", name)
		}
	}
	streams := 0
	for name, b := range client.StreamBulkheads() {
		if streams++; b.Config().Limit != 6 {
			t.Errorf("%s has the old configuration", name)
		}
	}
	if streams != 1 {
		t.Errorf("there are %d bulkheads of streams", streams)
	}
}

// Somebody has opened a breaker by hand, and changes something else.
func TestAnUpdateOfSomethingElseLeavesTheModesAlone(t *testing.T) {
	cfg := quick()
	client := grpcx.NewClient("test", cfg)
	modes := func() (all []seawall.Mode) {
		for _, b := range client.Breakers() {
			all = append(all, b.Config().Mode)
		}
		for _, b := range client.Bulkheads() {
			all = append(all, b.Config().Mode)
		}
		return all
	}
	if err := over(t.Context(), client, "/a.B/C", answer); err != nil {
		t.Fatal(err)
	}
	for _, b := range client.Breakers() {
		if err := b.SetMode(seawall.ForcedOpen); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range client.Bulkheads() {
		if err := b.SetMode(seawall.Shadow); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Timeout = time.Minute
	if err := client.Update(cfg); err != nil {
		t.Fatal(err)
	}
	if got := modes(); !reflect.DeepEqual(got, []seawall.Mode{seawall.ForcedOpen, seawall.Shadow}) {
		t.Errorf("the modes are %v", got)
	}
	cfg.Breaker.MinCalls, cfg.Bulkhead.Limit = 9, 9 // which has a mode, too
	if err := client.Update(cfg); err != nil {
		t.Fatal(err)
	}
	if got := modes(); !reflect.DeepEqual(got, []seawall.Mode{seawall.Enforce, seawall.Enforce}) {
		t.Errorf("the modes are %v", got)
	}
}

// Hedges are switched off in an outage, and on again.
func TestAHedgeThatComesBackIsTheSame(t *testing.T) {
	cfg := fullClient()
	client := grpcx.NewClient("test", cfg)
	hedges := func() map[string]*hedge.Hedge {
		return maps.Collect(client.Hedges())
	}
	before := hedges()
	if len(before) != 3 {
		t.Fatalf("there are %v", before)
	}
	off := cfg
	off.Hedge, off.Methods = nil, nil
	if err := client.Update(off); err != nil {
		t.Fatal(err)
	}
	if got := hedges(); len(got) != 0 {
		t.Errorf("there are %v", got)
	}
	if err := over(t.Context(), client, "/a.B/GetX", answer); err != nil {
		t.Error(err)
	}
	cfg.Hedge = &hedge.Config{Delay: 3 * time.Second}
	if err := client.Update(cfg); err != nil {
		t.Fatal(err)
	}
	if got := hedges(); !reflect.DeepEqual(got, before) {
		t.Errorf("there are %v, want %v", got, before)
	}
	for pattern, want := range map[string]time.Duration{"": 3 * time.Second, "/a.B/Put": 3 * time.Second, "/a.B/Get*": time.Minute} {
		if got := before[pattern].Config(); got.Delay != want || got.Budget != client.Retry().Budget() {
			t.Errorf("%q has %+v", pattern, got)
		}
	}
	if err := over(t.Context(), client, "/a.B/GetX", answer); err != nil {
		t.Error(err)
	}
	if n := before["/a.B/Get*"].Stats().Calls(); n != 1 {
		t.Errorf("the hedge has seen %d calls, want that after it came back", n)
	}
	// With another budget of the retries.
	cfg.Retry.BudgetConfig = seawall.BudgetConfig{Burst: 77}
	if err := client.Update(cfg); err != nil {
		t.Fatal(err)
	}
	if got := before[""].Budget(); got == nil || got != client.Retry().Budget() {
		t.Error("hedges and retries do not share their budget any more")
	}
	for _, s := range cfg.Registry.Snapshots() {
		if strings.Contains(s.Name, "#") {
			t.Errorf("there are two %q", s.Name)
		}
	}
}

func TestAnUpdateOfAClientThatCannotBeChangesNothing(t *testing.T) {
	client := grpcx.NewClient("test", fullClient())
	for want, change := range map[string]func(*grpcx.ClientConfig){
		"grpcx: ClientConfig.Timeout is -5ns, want at least 1ms, or Off":     func(c *grpcx.ClientConfig) { c.Timeout = -5 },
		"grpcx: ClientConfig.MaxGroups is 5, want 1000: it cannot change":    func(c *grpcx.ClientConfig) { c.MaxGroups = 5 },
		"grpcx: ClientConfig.Hedge: hedge: Config.MaxAttempts is 99, want 1": func(c *grpcx.ClientConfig) { c.Hedge.MaxAttempts = 99 },
	} {
		cfg := fullClient()
		cfg.AttemptTimeout, cfg.Retry.MaxAttempts, cfg.Breaker.MinCalls = time.Minute, 7, 7
		change(&cfg)
		if err := client.Update(cfg); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if !client.Config().Equal(fullClient()) || client.Retry().Config().MaxAttempts == 7 {
			t.Errorf("in force is %+v", client.Config())
		}
	}
}

func TestAnUpdateIsLoggedOnceAndANullOneNotAtAll(t *testing.T) {
	var log strings.Builder
	registry := new(seawall.Registry)
	registry.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	cfg := grpcx.ClientConfig{Registry: registry}
	client := grpcx.NewClient("test", cfg)
	if err := client.Update(grpcx.ClientConfig{}); err != nil || log.String() != "" { // without the registry, as from a file
		t.Errorf("%v, and it says %s", err, log.String())
	}
	cfg.Timeout, cfg.StreamSettle, cfg.Methods = time.Minute, time.Second, fullClient().Methods
	if err := client.Update(cfg); err != nil {
		t.Fatal(err)
	}
	const want = `msg=seawall.config.updated kind=client name=test fields="timeout stream_settle methods"`
	if strings.Count(log.String(), "kind=client") != 1 || !strings.Contains(log.String(), want) {
		t.Errorf("it says\n%s", log.String())
	}
}

// What a file can say survives it, and what it can say differently is a difference.
func TestEveryFieldOfAClientConfigCounts(t *testing.T) {
	cfg := fullClient()
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var read grpcx.ClientConfig
	if err := json.Unmarshal(text, &read); err != nil || !read.Equal(cfg) {
		t.Errorf("read back as %+v, %v", read, err)
	}
	method := func(change func(*grpcx.MethodConfig)) func(*grpcx.ClientConfig) {
		return func(c *grpcx.ClientConfig) {
			m := c.Methods["/a.B/Get*"]
			change(&m)
			c.Methods["/a.B/Get*"] = m
		}
	}
	changes := map[string]func(*grpcx.ClientConfig){
		"Timeout":                func(c *grpcx.ClientConfig) { c.Timeout = time.Minute },
		"AttemptTimeout":         func(c *grpcx.ClientConfig) { c.AttemptTimeout = time.Second },
		"Retry":                  func(c *grpcx.ClientConfig) { c.Retry.MaxAttempts = 9 },
		"RetryCodes":             func(c *grpcx.ClientConfig) { c.RetryCodes = c.RetryCodes[1:] },
		"Hedge":                  func(c *grpcx.ClientConfig) { c.Hedge.Delay++ },
		"Breaker":                func(c *grpcx.ClientConfig) { c.Breaker.MinCalls = 9 },
		"Bulkhead":               func(c *grpcx.ClientConfig) { c.Bulkhead.Limit = 9 },
		"StreamBulkhead":         func(c *grpcx.ClientConfig) { c.StreamBulkhead.Limit = 9 },
		"StreamSettle":           func(c *grpcx.ClientConfig) { c.StreamSettle = grpcx.AtEnd },
		"Methods":                func(c *grpcx.ClientConfig) { delete(c.Methods, "/a.B/Put") },
		"MaxGroups":              func(c *grpcx.ClientConfig) { c.MaxGroups = 9 },
		"Methods.Idempotency":    method(func(m *grpcx.MethodConfig) { m.Idempotency = grpcx.FromProto }),
		"Methods.Group":          method(func(m *grpcx.MethodConfig) { m.Group = "" }),
		"Methods.Timeout":        method(func(m *grpcx.MethodConfig) { m.Timeout = 0 }),
		"Methods.AttemptTimeout": method(func(m *grpcx.MethodConfig) { m.AttemptTimeout = 0 }),
		"Methods.RetryCodes":     method(func(m *grpcx.MethodConfig) { m.RetryCodes = nil }),
		"Methods.Hedge":          method(func(m *grpcx.MethodConfig) { m.Hedge = nil }),
	}
	everyFieldCounts(t, fullClient, changes, map[reflect.Type]string{
		reflect.TypeFor[grpcx.ClientConfig](): "", reflect.TypeFor[grpcx.MethodConfig](): "Methods.",
	})
}

// everyFieldCounts checks that each of the changes is a difference, and that there is one for each field that a file can set,
// by its name behind the prefix of its type.
func everyFieldCounts[C interface{ Equal(C) bool }](
	t *testing.T, full func() C, changes map[string]func(*C), prefixes map[reflect.Type]string,
) {
	t.Helper()
	for name, change := range changes {
		cfg, other := full(), full()
		change(&other)
		if cfg.Equal(other) || other.Equal(cfg) {
			t.Errorf("%s is no difference", name)
		}
	}
	for kind, prefix := range prefixes {
		for field := range kind.Fields() {
			if _, ok := changes[prefix+field.Name]; !ok && field.Tag.Get("json") != "-" {
				t.Errorf("does Equal know %s%s?", prefix, field.Name)
			}
		}
	}
}

func TestConfigurationsThatMeanTheSameAreEqual(t *testing.T) {
	if got := grpcx.NewClient("test", grpcx.ClientConfig{Registry: silent()}).Config(); !got.Equal(grpcx.ClientConfig{}) {
		t.Errorf("the defaults differ from the zero value: %+v", got)
	}
	for name, change := range map[string]func(*grpcx.ClientConfig){
		"the order of codes": func(c *grpcx.ClientConfig) {
			c.RetryCodes = []codes.Code{codes.Internal, codes.Aborted, codes.Internal}
		},
		"a default that is said": func(c *grpcx.ClientConfig) {
			c.Timeout, c.Methods["/a.B/Put"] = 30*time.Second, grpcx.MethodConfig{Idempotency: grpcx.FromProto}
		},
		"whom the program trusts":  func(c *grpcx.ClientConfig) { c.TrustPeer = grpcx.TrustAll },
		"where the policies enter": func(c *grpcx.ClientConfig) { c.Registry = silent() },
	} {
		other := fullClient()
		change(&other)
		if !fullClient().Equal(other) || !other.Equal(fullClient()) {
			t.Errorf("%s is a difference", name)
		}
	}
	none := fullClient()
	none.Methods["/a.B/Put"] = grpcx.MethodConfig{RetryCodes: []codes.Code{}}
	if none.Equal(fullClient()) {
		t.Error("no codes are the same as those of the client")
	}
}

// T5, T19
func TestUpdatesAndCallsMayRunBesideEachOther(t *testing.T) {
	client := grpcx.NewClient("test", fullClient())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 300 {
				if err := over(t.Context(), client, fmt.Sprintf("/a.B/Get%d", i%7), answer); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		all.Go(func() {
			for i := range 50 {
				cfg := fullClient()
				cfg.Timeout, cfg.Bulkhead = time.Duration(i+5)*time.Second, bulkhead.Config{Limit: 10 + i}
				if i%3 == 0 {
					cfg.Hedge, cfg.Methods = nil, nil
				}
				if err := client.Update(cfg); err != nil {
					t.Error(err)
				}
				_, _ = client.Config(), client.Lint()
			}
		})
	}
	all.Wait()
}

// The usual way to change one field is to take the configuration in force. What other fields say by default about that one is
// not fixed by it.
func TestADefaultThatFollowsAnotherFieldFollowsItsUpdate(t *testing.T) {
	client := grpcx.NewClient("test", quick())
	if err := over(t.Context(), client, "/a.B/C", answer); err != nil {
		t.Fatal(err)
	}
	for attempt, want := range map[time.Duration]time.Duration{
		2 * time.Second: 1800 * time.Millisecond, grpcx.Off: breaker.NoSlowCalls, 10 * time.Second: 9 * time.Second,
	} {
		cfg := client.Config()
		cfg.AttemptTimeout = attempt
		if err := client.Update(cfg); err != nil {
			t.Fatal(err)
		}
		for name, b := range client.Breakers() {
			if got := b.Config().Slow.Over; got != want {
				t.Errorf("with attempts of %v a call to %s is slow from %v on, want %v", attempt, name, got, want)
			}
		}
	}
	said := quick()
	said.Breaker.Slow.Over = 9 * time.Second
	if !said.Equal(quick()) {
		t.Error("the default is another one when it is said")
	}
}

func ExampleClient_Update() {
	client := grpcx.NewClient("catalog", grpcx.ClientConfig{Registry: silent()})
	cfg := client.Config()
	cfg.AttemptTimeout = 2 * time.Second
	if err := client.Update(cfg); err != nil {
		fmt.Println(err)
	}
	fmt.Println(client.Config().AttemptTimeout)
	// Output: 2s
}
