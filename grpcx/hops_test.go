package grpcx_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// sight is what a hop knows of a call.
type sight struct {
	left     time.Duration
	attempt  int
	priority seawall.Priority
}

func sightOf(ctx context.Context) sight {
	left, _ := seawall.Remaining(ctx)
	return sight{left, seawall.Attempt(ctx), seawall.PriorityOf(ctx)}
}

// hops is a gateway that speaks HTTP, a service behind it that speaks gRPC, and what that depends on, which speaks HTTP,
// each in the hands of this module. The hooks run in the hops; an error ends the call there.
type hops struct {
	service, dependency func(context.Context) error
	admission           httpx.AdmissionConfig // of the dependency
	retry               retry.Config          // of all that call
	breaker             breaker.Config

	edge *http.Client
	url  string

	mu   sync.Mutex // guards seen
	seen map[string][]sight
}

func (h *hops) note(ctx context.Context, hop string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen[hop] = append(h.seen[hop], sightOf(ctx))
}

func (h *hops) at(hop string) []sight {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[hop]
}

// start builds the hops from the last to the first.
func (h *hops) start(t *testing.T) {
	t.Helper()
	h.seen = map[string][]sight{}
	registry := silent()
	inbound := httpx.InboundConfig{TrustPeer: httpx.TrustLoopback}
	client := func(name string) *http.Client {
		return httpx.NewClient(name, httpx.ClientConfig{
			Registry: registry, TrustPeer: httpx.TrustLoopback, Retry: h.retry, Breaker: h.breaker,
		})
	}
	listen := func(handler http.Handler) string {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}

	last := listen(httpx.NewHandler("dependency", httpx.ServerConfig{Inbound: inbound, Admission: h.admission, Registry: registry},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.note(r.Context(), "dependency")
			if err := h.dependency(r.Context()); err != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})))

	toLast := client("service to dependency")
	t.Cleanup(toLast.CloseIdleConnections)
	service := &rig{server: grpcx.NewServer("service", grpcx.ServerConfig{TrustPeer: grpcx.TrustLoopback, Registry: registry})}
	service.start(t, "loopback", handlers{do: func(ctx context.Context) error {
		h.note(ctx, "service")
		if err := h.service(ctx); err != nil {
			return err
		}
		return fetch(ctx, toLast, last)
	}}, service.server.Options()...)

	conn, err := grpc.NewClient(service.conn.Target(), append(
		grpcx.DialOptions("gateway to service", grpcx.ClientConfig{
			Registry: registry, TrustPeer: grpcx.TrustLoopback, Retry: h.retry, Breaker: h.breaker,
		}),
		grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	stub := echopb.NewEchoClient(conn)
	h.url = listen(httpx.NewHandler("gateway", httpx.ServerConfig{Inbound: inbound, Registry: registry},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.note(r.Context(), "gateway")
			if _, err := stub.Get(r.Context(), &echopb.EchoRequest{}); err != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})))
	h.edge = client("edge")
	t.Cleanup(h.edge.CloseIdleConnections)
}

// fetch makes an error of a response that is none of 2xx.
func fetch(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return status.Error(codes.Unavailable, resp.Status)
	}
	return nil
}

// The time that is left shrinks from hop to hop, and what the edge says of the call arrives at the end.
func TestDeadlineShrinksAndPriorityStaysFromHopToHop(t *testing.T) {
	h := &hops{service: nothing, dependency: nothing}
	h.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := fetch(seawall.WithPriority(ctx, seawall.SheddablePlus), h.edge, h.url); err != nil {
		t.Fatal(err)
	}
	before := 10 * time.Second
	for _, hop := range []string{"gateway", "service", "dependency"} {
		seen := h.at(hop)
		if len(seen) != 1 {
			t.Fatalf("the %s was asked %d times", hop, len(seen))
		}
		s := seen[0]
		if s.left <= 0 || s.left > before-5*time.Millisecond { // the margin is 10 ms, and a wire tells milliseconds
			t.Errorf("the %s has %v left, the hop before %v", hop, s.left, before)
		}
		if s.priority != seawall.SheddablePlus || s.attempt != 1 {
			t.Errorf("the %s sees %+v", hop, s)
		}
		before = s.left
	}
}

// Who repeats is seen by all behind it.
func TestAttemptsAreSeenByEveryHopBehind(t *testing.T) {
	var served, asked atomic.Int64
	h := &hops{
		service: func(context.Context) error {
			if served.Add(1) == 1 {
				return status.Error(codes.Unavailable, "once")
			}
			return nil
		},
		dependency: func(context.Context) error {
			if asked.Add(1) <= 2 { // the second is the repeat of one that is in a second attempt already
				return errors.New("twice")
			}
			return nil
		},
	}
	h.start(t)
	if err := fetch(t.Context(), h.edge, h.url); err != nil {
		t.Fatal(err)
	}
	attempts := func(hop string) (ns []int) {
		for _, s := range h.at(hop) {
			ns = append(ns, s.attempt)
		}
		return ns
	}
	for hop, want := range map[string]string{"gateway": "[1]", "service": "[1 2]", "dependency": "[2 2 3]"} {
		if got := fmt.Sprint(attempts(hop)); got != want {
			t.Errorf("the %s sees attempts %s, want %s", hop, got, want)
		}
	}
}

// T71: three layers with three attempts each would make 27 of one. Without breakers it is the budgets alone that hold.
func TestThreeLayersOfRetriesDoNotMultiply(t *testing.T) {
	h := &hops{
		service: nothing, dependency: func(context.Context) error { return errors.New("down") },
		retry: quick().Retry, breaker: breaker.Config{Mode: seawall.Off},
	}
	h.start(t)
	const calls = 100
	for range calls {
		if err := fetch(t.Context(), h.edge, h.url); err == nil {
			t.Fatal("a dependency that is down has answered")
		}
	}
	for _, hop := range []string{"gateway", "service"} {
		if n := len(h.at(hop)); n != calls {
			t.Errorf("of %d calls the %s got %d: who is next to the failure has repeated them", calls, hop, n)
		}
	}
	// While nothing succeeds, the service has the ten attempts of its budget's burst, and no more.
	if n := len(h.at("dependency")); n <= calls || n > calls+10 {
		t.Errorf("of %d calls the dependency got %d, want up to 10 more", calls, n)
	}
}

// A handler that returns the error of a retry says that it has done what can be done.
func TestRetryThatIsUsedUpIsNotRepeatedByTheNextLayer(t *testing.T) {
	var begun atomic.Int64
	down := serve(t, "loopback", grpcx.ServerConfig{}, func(context.Context) error {
		begun.Add(1)
		return status.Error(codes.Unavailable, "down")
	})
	layer := func(of *rig) *echopb.EchoClient {
		conn, err := grpc.NewClient(of.conn.Target(), append(
			grpcx.DialOptions("test", grpcx.ClientConfig{Registry: silent()}),
			grpc.WithTransportCredentials(insecure.NewCredentials()))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		stub := echopb.NewEchoClient(conn)
		return &stub
	}
	inner := layer(down)
	middle := serve(t, "loopback", grpcx.ServerConfig{}, func(ctx context.Context) error {
		return kinds["unary"](ctx, *inner)
	})
	outer := layer(middle)
	wantCode(t, kinds["unary"](t.Context(), *outer), codes.Unavailable)
	if n := begun.Load(); n != 3 {
		t.Errorf("one call came to %d attempts, want 3", n)
	}
}

// Three services after each other: who is told that attempts are used up tells the next one, also by a status of its own.
func TestUsedUpTravelsThroughServicesThatMakeTheirOwnStatus(t *testing.T) {
	for what, own := range map[string]func(error) error{
		"the client's error": func(err error) error { return err },
		"another status":     func(error) error { return status.Error(codes.Internal, "sorry") },
		"no status at all":   func(error) error { return errors.New("sorry") },
	} {
		for kind, call := range map[string]func(context.Context, echopb.EchoClient) error{
			"unary": func(ctx context.Context, c echopb.EchoClient) error {
				return kinds["unary"](ctx, c)
			},
			"a stream before its first message": func(ctx context.Context, c echopb.EchoClient) error {
				stream, err := c.List(ctx, &echopb.EchoRequest{})
				if err == nil {
					_, err = stream.Recv()
				}
				return err
			},
		} {
			t.Run(kind+", "+what, func(t *testing.T) {
				var begun [3]atomic.Int64
				next := func(context.Context) error { return status.Error(codes.Unavailable, "down") }
				for layer := range begun {
					within := next
					of := serve(t, "loopback", grpcx.ServerConfig{}, func(ctx context.Context) error {
						begun[layer].Add(1)
						return within(ctx)
					})
					conn, err := grpc.NewClient(of.conn.Target(), append(
						grpcx.DialOptions("test", grpcx.ClientConfig{Registry: silent()}),
						grpc.WithTransportCredentials(insecure.NewCredentials()))...)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = conn.Close() })
					next = func(ctx context.Context) error {
						if err := call(ctx, echopb.NewEchoClient(conn)); err != nil {
							return own(err)
						}
						return nil
					}
				}
				if err := next(t.Context()); err == nil {
					t.Fatal("no error")
				}
				if leaf, b, a := begun[0].Load(), begun[1].Load(), begun[2].Load(); leaf != 3 || b != 1 || a != 1 {
					t.Errorf("one call came to %d, %d and %d attempts, want 3, 1 and 1", leaf, b, a)
				}
			})
		}
	}
}

// A handler that has something else to say than a failure says nothing of attempts.
func TestAnAnswerInSpiteOfUsedUpAttemptsIsNotFinal(t *testing.T) {
	client := grpcx.NewClient("test", quick())
	for code, want := range map[codes.Code]string{codes.OK: "[]", codes.NotFound: "[]", codes.Internal: "[final]"} {
		r := apart(t, grpcx.ServerConfig{}, func(ctx context.Context) error {
			if err := over(ctx, client, "/a.B/C", unavailable, grpcx.CallIdempotent()); err == nil {
				t.Error("no error")
			}
			return status.Error(code, "something else") // nil for OK
		})
		var trailer metadata.MD
		wantCode(t, kinds["unary"](t.Context(), r.client, grpc.Trailer(&trailer)), code)
		if got := fmt.Sprint(trailer.Get("seawall-pushback")); got != want {
			t.Errorf("%v: told %s, want %s", code, got, want)
		}
	}
}

// Parts that are interceptors of their own say it once.
func TestRetryThatIsUsedUpIsToldOnce(t *testing.T) {
	client := grpcx.NewClient("test", quick())
	r := apart(t, grpcx.ServerConfig{}, func(ctx context.Context) error {
		return client.UnaryInterceptor()(ctx, "/a.B/C", nil, nil, nil,
			func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
				return status.Error(codes.Unavailable, "down")
			}, grpcx.CallIdempotent())
	})
	for kind, call := range kinds {
		var trailer metadata.MD
		wantCode(t, call(t.Context(), r.client, grpc.Trailer(&trailer)), codes.Unavailable)
		final, millis := trailer.Get("seawall-pushback"), trailer.Get("grpc-retry-pushback-ms")
		if fmt.Sprint(final, millis) != "[final] [-1]" {
			t.Errorf("%s: told %q, %q", kind, final, millis)
		}
	}
}

// T38: what our own client refuses inside of a handler is the server's state: no quota of the caller's, and no names.
func TestRejectionByAClientInsideOfAHandlerIsUnavailable(t *testing.T) {
	client := grpcx.NewClient("secret", with(func(c *grpcx.ClientConfig) { c.Breaker.Mode = seawall.ForcedOpen }))
	r := serve(t, "bufconn", grpcx.ServerConfig{}, func(ctx context.Context) error {
		return client.UnaryInterceptor()(ctx, "/a.B/C", nil, nil, nil, nil)
	})
	for kind, call := range kinds {
		var trailer metadata.MD
		err := call(t.Context(), r.client, grpc.Trailer(&trailer))
		wantCode(t, err, codes.Unavailable)
		if got := status.Convert(err).Message(); got != string(seawall.ReasonForced) {
			t.Errorf("%s: the reason is %q", kind, got)
		}
		if retryInfo(t, err) < time.Second || len(trailer.Get("grpc-retry-pushback-ms")) != 1 || trailer.Get("seawall-pushback") != nil {
			t.Errorf("%s: the trailer is %v", kind, trailer)
		}
	}
}

// A full house at the end: what the edge calls most important is served, and the rest is shed there.
func TestPrioritySetAtTheEdgeDecidesAtTheLastHop(t *testing.T) {
	d := newDoor()
	gate := bulkhead.New("dependency", bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 2}, Registry: silent()})
	h := &hops{
		service: nothing, dependency: d.hold, admission: httpx.AdmissionConfig{Gate: gate},
		retry: retry.Config{MaxAttempts: 1}, // who is shed is not to come again
	}
	h.start(t)
	call := func(p seawall.Priority) chan error {
		err := make(chan error, 1)
		go func() { err <- fetch(seawall.WithPriority(context.WithoutCancel(t.Context()), p), h.edge, h.url) }()
		return err
	}
	waiting := func(n int) {
		t.Helper()
		eventually(t, "they wait at the end", func() bool { return gate.Stats().Waiting == n })
	}
	first := call(seawall.Critical)
	<-d.inside
	sheddable := call(seawall.Sheddable)
	waiting(1)
	critical := call(seawall.Critical)
	waiting(2)
	plus := call(seawall.CriticalPlus) // there is no place left, so somebody has to go
	if err := <-sheddable; err == nil {
		t.Error("the least important was served")
	}
	last := call(seawall.CriticalPlus)
	if err := <-critical; err == nil {
		t.Error("of the rest the less important was served")
	}
	waiting(2)
	if s := gate.Stats().Levels; s.Sheddable.Rejected != 1 || s.Critical.Rejected != 1 || s.CriticalPlus.Rejected != 0 {
		t.Errorf("by level the end has turned away %+v", s)
	}
	close(d.open)
	for _, err := range []chan error{first, plus, last} {
		if err := <-err; err != nil {
			t.Error(err)
		}
	}
	for _, s := range h.at("dependency")[1:] {
		if s.priority != seawall.CriticalPlus {
			t.Errorf("the end has served %v", s.priority)
		}
	}
}
