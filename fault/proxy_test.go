package fault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seawall-go/seawall/fault"
)

// upstream is a server of TCP that runs serve for each connection, until the end of the test.
func upstream(t testing.TB, serve func(c *net.TCPConn)) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = c.Close() }()
				serve(c.(*net.TCPConn)) //nolint:forcetypeassert // it is one
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

func echo(c *net.TCPConn) {
	_, _ = io.Copy(c, c)
	_ = c.CloseWrite()
}

func proxy(t testing.TB, p *fault.Point, to string) *fault.Proxy {
	t.Helper()
	proxy, err := fault.NewProxy(p, fault.ProxyConfig{Upstream: to})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	return proxy
}

// connect dials, and gives whatever is asked of the connection half a minute.
func connect(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	c, err := tryConnect(t, address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryConnect(t testing.TB, address string) (*net.TCPConn, error) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c.(*net.TCPConn), nil //nolint:forcetypeassert // it is one
}

// touch connects and waits for the first word. A kernel may tell of a reset as early as in the dial.
func touch(t *testing.T, address, text string) error {
	t.Helper()
	c, err := tryConnect(t, address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if text == "" {
		_, err = c.Read(make([]byte, 1))
	} else {
		_, err = exchange(c, text)
	}
	return err
}

// eventually polls what other goroutines bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func exchange(c net.Conn, text string) (string, error) {
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	buf := make([]byte, len(text))
	n, err := io.ReadFull(c, buf)
	return string(buf[:n]), err
}

// T73: whatever is off or at probability 0 changes no byte, and costs no allocation more than a proxy without a point.
func TestProxyThatIsOffForwardsEveryByte(t *testing.T) {
	to := upstream(t, echo)
	text := strings.Repeat("0123456789abcdef", 50_000)
	off := newInjector(onConn(fault.ResetPeer, nil))
	for name, p := range map[string]*fault.Point{
		"nil": nil, "waiting": off.Point("a"), "never": started(t, idleFaults("a")...).Point("a"),
	} {
		c := connect(t, proxy(t, p, to).Addr().String())
		buf := make([]byte, 64)
		if n := testing.AllocsPerRun(100, func() {
			_, _ = c.Write(buf)
			_, _ = io.ReadFull(c, buf)
		}); n != 0 && !raceEnabled {
			t.Errorf("%s: %v allocations", name, n)
		}
		go func() {
			_, _ = io.WriteString(c, text)
			_ = c.CloseWrite()
		}()
		got, err := io.ReadAll(c)
		if err != nil || string(got) != text {
			t.Errorf("%s: %d bytes came back, %v", name, len(got), err)
		}
	}
}

// T74: a fault reaches all connections that are open, and each new one; when it is over it leaves them and itself.
func TestProxyFaultsReachOpenConnectionsAndLeaveNothing(t *testing.T) {
	const conns, text = 10, "0123456789"
	to := upstream(t, echo)
	for name, test := range map[string]struct {
		fault fault.Fault
		want  string // of the text, while it acts
		cut   bool   // for good
	}{
		"latency": {onConn(fault.Latency, func(f *fault.Fault) { f.Latency = time.Hour }), "", false},
		"pareto": {onConn(fault.Latency, func(f *fault.Fault) {
			f.Latency, f.Distribution, f.Shape, f.Stream = time.Hour, fault.Pareto, 2, ""
		}), "", false},
		"bandwidth":          {onConn(fault.Bandwidth, func(f *fault.Fault) { f.Rate = 0.001 }), "", false},
		"stall":              {onConn(fault.Stall, nil), "", false},
		"blackhole":          {onConn(fault.Blackhole, nil), "", false},
		"slicer":             {onConn(fault.Slicer, func(f *fault.Fault) { f.AverageSize, f.Delay = 4, time.Hour }), "0123", false},
		"corrupt":            {onConn(fault.Corrupt, func(f *fault.Fault) { f.Rate, f.Stream = 1, "" }), "??????????", false},
		"timeout":            {onConn(fault.Timeout, nil), "", true},
		"timeout after":      {onConn(fault.Timeout, func(f *fault.Fault) { f.Timeout = time.Millisecond }), "", true},
		"reset":              {onConn(fault.ResetPeer, nil), "", true},
		"reset after bytes":  {onConn(fault.ResetPeer, func(f *fault.Fault) { f.Bytes, f.Stream = 5, fault.Upstream }), "", true},
		"reset after a time": {onConn(fault.ResetPeer, func(f *fault.Fault) { f.Timeout = time.Millisecond }), "", true},
		"limit":              {onConn(fault.LimitData, nil), "", true},
		"limit after":        {onConn(fault.LimitData, func(f *fault.Fault) { f.Bytes, f.Stream = 5, "" }), "01234", true},
		"half":               {onConn(fault.HalfClose, nil), "", true},
		"half down":          {onConn(fault.HalfClose, func(f *fault.Fault) { f.Bytes, f.Stream = 5, "" }), "01234", true},
		"half up":            {onConn(fault.HalfClose, func(f *fault.Fault) { f.Bytes, f.Stream = 5, fault.Upstream }), "01234", true},
		"down":               {onConn(fault.Down, nil), "", true},
	} {
		i := newInjector(test.fault)
		point := i.Point("a")
		proxy := proxy(t, point, to)
		hits := func() uint64 { return i.Stats().Faults[0].Hits }
		var open []*net.TCPConn
		for range conns {
			c := connect(t, proxy.Addr().String())
			if got, err := exchange(c, "before"); got != "before" || err != nil {
				t.Fatalf("%s: before it: %q, %v", name, got, err)
			}
			open = append(open, c)
		}
		mustStart(t, i)
		if c, err := tryConnect(t, proxy.Addr().String()); err == nil {
			open = append(open, c)
		} else if !test.cut {
			t.Errorf("%s: %v", name, err)
		}
		for _, c := range open {
			if test.fault.Timeout == 0 { // there may be time before it
				_, _ = io.WriteString(c, text)
			}
		}
		eventually(t, name+" hits all", func() bool { return hits() >= uint64(len(open)) })
		if name == "timeout" {
			i.Stop() // they end with it
		}
		for _, c := range open {
			buf := make([]byte, len(text))
			n, err := io.ReadFull(c, buf[:len(test.want)])
			if got := string(buf[:n]); name == "corrupt" && err == nil && got != text {
				continue
			} else if got != test.want || err != nil {
				t.Errorf("%s: %q, %v", name, got, err)
			}
			if !test.cut {
				_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			}
			if n, err := c.Read(buf); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) == test.cut {
				t.Errorf("%s: then %d bytes, %v", name, n, err)
			}
		}
		i.Stop()
		for _, c := range open {
			if test.cut {
				_ = c.Close()
				continue
			}
			_ = c.SetDeadline(time.Now().Add(30 * time.Second))
			rest := text[len(test.want):] // what was held back
			if _, err := io.WriteString(c, "after"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			buf := make([]byte, len(rest+"after"))
			if _, err := io.ReadFull(c, buf); err != nil || string(buf) != rest+"after" {
				t.Errorf("%s: after it %q, %v", name, buf, err)
			}
			_ = c.Close()
		}
		if err := touch(t, proxy.Addr().String(), "new"); err != nil {
			t.Errorf("%s: a new one after it: %v", name, err)
		}
		eventually(t, "the links end: "+name, func() bool { return proxy.Stats().Open == 0 })
		if left := point.Conns(); left != 0 || i.TimerLeft() || !point.Off() {
			t.Errorf("%s: something is left, such as %d connections", name, left)
		}
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	}
}

// T74: by its time, too, and what was held back goes on.
func TestProxyFaultEndsByItself(t *testing.T) {
	i := newInjector(onConn(fault.Stall, func(f *fault.Fault) { f.For = 20 * time.Millisecond }))
	c := connect(t, proxy(t, i.Point("a"), upstream(t, echo)).Addr().String())
	mustStart(t, i)
	if got, err := exchange(c, "held back"); got != "held back" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	eventually(t, "the fault ends", func() bool { return i.Stats().State == fault.Ended })
	if i.TimerLeft() || !i.Point("a").Off() {
		t.Error("something is left")
	}
}

// T45: the same seed hits the same connections.
func TestProxyHitsTheSameConnectionsUnderASeed(t *testing.T) {
	to := upstream(t, echo)
	run := func(seed uint64) (hit []int) {
		f := onConn(fault.ResetPeer, func(f *fault.Fault) { f.Toxicity = 0.3 })
		i := fault.New("test", fault.Config{Plan: fault.Plan{Seed: seed, Faults: []fault.Fault{f}}, Registry: quiet()})
		mustStart(t, i)
		proxy := proxy(t, i.Point("a"), to)
		for n := range 60 {
			if err := touch(t, proxy.Addr().String(), "x"); err != nil {
				hit = append(hit, n)
			}
		}
		return hit
	}
	first := run(1)
	if len(first) < 5 || len(first) > 35 || !slices.Equal(run(1), first) || slices.Equal(run(2), first) {
		t.Errorf("hit %v, then %v, and with another seed %v", first, run(1), run(2))
	}
}

func TestProxyForwardsTheEndOfEachDirectionAlone(t *testing.T) {
	heard := make(chan string, 1)
	to := upstream(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "hello")
		_ = c.CloseWrite()
		got, err := io.ReadAll(c)
		heard <- fmt.Sprint(string(got), err)
	})
	for _, acts := range []bool{false, true} {
		i := newInjector(onConn(fault.Latency, func(f *fault.Fault) { f.Latency = time.Millisecond }))
		if acts {
			mustStart(t, i)
		}
		c := connect(t, proxy(t, i.Point("a"), to).Addr().String())
		got, err := io.ReadAll(c)
		if string(got) != "hello" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		_, _ = io.WriteString(c, "still here")
		_ = c.CloseWrite()
		if got := <-heard; got != "still here<nil>" {
			t.Errorf("the server heard %s", got)
		}
	}
}

func TestProxyForwardsAResetAsAReset(t *testing.T) {
	ends := make(chan error, 1)
	to := upstream(t, func(c *net.TCPConn) {
		buf := make([]byte, 5)
		if _, err := io.ReadFull(c, buf); err == nil && string(buf) == "reset" {
			_ = c.SetLinger(0)
			return
		}
		_, err := c.Read(buf)
		ends <- err
	})
	proxy := proxy(t, nil, to)
	c := connect(t, proxy.Addr().String())
	_, _ = io.WriteString(c, "reset")
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client sees %v", err)
	}
	c = connect(t, proxy.Addr().String())
	_, _ = io.WriteString(c, "hello")
	eventually(t, "both are connected", func() bool { return proxy.Stats().Accepted == 2 })
	_ = c.SetLinger(0)
	_ = c.Close()
	if err := <-ends; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server sees %v", err)
	}
}

// The other direction of a half-closed connection goes on, as long as both peers like.
func TestProxyHalfClosesOneDirection(t *testing.T) {
	heard, said := make(chan string, 1), make(chan error, 1)
	to := upstream(t, func(c *net.TCPConn) {
		_, err := io.CopyN(c, endless{}, 64<<20) // it does not notice
		said <- err
		got, err := io.ReadAll(io.LimitReader(c, 10))
		heard <- fmt.Sprint(string(got), err)
	})
	i := started(t, onConn(fault.HalfClose, func(f *fault.Fault) { f.Stream, f.Bytes = "", 100 }))
	c := connect(t, proxy(t, i.Point("a"), to).Addr().String())
	got, err := io.ReadAll(c)
	if len(got) != 100 || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := <-said; err != nil {
		t.Errorf("the server's words end with %v", err)
	}
	_, _ = io.WriteString(c, "0123456789")
	if got := <-heard; got != "0123456789<nil>" {
		t.Errorf("the server heard %s", got)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// Who is not there, or not reachable, is neither hung up on politely nor waited for.
func TestProxyResetsWhatItCannotForward(t *testing.T) {
	refused, err := fault.NewProxy(nil, fault.ProxyConfig{
		Upstream: "nowhere",
		Dial: func(_ context.Context, _, address string) (net.Conn, error) {
			return nil, fmt.Errorf("no %s", address)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = refused.Close() })
	if err := touch(t, refused.Addr().String(), ""); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	eventually(t, "it is gone", func() bool { return refused.Stats().Open == 0 })
	if s := refused.Stats(); s.Accepted != 1 || s.Failed != 1 {
		t.Errorf("%+v", s)
	}
}

// T74: Close ends what is stalled, held back, in a black hole or just accepted, and what it returns nothing is left of.
func TestProxyCloseLeavesNothing(t *testing.T) {
	to := upstream(t, echo)
	for _, kind := range []fault.Kind{fault.Stall, fault.Blackhole, fault.SlowClose, fault.Timeout} {
		i := newInjector(onConn(kind, func(f *fault.Fault) {
			if kind == fault.SlowClose {
				f.Delay = time.Hour
			}
		}))
		proxy := proxy(t, i.Point("a"), to)
		for range 3 {
			c := connect(t, proxy.Addr().String())
			if got, err := exchange(c, "before"); got != "before" || err != nil {
				t.Fatal(got, err)
			}
			defer func() { _ = c.Close() }()
		}
		mustStart(t, i)
		for range 3 {
			c := connect(t, proxy.Addr().String())
			_, _ = io.WriteString(c, "held back")
			if kind == fault.SlowClose {
				_ = c.CloseWrite()
			}
		}
		eventually(t, "all are accepted", func() bool { return proxy.Stats().Accepted == 6 })
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if err := proxy.Close(); err != nil {
					t.Errorf("%s: %v", kind, err)
				}
				if s := proxy.Stats(); s.Open != 0 || i.Point("a").Conns() != 0 {
					t.Errorf("%s: closed, and %d links are open, the point holds %d", kind, s.Open, i.Point("a").Conns())
				}
			})
		}
		all.Wait()
		if _, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", proxy.Addr().String()); err == nil {
			t.Errorf("%s: it still accepts", kind)
		}
	}
}

// Both peers are gone, and their last words are held back still.
func TestProxyCloseDropsLastWords(t *testing.T) {
	heard := make(chan struct{}, 3)
	to := upstream(t, func(c *net.TCPConn) {
		echo(c)
		heard <- struct{}{}
	})
	i := started(t, onConn(fault.Stall, func(f *fault.Fault) { f.Stream = fault.Downstream }))
	proxy := proxy(t, i.Point("a"), to)
	for range 3 {
		c := connect(t, proxy.Addr().String())
		_, _ = io.WriteString(c, "echo")
		_ = c.CloseWrite()
	}
	for range 3 {
		<-heard
	}
	eventually(t, "all are held back", func() bool { return i.Stats().Faults[0].Hits == 3 })
	if err := proxy.Close(); err != nil || i.Point("a").Conns() != 0 {
		t.Error(err)
	}
}

// A server that is reached only when the proxy closes is not left alone with a connection.
func TestProxyCloseWaitsForADial(t *testing.T) {
	dialing, release := make(chan struct{}), make(chan struct{})
	inner, server := net.Pipe()
	proxy, err := fault.NewProxy(nil, fault.ProxyConfig{
		Upstream: "a",
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			close(dialing)
			<-ctx.Done()
			<-release
			return inner, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	connect(t, proxy.Addr().String())
	<-dialing
	closed := make(chan error, 1)
	go func() { closed <- proxy.Close() }()
	close(release)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the server sees %v", err)
	}
}

func TestProxyCarriesHTTPOfBothVersions(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		_, _ = w.Write(append(text, r.Proto...))
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	f := onConn(fault.Slicer, func(f *fault.Fault) { f.AverageSize, f.SizeVariation = 4, 3 })
	i := started(t, f, onConn(fault.Latency, func(f *fault.Fault) { f.Latency, f.Jitter = time.Millisecond, time.Millisecond }))
	through := proxy(t, i.Point("a"), server.Listener.Addr().String())
	for _, h2 := range []bool{false, true} {
		transport := server.Client().Transport.(*http.Transport).Clone() //nolint:forcetypeassert // httptest's
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP1(!h2)
		transport.Protocols.SetHTTP2(h2)
		if !h2 {
			transport.TLSClientConfig.NextProtos = nil
		}
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", through.Addr().String())
		}
		client := &http.Client{Transport: transport}
		for range 3 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("order 7 "))
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			want := map[bool]string{false: "order 7 HTTP/1.1", true: "order 7 HTTP/2.0"}[h2]
			if string(got) != want || err != nil {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		}
		transport.CloseIdleConnections()
	}
}

// Bytes come and go in both directions at once, while faults that lose none come and go.
func TestProxyLosesNoByteToFaultsThatLoseNone(t *testing.T) {
	to := upstream(t, echo)
	var faults []fault.Fault
	for n := range 12 {
		f := onConn(fault.Stall, nil)
		switch n % 4 {
		case 1:
			f = onConn(fault.Latency, func(f *fault.Fault) { f.Latency, f.Jitter = 2*time.Millisecond, time.Millisecond })
		case 2:
			f = onConn(fault.Slicer, func(f *fault.Fault) { f.AverageSize, f.SizeVariation = 5000, 4000 })
		case 3:
			f = onConn(fault.Bandwidth, func(f *fault.Fault) { f.Rate = 50_000 })
		}
		f.At, f.For = time.Duration(n)*4*time.Millisecond, 6*time.Millisecond
		faults = append(faults, f)
	}
	i := newInjector(faults...)
	address := proxy(t, i.Point("a"), to).Addr().String()
	var all sync.WaitGroup
	for n := range 4 {
		c := connect(t, address)
		sent := bytes.Repeat([]byte{byte(n), 1, 2, 3, 5, 7, 11}, 200_000)
		all.Go(func() {
			_, _ = c.Write(sent)
			_ = c.CloseWrite()
		})
		all.Go(func() {
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d of %d bytes came back, or others, %v", len(got), len(sent), err)
			}
		})
	}
	mustStart(t, i)
	all.Wait()
}

func TestProxyNeedsAnUpstreamAndAPlaceToListen(t *testing.T) {
	for want, cfg := range map[string]fault.ProxyConfig{
		`fault: ProxyConfig.Upstream is "", want an address such as "127.0.0.1:5432"`: {},
		"fault: ProxyConfig.DialTimeout is -1s, want 1ms to 1h":                       {Upstream: "a", DialTimeout: -time.Second},
		"fault: ProxyConfig.DialTimeout is 2h0m0s, want 1ms to 1h":                    {Upstream: "a", DialTimeout: 2 * time.Hour},
	} {
		if _, err := fault.NewProxy(nil, cfg); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	p := proxy(t, nil, "127.0.0.1:1")
	cfg := p.Config()
	if cfg.Listen != "127.0.0.1:0" || cfg.DialTimeout != 10*time.Second || !cfg.Equal(p.Config()) || cfg.Equal(fault.ProxyConfig{}) {
		t.Errorf("%+v", cfg)
	}
	if got, want := p.String(), fmt.Sprintf("fault proxy %v to 127.0.0.1:1", p.Addr()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	_, err := fault.NewProxy(nil, fault.ProxyConfig{Upstream: "a", Listen: p.Addr().String()})
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), "fault: proxy to a: ") {
		t.Errorf("the same address twice: %v", err)
	}
}

// failing listeners: a lack of descriptors is waited for.
type tired struct {
	net.Listener

	mu    sync.Mutex
	fails int
}

func (l *tired) Accept() (net.Conn, error) {
	l.mu.Lock()
	l.fails--
	fails := l.fails >= 0
	l.mu.Unlock()
	if fails {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

func TestProxyOutlivesALackOfDescriptors(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := fault.NewProxy(nil, fault.ProxyConfig{Upstream: upstream(t, echo), Listener: &tired{Listener: l, fails: 3}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if got, err := exchange(connect(t, p.Addr().String()), "hello"); got != "hello" || err != nil {
		t.Error(got, err)
	}
	// It is closed while it waits, too.
	l, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	again, err := fault.NewProxy(nil, fault.ProxyConfig{Upstream: "a", Listener: &tired{Listener: l, fails: 1 << 30}})
	if err != nil || again.Close() != nil {
		t.Error(err)
	}
}
