package fault_test

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seawall-go/seawall/fault"
)

func listen(t *testing.T, address string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
}

func TestProxyThatIsDownRefusesAndComesBackAtItsAddress(t *testing.T) {
	for _, where := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		i := newInjector(onConn(fault.Down, nil))
		p, err := fault.NewProxy(i.Point("a"), fault.ProxyConfig{Listen: where, Upstream: upstream(t, echo)})
		if err != nil {
			t.Logf("no %s here: %v", where, err)
			continue
		}
		address := p.Addr().String()
		before := connect(t, address)
		if got, err := exchange(before, "before"); got != "before" || err != nil {
			t.Fatalf("%s: before it: %q, %v", where, got, err)
		}
		mustStart(t, i)
		for range 3 {
			if _, err := tryConnect(t, address); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: while it is down a dial is answered by %v", where, err)
			}
		}
		if _, err := before.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: the open connection ended by %v", where, err)
		}
		if runtime.GOOS == "linux" {
			if l, err := listen(t, address); err == nil {
				_ = l.Close()
				t.Errorf("%s: another can take the address meanwhile", where)
			}
		}
		if s, hits := p.Stats(), i.Stats().Faults[0].Hits; s.Accepted != 1 || hits != 2 || p.Addr().String() != address {
			t.Errorf("%s: %+v, %d hits, at %v", where, s, hits, p.Addr())
		}
		i.Stop() // and at once
		if got, err := exchange(connect(t, address), "after"); got != "after" || err != nil {
			t.Errorf("%s: after it: %q, %v", where, got, err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if l, err := listen(t, address); err != nil {
			t.Errorf("%s: the address is not free behind Close: %v", where, err)
		} else {
			_ = l.Close()
		}
	}
}

// A proxy may be made, and closed, while it is down.
func TestProxyIsMadeAndClosedWhileItIsDown(t *testing.T) {
	i := started(t, onConn(fault.Down, nil))
	p := proxy(t, i.Point("a"), upstream(t, echo))
	if _, err := tryConnect(t, p.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new proxy answered by %v", err)
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	i.Stop()
	if _, err := tryConnect(t, p.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("it was closed, and the end of the fault opened it: %v", err)
	}
	l, err := listen(t, p.Addr().String())
	if err != nil {
		t.Fatalf("the address is not free: %v", err)
	}
	_ = l.Close()
}

// A share of the connections cannot be refused by the kernel, and a listener that was given cannot be opened again.
func TestProxyThatCannotRefuseResets(t *testing.T) {
	l, err := listen(t, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	i := started(t, onConn(fault.Down, nil))
	given, err := fault.NewProxy(i.Point("a"), fault.ProxyConfig{Listener: l, Upstream: upstream(t, echo)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = given.Close() })
	if err := touch(t, given.Addr().String(), ""); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a given listener: %v", err)
	}
	some := started(t, onConn(fault.Down, func(f *fault.Fault) { f.Toxicity = 0.5 }))
	shared := proxy(t, some.Point("a"), upstream(t, echo))
	reset := 0
	for range 40 {
		if err := touch(t, shared.Addr().String(), "x"); errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			reset++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if reset < 8 || reset > 32 {
		t.Errorf("%d of 40 were reset at a toxicity of 0.5", reset)
	}
}

// Where the address cannot be kept, and another has it at the end of the fault, the proxy tries until it is free.
func TestProxyTriesUntilItsAddressIsFree(t *testing.T) {
	i := newInjector(onConn(fault.Down, nil))
	p := proxy(t, i.Point("a"), upstream(t, echo))
	mustStart(t, i)
	p.LoseAddress()
	l, err := listen(t, p.Addr().String())
	if err != nil {
		t.Skip("another was faster:", err)
	}
	i.Stop()
	_ = l.Close()
	eventually(t, "the proxy listens again", func() bool {
		c, err := tryConnect(t, p.Addr().String())
		if err != nil {
			return false
		}
		defer c.Close()
		got, err := exchange(c, "after")
		return got == "after" && err == nil
	})
}

// Faults that come and go while clients come and go leave a proxy that works, and nothing else.
func TestProxyStandsManyShortOutages(t *testing.T) {
	var faults []fault.Fault
	for n := range 40 {
		f := onConn(fault.Down, nil)
		f.At, f.For = time.Duration(2*n)*time.Millisecond, time.Duration(1+n%3)*time.Millisecond
		faults = append(faults, f)
	}
	i := newInjector(faults...)
	p := proxy(t, i.Point("a"), upstream(t, echo))
	mustStart(t, i)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i.Stats().State != fault.Ended {
				if c, err := tryConnect(t, p.Addr().String()); err == nil {
					_, _ = exchange(c, "x")
					_ = c.Close()
				} else if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("a dial failed by %v", err)
				}
			}
		})
	}
	all.Wait()
	if got, err := exchange(connect(t, p.Addr().String()), "after"); got != "after" || err != nil {
		t.Errorf("after it: %q, %v", got, err)
	}
	if err := p.Close(); err != nil || i.Point("a").Conns() != 0 || i.TimerLeft() {
		t.Errorf("%v, and %d connections are left", err, i.Point("a").Conns())
	}
}
