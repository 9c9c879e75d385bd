package lifecycle_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall/lifecycle"
)

// Over HTTP/2 a connection is not closed by its next answer: a GOAWAY sends new requests elsewhere, and what is under way
// on it ends.
func TestHTTP2ClientsAreSentElsewhereWhileTheServerDrains(t *testing.T) {
	keys := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate, and a client that believes it
	keys.Close()
	pool := keys.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	begun, release, drained := make(chan struct{}), make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-release
		_, _ = io.WriteString(w, "whole")
	})
	var connections atomic.Int64
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second,
		TLSConfig: &tls.Config{Certificates: keys.TLS.Certificates, MinVersion: tls.VersionTLS12},
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				connections.Add(1)
			}
		},
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
	}}
	defer client.CloseIdleConnections()
	fetch := func(path string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+listener.Addr().String()+path, http.NoBody)
		if err != nil {
			t.Error(err)
			return ""
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return ""
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		return string(body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg := config()
	cfg.DrainDelay, cfg.StopTimeout = 2*time.Second, 20*time.Second
	ended := make(chan lifecycle.Report, 1)
	go func() {
		report, err := lifecycle.Run(ctx, cfg, lifecycle.HTTPS("api", server, listener),
			lifecycle.Part{Name: "told", Drain: func() { close(drained) }})
		if err != nil {
			t.Error(err)
		}
		ended <- report
	}()
	if got := fetch("/"); got != "HTTP/2.0" {
		t.Fatalf("it is %q", got)
	}
	slow := make(chan string, 1)
	go func() { slow <- fetch("/slow") }()
	<-begun
	fetch("/")
	if n := connections.Load(); n != 1 {
		t.Fatalf("%d connections before the end", n)
	}
	cancel()
	<-drained
	for deadline := time.Now().Add(5 * time.Second); connections.Load() == 1; time.Sleep(time.Millisecond) {
		if fetch("/"); time.Now().After(deadline) {
			t.Error("the client has not been sent elsewhere")
			break
		}
	}
	close(release)
	if got := <-slow; got != "whole" {
		t.Errorf("the request that was under way got %q", got)
	}
	if r := <-ended; len(r.Cut) > 0 {
		t.Errorf("%+v", r)
	}
}
