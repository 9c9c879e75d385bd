package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
)

// Stage is when a part is stopped.
type Stage uint8

const (
	// Serving parts take requests: they are stopped first, after the drain delay.
	Serving Stage = iota
	// Working parts do work of their own, which servers may still need: they are stopped when no server runs.
	Working
	// Flushing parts say what was done: they come last.
	Flushing
)

// Part is something that runs, or that has something to do at the end. [HTTP], [GRPC], [Worker] and [Flush] make the usual
// ones; make others by hand, such as a hub of WebSockets, whose Stop sends its farewell.
type Part struct {
	// Name is a constant of the program, for errors and logs. No two parts of a Run have the same.
	Name string
	// Stage is when it is stopped. Default [Serving].
	Stage Stage
	// Run runs until it is stopped, and then returns nil, or the error of its context. If it returns an error before, or
	// panics, all parts are stopped; if it returns nil before, it has done its work, and the others go on. Its context
	// ends when a part without Stop is to stop, and for all parts when they are cut off. nil if there is nothing to run.
	Run func(context.Context) error
	// Drain is called at the signal, and is to begin no new work. It must not block: after half a second it is not waited
	// for. May be nil.
	Drain func()
	// Stop ends Run, and returns when what was begun has ended, or ctx has. May be nil.
	Stop func(context.Context) error
	// Kill ends what Stop could not, at once. It is waited for half a second. May be nil.
	Kill func()

	deaf bool // a server whose listener is nil
}

// validate returns an error if a part has no name or that of another one, no listener, or nothing to do.
func validate(parts []Part) error {
	names := map[string]bool{}
	for i, p := range parts {
		switch {
		case p.Name == "":
			return fmt.Errorf("lifecycle: part %d of %d has no name", i+1, len(parts))
		case names[p.Name]:
			return fmt.Errorf("lifecycle: two parts have the name %q: nobody could tell them apart", p.Name)
		case p.deaf:
			return fmt.Errorf("lifecycle: part %q has no listener: it is nil", p.Name)
		case p.Run == nil && p.Drain == nil && p.Stop == nil && p.Kill == nil:
			return fmt.Errorf("lifecycle: part %q has no function: nothing to run, and nothing to do at the end", p.Name)
		}
		names[p.Name] = true
	}
	return nil
}

// HTTP is a server of net/http on a listener. It wraps the handler of the server: once the end has begun, its answers say
// Connection: close, so that clients go elsewhere with their next request; over HTTP/2 that is a GOAWAY. Answers to requests
// that ask for an upgrade are left alone: theirs says Connection: Upgrade, also through a proxy. Shutdown knows
// nothing of hijacked connections, such as WebSockets: give them a part of their own.
//
// beforeStop are called in their order when the drain delay is over, before the server's Shutdown; they must not block.
// They are for what refuses requests that still come then, as the Drain of httpx's Handler does. nil is nothing.
//
// [Run] refuses a listener that is nil, as one is whose error was not looked at.
func HTTP(name string, server *http.Server, listener net.Listener, beforeStop ...func()) Part {
	return web(name, server, func() error { return server.Serve(listener) }, beforeStop).on(listener)
}

// HTTPS is like [HTTP], with TLS by the TLSConfig of the server, which has its certificates, and with HTTP/2.
func HTTPS(name string, server *http.Server, listener net.Listener, beforeStop ...func()) Part {
	return web(name, server, func() error { return server.ServeTLS(listener, "", "") }, beforeStop).on(listener)
}

func web(name string, server *http.Server, serve func() error, beforeStop []func()) Part {
	var draining atomic.Bool
	handler := server.Handler
	if handler == nil {
		handler = http.DefaultServeMux
	}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() && r.Header.Get("Upgrade") == "" { // a 101 that also says close is refused by some clients
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
	return Part{
		Name: name,
		Run: func(context.Context) error {
			if err := serve(); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
		Drain: func() { draining.Store(true) },
		Stop: func(ctx context.Context) (err error) {
			defer func() { err = server.Shutdown(ctx) }() // also behind a panic, which is told then
			callAll(beforeStop)
			return nil
		},
		Kill: func() { _ = server.Close() },
	}
}

// on notes whether there is something to serve on.
func (p Part) on(listener net.Listener) Part {
	p.deaf = listener == nil
	return p
}

// callAll calls functions, of which any may be nil.
func callAll(all []func()) {
	for _, f := range all {
		if f != nil {
			f()
		}
	}
}

// GRPC is a server of gRPC, which has these three methods, on a listener. beforeStop are called in their order when the
// drain delay is over, before the server's GracefulStop; they must not block. They are for ending the streams of its health
// service, for which GracefulStop would wait, as the Shutdown of grpcx's health mirror does, and for what refuses calls
// that still come then, as the Drain of grpcx's Server does. nil is nothing.
func GRPC(name string, server interface {
	Serve(net.Listener) error
	GracefulStop()
	Stop()
}, listener net.Listener, beforeStop ...func(),
) Part {
	var stopping atomic.Bool
	return Part{
		Name: name,
		Run: func(context.Context) error {
			if err := server.Serve(listener); err != nil && !stopping.Load() {
				return err
			}
			return nil // stopped before it had begun, it says that with an error
		},
		Stop: func(ctx context.Context) (err error) {
			defer func() { err = gracefully(ctx, server.GracefulStop) }() // also behind a panic, which is told then
			stopping.Store(true)
			callAll(beforeStop)
			return nil
		},
		Kill: server.Stop,
	}.on(listener)
}

// gracefully waits for the end of a GracefulStop or of ctx.
func gracefully(ctx context.Context, stop func()) error {
	stopped := make(chan struct{})
	go func() { // after Kill it waits for the handlers that have not returned, and ends with the last of them
		defer close(stopped)
		stop()
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("calls that do not end: %w", context.Cause(ctx))
	}
}

// Worker is work of the program's own, such as a relay or a poller, that ends when its context does. It is stopped when no
// server runs any more.
func Worker(name string, run func(context.Context) error) Part {
	return Part{Name: name, Stage: Working, Run: run}
}

// Flush is what is to be done last, such as the Shutdown of an exporter of telemetry, or the Close of a cache or of a
// connection that servers and workers have used.
func Flush(name string, flush func(context.Context) error) Part {
	return Part{Name: name, Stage: Flushing, Stop: flush}
}
