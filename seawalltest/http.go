package seawalltest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/seawall-go/seawall"
)

// HTTPConfig says what the client and the server of [HTTP] are like. The zero value is net/http without policies.
type HTTPConfig struct {
	// Name is that of the server in the network: the host of its URL, and the target of [NetworkConfig.Faults]. Default
	// "dependency".
	Name string
	// Client makes the client under test around a transport that reaches the server. It may set more of the transport,
	// but not how it dials. Default one of nothing else.
	Client func(base *http.Transport) *http.Client
	// Handler makes what stands before the dependency in the server, such as [github.com/seawall-go/seawall/httpx.Handler].
	// Default nothing.
	Handler func(dependency http.Handler) http.Handler
	// Request makes the request of a call. Default a GET of url, which is such as "http://dependency/".
	Request func(ctx context.Context, url string) (*http.Request, error)
	// HTTP2 makes client and server speak HTTP/2 over their unencrypted connections. Default HTTP/1.1.
	HTTP2 bool
}

// HTTP is an *http.Client whose requests go over the scenario's network to an http.Server, whose handler is the
// dependency.
//
// A call is good if its response has a status below 400 and a body that can be read to its end; it is closed then. Of
// other statuses the call's error is a [StatusError]. A request counts as an attempt when the server has received it,
// before the Handler.
//
// The server answers 200 for what the dependency serves. It answers 503 for what [Scenario.Server] rejects, with the
// Retry-After and the Seawall-Pushback that an httpx.Handler has; 503 for [ErrQueueFull]; and 500 for [ErrService]. A
// request whose client has gone is canceled, if its connection tells the server.
//
// The same seed gives the same report over HTTP/1.1. Requests that share a connection of HTTP/2 come out of a fault in one
// instant, in an order that is the scheduler's: their times may differ from run to run.
func HTTP(cfg HTTPConfig) Client {
	cfg.Name = cmp.Or(cfg.Name, "dependency")
	if cfg.Client == nil {
		cfg.Client = func(base *http.Transport) *http.Client { return &http.Client{Transport: base} }
	}
	if cfg.Handler == nil {
		cfg.Handler = func(dependency http.Handler) http.Handler { return dependency }
	}
	if cfg.Request == nil {
		cfg.Request = func(ctx context.Context, url string) (*http.Request, error) {
			return http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		}
	}
	return func(env *Env) func(context.Context) error {
		var protocols http.Protocols
		protocols.SetHTTP1(!cfg.HTTP2)
		protocols.SetUnencryptedHTTP2(cfg.HTTP2)
		serve(env, cfg, &protocols)
		base := &http.Transport{
			DialContext: env.Network.Dial,
			Protocols:   &protocols,
			// With two, the default, a client under load would make a connection for most of its requests.
			MaxIdleConnsPerHost: 1000,
			DisableCompression:  true,
		}
		env.Cleanup(base.CloseIdleConnections)
		client := cfg.Client(base)
		url := "http://" + cfg.Name + "/"
		return func(ctx context.Context) error {
			req, err := cfg.Request(ctx, url)
			if err != nil {
				return err
			}
			return fetch(client, req)
		}
	}
}

// serve starts the server.
func serve(env *Env, cfg HTTPConfig, protocols *http.Protocols) {
	listener, err := env.Network.Listen(cfg.Name)
	if err != nil {
		panic("seawalltest: HTTP: " + err.Error()) // two clients of one name
	}
	handler := cfg.Handler(dependencyHandler(env.request))
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			env.attempted()
			handler.ServeHTTP(w, r)
		}),
		Protocols: protocols,
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // until it is closed
	}()
	env.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
}

// fetch is one call.
func fetch(client *http.Client, req *http.Request) error {
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err != nil:
		return err
	case resp.StatusCode >= http.StatusBadRequest:
		return &StatusError{Status: resp.StatusCode, Refused: resp.Header.Get(pushbackField) == pushbackRefused}
	}
	return nil
}

// StatusError is the error of a call by [HTTP] that was answered with a status of 400 or above.
type StatusError struct {
	Status  int
	Refused bool // the server says that it has not begun, by Seawall-Pushback: refused
}

// Error returns such as: status 503 Service Unavailable.
func (e *StatusError) Error() string {
	return fmt.Sprintf("status %d %s", e.Status, http.StatusText(e.Status))
}

// Is matches [seawall.ErrRejected] if the server has refused the request, so that the report counts it as rejected.
func (e *StatusError) Is(target error) bool { return e.Refused && target == seawall.ErrRejected }
