package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/wire"
)

// serve answers one request over w with the time that its handler takes, and returns the client's view.
func get(t *testing.T, w wire.Wire, handler http.HandlerFunc) (string, error) {
	t.Helper()
	listener, err := w.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	transport := &http.Transport{DialContext: w.Dial}
	defer func() {
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestWireCarriesHTTP(t *testing.T) {
	hello := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }
	if got, err := get(t, wire.TCP{}, hello); got != "hello" || err != nil {
		t.Errorf("TCP: %q, %v", got, err)
	}
	synctest.Test(t, func(t *testing.T) {
		if got, err := get(t, new(wire.Memory), hello); got != "hello" || err != nil {
			t.Errorf("memory: %q, %v", got, err)
		}
	})
}

func TestMemoryDoesNotWaitInRealTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := get(t, new(wire.Memory), func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(time.Hour):
			case <-r.Context().Done():
			}
		})
		if took := time.Since(start); err == nil || took != 10*time.Second {
			t.Errorf("%v after %v, want a timeout after 10s", err, took)
		}
	})
}

func TestMemoryRefusesWhereNobodyListens(t *testing.T) {
	var m wire.Memory
	l, err := m.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{l.Addr().String(), "127.0.0.9:1"} {
		if _, err := m.Dial(context.Background(), "tcp", to); err == nil {
			t.Errorf("%s: connected", to)
		}
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
}
