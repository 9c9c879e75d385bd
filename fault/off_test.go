package fault_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/fault"
)

// memory is a listener, and the way to it.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (m memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m memory) Close() error   { close(m.closed); return nil }
func (m memory) Addr() net.Addr { return &net.TCPAddr{} }

// dial returns a connection to the listener.
func (m memory) dial() net.Conn {
	inner, c := net.Pipe()
	m.conns <- inner
	return c
}

func newMemory() memory { return memory{make(chan net.Conn), make(chan struct{})} }

// inMemory returns a client of a proxy to a server that echoes, all of it without a network.
func inMemory(t *testing.T, p *fault.Point) net.Conn {
	t.Helper()
	front := newMemory()
	proxy, err := fault.NewProxy(p, fault.ProxyConfig{
		Upstream: "echo", Listener: front,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			inner, server := net.Pipe()
			go func() {
				buf := make([]byte, 64)
				for {
					n, err := server.Read(buf)
					if err != nil {
						return
					}
					_, _ = server.Write(buf[:n])
				}
			}()
			return inner, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := front.dial()
	t.Cleanup(func() {
		_ = c.Close()
		_ = proxy.Close()
	})
	return c
}

// T73: what is off takes no time, on any seam.
func TestOffTakesNoTimeOnAnySeam(t *testing.T) {
	for name := range offInjectors(t) {
		synctest.Test(t, func(t *testing.T) {
			i := offInjectors(t)[name]
			p, start := i.Point("a"), time.Now()
			calls := 0
			rt := p.RoundTripper(answers("", &calls))
			h := p.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
			c := inMemory(t, p)
			for range 100 {
				if p != nil {
					_ = p.Do(t.Context(), func(context.Context) error { calls++; return nil })
				}
				if err := p.Draw(t.Context(), fault.Call{}).Wait(t.Context()); err != nil {
					t.Error(err)
				}
				res, err := rt.RoundTrip(newRequest(t, "GET", "/", nil))
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
				if got, err := exchange(c, "the same"); got != "the same" || err != nil {
					t.Fatal(got, err)
				}
			}
			if took := time.Since(start); took != 0 || calls < 200 {
				t.Errorf("%s: %d calls in %v", name, calls, took)
			}
		})
	}
}

// T45: what a proxy holds back, it holds back for exactly as long as the plan says.
func TestProxyIsExactInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, onConn(fault.Latency, func(f *fault.Fault) { f.Latency = 100 * time.Millisecond }))
		c, start := inMemory(t, i.Point("a")), time.Now()
		for range 10 {
			if got, err := exchange(c, "late"); got != "late" || err != nil {
				t.Fatal(got, err)
			}
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("ten round trips took %v", took)
		}
	})
}
