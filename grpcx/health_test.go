package grpcx_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/health"
)

const (
	serving    = healthpb.HealthCheckResponse_SERVING
	notServing = healthpb.HealthCheckResponse_NOT_SERVING
	unknown    = healthpb.HealthCheckResponse_SERVICE_UNKNOWN
)

// source is a HealthSource that the test changes.
type source struct {
	mu        sync.Mutex // guards the fields below
	is        map[string]bool
	tell      map[int]func()
	next      int
	panicking bool
}

func newSource(is map[string]bool) *source { return &source{is: is, tell: map[int]func(){}} }

func (s *source) Serving() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.panicking {
		s.panicking = false
		panic("ouch")
	}
	return maps.Clone(s.is)
}

func (s *source) OnChange(f func()) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.next
	s.next++
	s.tell[id] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.tell, id)
	}
}

func (s *source) set(service string, is bool) {
	s.mu.Lock()
	s.is[service] = is
	tell := maps.Clone(s.tell)
	s.mu.Unlock()
	for _, f := range tell {
		f()
	}
}

func (s *source) listeners() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tell)
}

// healthy is a server with a mirror.
func healthy(t *testing.T, s *source, cfg grpcx.ServerConfig, do func(context.Context) error) (*rig, *grpcx.HealthMirror, healthpb.HealthClient) {
	t.Helper()
	r := &rig{server: grpcx.NewServer("api", withRegistry(cfg))}
	r.grpc = grpc.NewServer(r.server.Options()...)
	mirror := grpcx.RegisterHealth(r.grpc, s)
	echopb.RegisterEchoServer(r.grpc, handlers{do: do}) // after the mirror, and still mirrored
	r.listen(t, "loopback")
	t.Cleanup(mirror.Shutdown)
	return r, mirror, healthpb.NewHealthClient(r.conn)
}

func check(t *testing.T, c healthpb.HealthClient, service string) healthpb.HealthCheckResponse_ServingStatus {
	t.Helper()
	resp, err := c.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
	if status.Code(err) == codes.NotFound {
		return unknown
	}
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetStatus()
}

func TestMirrorChecksAndListsWhatTheSourceAndTheServerKnow(t *testing.T) {
	const echo = "seawall.grpcx.echo.v1.Echo"
	s := newSource(map[string]bool{"": true, "billing": false})
	_, _, client := healthy(t, s, grpcx.ServerConfig{}, nothing)
	for _, c := range []struct {
		change string
		to     bool
		want   map[string]healthpb.HealthCheckResponse_ServingStatus
	}{
		{"", true, map[string]healthpb.HealthCheckResponse_ServingStatus{"": serving, "billing": notServing, echo: serving, "nobody": unknown}},
		{"", false, map[string]healthpb.HealthCheckResponse_ServingStatus{"": notServing, "billing": notServing, echo: notServing, "nobody": unknown}},
		{echo, true, map[string]healthpb.HealthCheckResponse_ServingStatus{"": notServing, "billing": notServing, echo: serving}},
		{"billing", true, map[string]healthpb.HealthCheckResponse_ServingStatus{"": notServing, "billing": serving, echo: serving}},
	} {
		s.set(c.change, c.to)
		list, err := client.List(t.Context(), &healthpb.HealthListRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(list.GetStatuses()); n != 4 { // with the service of health itself
			t.Errorf("%d services are listed: %v", n, list)
		}
		for service, want := range c.want {
			if got := check(t, client, service); got != want {
				t.Errorf("%q is %v, want %v", service, got, want)
			}
			if got := list.GetStatuses()[service].GetStatus(); want != unknown && got != want {
				t.Errorf("%q is listed as %v, want %v", service, got, want)
			}
		}
	}
}

func watch(t *testing.T, c healthpb.HealthClient, service string) grpc.ServerStreamingClient[healthpb.HealthCheckResponse] {
	t.Helper()
	stream, err := c.Watch(t.Context(), &healthpb.HealthCheckRequest{Service: service})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func wantTold(t *testing.T, stream grpc.ServerStreamingClient[healthpb.HealthCheckResponse], want healthpb.HealthCheckResponse_ServingStatus) {
	t.Helper()
	resp, err := stream.Recv()
	if err != nil || resp.GetStatus() != want {
		t.Fatalf("told %v, %v, want %v", resp.GetStatus(), err, want)
	}
}

func TestWatchTellsEachChangeOfItsService(t *testing.T) {
	s := newSource(map[string]bool{"": true})
	_, _, client := healthy(t, s, grpcx.ServerConfig{}, nothing)
	ready, later := watch(t, client, ""), watch(t, client, "later")
	wantTold(t, ready, serving)
	wantTold(t, later, unknown)
	s.set("other", true) // is nothing to tell
	s.set("later", true)
	wantTold(t, later, serving)
	s.set("", false)
	wantTold(t, ready, notServing)
	s.set("", true)
	wantTold(t, ready, serving)
}

// grpc-go's own mirror keeps Watch open, and GracefulStop hangs (grpc-go #8776).
func TestShutdownHoldsNotServingAndLetsGracefulStopEnd(t *testing.T) {
	s := newSource(map[string]bool{"": true, "billing": true})
	r, mirror, client := healthy(t, s, grpcx.ServerConfig{}, nothing)
	var streams []grpc.ServerStreamingClient[healthpb.HealthCheckResponse]
	for _, service := range []string{"", "billing", "nobody"} {
		streams = append(streams, watch(t, client, service))
	}
	wantTold(t, streams[0], serving)
	wantTold(t, streams[1], serving)
	wantTold(t, streams[2], unknown)
	mirror.Shutdown()
	mirror.Shutdown()
	s.set("", true)
	for _, stream := range streams[:2] {
		wantTold(t, stream, notServing)
	}
	for _, stream := range streams {
		_, err := stream.Recv()
		wantCode(t, err, codes.Unavailable)
	}
	if got := check(t, client, "billing"); got != notServing {
		t.Errorf("after Shutdown billing is %v", got)
	}
	if got := check(t, client, ""); got != notServing {
		t.Errorf("after Shutdown readiness is %v", got)
	}
	again := watch(t, client, "")
	wantTold(t, again, notServing)
	if n := s.listeners(); n != 0 {
		t.Errorf("%d listeners are left", n)
	}
	stopped := make(chan struct{})
	go func() { defer close(stopped); r.grpc.GracefulStop() }()
	select {
	case <-stopped:
	case <-time.After(10 * time.Second):
		t.Fatal("GracefulStop hangs")
	}
}

// Changes from many goroutines: the last one is what is shown, and no Watch is left behind.
func TestMirrorShowsTheLatestOfManyChanges(t *testing.T) {
	s := newSource(map[string]bool{"": false})
	_, _, client := healthy(t, s, grpcx.ServerConfig{}, nothing)
	for range 20 {
		s.set("", false)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { s.set("", true) })
		}
		all.Wait()
		eventually(t, "the latest is shown", func() bool { return check(t, client, "") == serving })
	}
	s.mu.Lock()
	s.panicking = true
	s.mu.Unlock()
	func() {
		defer func() { _ = recover() }() // the source's own goroutine
		s.set("", true)
	}()
	s.set("", false)
	if got := check(t, client, ""); got != notServing {
		t.Errorf("after a panic of the source readiness is %v", got)
	}
}

// A full server that fails its probe gets killed, and that is the outage.
func TestHealthIsLetInWhateverElseGoesOn(t *testing.T) {
	for _, place := range []grpcx.Place{grpcx.InInterceptor, grpcx.BeforeDecode} {
		d := newDoor()
		cfg := fixed(1, 0)
		cfg.Admission.Place = place
		cfg.Quota.Limit.Rate, cfg.Quota.Limit.Burst = 0.001, 1
		r, _, client := healthy(t, newSource(map[string]bool{"": true}), cfg, d.hold)
		release := r.fill(t, d, 1)
		r.server.Drain()
		for range 3 {
			if got := check(t, client, ""); got != serving {
				t.Errorf("%s: a full server is %v", place, got)
			}
		}
		wantTold(t, watch(t, client, ""), serving)
		if _, err := client.List(t.Context(), &healthpb.HealthListRequest{}); err != nil {
			t.Error(err)
		}
		if n := r.stats().InUse; n != 1 {
			t.Errorf("%s: %d slots are in use", place, n)
		}
		release()
	}
}

// The package for it is a source as it is.
func TestMirrorFollowsPackageHealth(t *testing.T) {
	var failing atomic.Bool
	h := health.New("api", health.Config{Registry: silent(), Interval: 10 * time.Millisecond})
	if err := h.Add(health.Check{Name: "disk", Scope: health.Local, Run: func(context.Context) error {
		if failing.Load() {
			return errors.New("full")
		}
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	r := &rig{grpc: grpc.NewServer()}
	mirror := grpcx.RegisterHealth(r.grpc, h)
	r.listen(t, "loopback")
	t.Cleanup(mirror.Shutdown)
	h.Start()
	t.Cleanup(func() {
		if err := h.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	stream := watch(t, healthpb.NewHealthClient(r.conn), "")
	for told := notServing; told != serving; {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		told = resp.GetStatus()
	}
	failing.Store(true)
	wantTold(t, stream, notServing)
	failing.Store(false)
	wantTold(t, stream, serving)
	h.Drain()
	wantTold(t, stream, notServing)
}
