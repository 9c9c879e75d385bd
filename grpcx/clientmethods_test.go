package grpcx_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/hedge"
)

// The full name counts before all patterns, and the longest pattern before the others.
func TestTheMostExactEntryOfTheMethodsCounts(t *testing.T) {
	client := grpcx.NewClient("test", grpcx.ClientConfig{
		Registry: silent(),
		Methods: map[string]grpcx.MethodConfig{
			"/*":                                {Group: "all"},
			"/seawall.grpcx.echo.v1.Echo/P*":    {Group: "p"},
			"/seawall.grpcx.echo.v1.Echo/Post":  {Group: "post", Idempotency: grpcx.Idempotent},
			"/seawall.grpcx.echo.v1.Echo/Po*":   {Group: "po"},
			"/seawall.grpcx.echo.v1.Echo/Get":   {Idempotency: grpcx.NotIdempotent},
			"/seawall.grpcx.echo.v1.Echo/Take*": {Group: "take", Idempotency: grpcx.FromProto},
		},
	})
	for method, want := range map[string]struct {
		group      string
		idempotent bool
	}{
		"/seawall.grpcx.echo.v1.Echo/Post":   {"post", true},
		"/seawall.grpcx.echo.v1.Echo/Poster": {"po", false},
		"/seawall.grpcx.echo.v1.Echo/Put":    {"p", true},
		"/seawall.grpcx.echo.v1.Echo/List":   {"all", true},
		"/seawall.grpcx.echo.v1.Echo/Take":   {"take", false},
		"/seawall.grpcx.echo.v1.Echo/Get":    {"seawall.grpcx.echo.v1.Echo", false},
		"/unknown.Service/Get":               {"all", false},
		"":                                   {"", false},
		"nonsense":                           {"nonsense", false},
	} {
		if group, idempotent := client.Method(method); group != want.group || idempotent != want.idempotent {
			t.Errorf("%q: %q, %v, want %q, %v", method, group, idempotent, want.group, want.idempotent)
		}
	}
}

// T69
func TestLintFindsNothingInTheDefaults(t *testing.T) {
	client, stub := pair(t, grpcx.ClientConfig{Registry: silent()}, &echo{})
	if _, err := call(t.Context(), stub, post); err != nil {
		t.Fatal(err)
	}
	if found := client.Lint(); found != nil {
		t.Errorf("it finds %v", found)
	}
}

// T69: grpc-go's own retry beside ours, and services of which nothing may be repeated.
func TestLintNamesRetriesOnTopOfEachOther(t *testing.T) {
	const twice = `{"methodConfig": [{"name": [{"service": "seawall.grpcx.echo.v1.Echo"}], "retryPolicy": {
		"maxAttempts": 3, "initialBackoff": "0.001s", "maxBackoff": "0.001s", "backoffMultiplier": 1,
		"retryableStatusCodes": ["UNAVAILABLE"]}}]}`
	run := func(t *testing.T, options func(*grpcx.Client) []grpc.DialOption) (calls int64, rules []string) {
		n := inMemory(t)
		e := &echo{unary: failing(99, codes.Unavailable)}
		n.serve(t, e)
		client := grpcx.NewClient("test", quick())
		conn := n.connect(t, append(options(client), grpc.WithDefaultServiceConfig(twice))...)
		_, err := call(t.Context(), echopb.NewEchoClient(conn), get)
		wantCode(t, err, codes.Unavailable)
		for _, f := range client.Lint(conn) {
			rules = append(rules, f.Rule)
		}
		return e.calls.Load(), rules
	}
	calls, rules := run(t, (*grpcx.Client).DialOptions)
	if calls != 3 || rules != nil {
		t.Errorf("with our options there are %d calls, and Lint finds %v", calls, rules)
	}
	calls, rules = run(t, func(c *grpcx.Client) []grpc.DialOption {
		return []grpc.DialOption{grpc.WithUnaryInterceptor(c.UnaryInterceptor())}
	})
	if calls != 9 || len(rules) != 1 || rules[0] != "both_retry" {
		t.Errorf("with an interceptor alone there are %d calls, and Lint finds %v", calls, rules)
	}
}

// T69: Lint went by the limits of methods without an entry alone.
func TestLintLooksAtEveryEntryOfTheMethods(t *testing.T) {
	client := grpcx.NewClient("test", with(func(c *grpcx.ClientConfig) {
		c.Methods = map[string]grpcx.MethodConfig{
			"/a.B/Total":   {Timeout: time.Second},
			"/a.B/Attempt": {AttemptTimeout: 20 * time.Second},
			"/a.B/Hedge*":  {Hedge: &hedge.Config{Delay: 11 * time.Second}},
			"/a.B/Good":    {Timeout: 20 * time.Second, AttemptTimeout: time.Second},
		}
	}))
	got := map[string]int{}
	for _, f := range client.Lint() {
		got[f.Rule+" of "+strings.Join(f.Policies, ", ")]++
	}
	want := map[string]int{
		`limit_never_reached of timeout "test /a.B/Total.total", timeout "test.attempt"`: 1,
		`total_too_short of timeout "test.total", timeout "test /a.B/Attempt.attempt"`:   1,
		`window_too_short of breaker "test", timeout "test /a.B/Attempt.attempt"`:        1,
		`hedge_never_starts of hedge "test /a.B/Hedge*", timeout "test.attempt"`:         1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("Lint finds %v, want %v", got, want)
	}
}

// What a call has said by CallIdempotent is heard.
func TestLintKnowsTheCallsThatMayBeCarriedOutTwice(t *testing.T) {
	client, stub := pair(t, with(func(c *grpcx.ClientConfig) {
		c.Methods = map[string]grpcx.MethodConfig{"/*": {Idempotency: grpcx.NotIdempotent}}
	}), &echo{})
	for _, c := range []struct {
		opts []grpc.CallOption
		want []string
	}{{nil, []string{"nothing_idempotent"}}, {[]grpc.CallOption{grpcx.CallIdempotent()}, nil}} {
		if _, err := call(t.Context(), stub, post, c.opts...); err != nil {
			t.Fatal(err)
		}
		if err := client.Update(client.Config()); err != nil { // which makes a table of its own
			t.Fatal(err)
		}
		var rules []string
		for _, f := range client.Lint() {
			rules = append(rules, f.Rule)
		}
		if !slices.Equal(rules, c.want) {
			t.Errorf("with %d options Lint finds %v, want %v", len(c.opts), rules, c.want)
		}
	}
}

func TestLintNamesServicesThatSayNothing(t *testing.T) {
	for idempotency, want := range map[grpcx.Idempotency]int{grpcx.NotIdempotent: 1, grpcx.FromProto: 0} {
		client := grpcx.NewClient("test", with(func(c *grpcx.ClientConfig) {
			c.Timeout = time.Second
			c.Retry.MaxAttempts = 1
			c.Methods = map[string]grpcx.MethodConfig{"/*": {Idempotency: idempotency}}
		}))
		conn, err := grpc.NewClient("passthrough:///nowhere.invalid:1",
			append(client.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = call(t.Context(), echopb.NewEchoClient(conn), post) // that it was asked for is enough
		conn.Close()
		found := 0
		for _, f := range client.Lint() {
			if f.Rule == "nothing_idempotent" {
				found++
			}
		}
		if found != want {
			t.Errorf("%s: it is found %d times, want %d", idempotency, found, want)
		}
	}
}

// A policy's own configuration may name another registry than the client's. Families are one member there.
func TestPoliciesEnterTheRegistryThatTheirOwnConfigurationNames(t *testing.T) {
	main, breakers, slots := silent(), silent(), silent()
	cfg := grpcx.ClientConfig{Registry: main}
	cfg.Breaker.Registry, cfg.Bulkhead.Registry = breakers, slots
	client := grpcx.NewClient("test", cfg)
	for _, method := range []string{"/a.B/C", "/d.E/F"} {
		if err := over(t.Context(), client, method, answer); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		registry *seawall.Registry
		want     []string
	}{
		"client":    {main, []string{"bulkhead test.streams", "retry test", "timeout test.total"}},
		"breakers":  {breakers, []string{"breaker test"}},
		"bulkheads": {slots, []string{"bulkhead test"}},
	} {
		var got []string
		for _, s := range c.registry.Snapshots() {
			got = append(got, s.Kind+" "+s.Name)
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
