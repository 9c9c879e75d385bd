package grpcx

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// HealthSource is what a [HealthMirror] shows.
type HealthSource interface {
	// Serving returns whether the program takes calls, by the name of the service. The name "" is readiness, and is always there;
	// a service that is not there is as ready as the program. Who is degraded takes calls. Serving may be called at any
	// time, from any goroutine, also inside of what OnChange was given.
	Serving() map[string]bool
	// OnChange has f called after each change of what Serving returns, from any goroutine, until stop is called.
	OnChange(f func()) (stop func())
}

// HealthMirror is a grpc.health.v1 service (Check, Watch and List) that shows what a [HealthSource] says. Calls to it are
// always let in by a [Server]. A Check or List takes no lock, and asks the source nothing; Watch tells changes as they
// come, and only the latest to a client that is slow. It is safe for concurrent use.
type HealthMirror struct {
	grpc_health_v1.UnimplementedHealthServer

	source   HealthSource
	services func() map[string]grpc.ServiceInfo // of the server, once
	stop     func()                             // no more changes

	changes atomic.Int64 // those that nobody has looked at, and the one that somebody is at
	mu      sync.Mutex   // guards the writing of state
	state   atomic.Pointer[healthState]
}

// healthState is what is shown until the next change. Its fields never change.
type healthState struct {
	serving map[string]bool
	over    bool          // nothing serves, and Watch ends
	changed chan struct{} // closed when another one is shown
}

// RegisterHealth makes a HealthMirror and registers it with a server, for all services that are registered there before
// it serves. Call [HealthMirror.Shutdown] before GracefulStop, which waits for all streams, those of Watch as well.
func RegisterHealth(server *grpc.Server, source HealthSource) *HealthMirror {
	m := &HealthMirror{source: source, services: sync.OnceValue(server.GetServiceInfo)}
	m.state.Store(&healthState{changed: make(chan struct{})})
	m.stop = source.OnChange(m.look)
	m.look()
	grpc_health_v1.RegisterHealthServer(server, m)
	return m
}

// Shutdown lets all services be NOT_SERVING from now on, whatever the source says, and ends the streams of Watch when they have
// told so; new ones tell it and end. It does not wait for that. It may be called several times.
func (m *HealthMirror) Shutdown() {
	m.stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.showLocked(healthState{serving: m.state.Load().serving, over: true})
}

// look shows what the source says. Of those who come at once only the first asks it, and again if others came meanwhile:
// so the latest is shown last, and the source is asked under no lock.
func (m *HealthMirror) look() {
	if m.changes.Add(1) > 1 {
		return
	}
	ended := false
	defer func() {
		if !ended { // the source has panicked: the next change is looked at
			m.changes.Store(0)
		}
	}()
	for !ended {
		seen := m.changes.Load()
		serving := m.source.Serving()
		m.mu.Lock()
		m.showLocked(healthState{serving: serving})
		m.mu.Unlock()
		ended = m.changes.CompareAndSwap(seen, 0)
	}
}

func (m *HealthMirror) showLocked(s healthState) {
	before := m.state.Load()
	if before.over {
		return
	}
	s.changed = make(chan struct{})
	m.state.Store(&s)
	close(before.changed)
}

// of returns the status of a service.
func (m *HealthMirror) of(s *healthState, service string) grpc_health_v1.HealthCheckResponse_ServingStatus {
	serving, named := s.serving[service]
	if !named && service != "" {
		if _, registered := m.services()[service]; !registered {
			return grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN
		}
		serving = s.serving[""]
	}
	if serving && !s.over {
		return grpc_health_v1.HealthCheckResponse_SERVING
	}
	return grpc_health_v1.HealthCheckResponse_NOT_SERVING
}

// Check returns the status of a service, or NOT_FOUND for one that neither the source nor the server knows.
func (m *HealthMirror) Check(
	_ context.Context, req *grpc_health_v1.HealthCheckRequest,
) (*grpc_health_v1.HealthCheckResponse, error) {
	is := m.of(m.state.Load(), req.GetService())
	if is == grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, status.Error(codes.NotFound, "unknown service")
	}
	return &grpc_health_v1.HealthCheckResponse{Status: is}, nil
}

// List returns the statuses of all services that the source or the server knows.
func (m *HealthMirror) List(
	context.Context, *grpc_health_v1.HealthListRequest,
) (*grpc_health_v1.HealthListResponse, error) {
	s := m.state.Load()
	statuses := map[string]*grpc_health_v1.HealthCheckResponse{}
	add := func(service string) {
		statuses[service] = &grpc_health_v1.HealthCheckResponse{Status: m.of(s, service)}
	}
	add("")
	for service := range s.serving {
		add(service)
	}
	for service := range m.services() {
		add(service)
	}
	return &grpc_health_v1.HealthListResponse{Statuses: statuses}, nil
}

// Watch tells the status of a service, and each change of it. After Shutdown it ends with UNAVAILABLE.
func (m *HealthMirror) Watch(
	req *grpc_health_v1.HealthCheckRequest, stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse],
) error {
	told := grpc_health_v1.HealthCheckResponse_ServingStatus(-1)
	for {
		s := m.state.Load()
		if is := m.of(s, req.GetService()); is != told {
			if err := stream.Send(&grpc_health_v1.HealthCheckResponse{Status: is}); err != nil {
				return err
			}
			told = is
		}
		if s.over {
			return status.Error(codes.Unavailable, "draining")
		}
		select {
		case <-s.changed:
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		}
	}
}
