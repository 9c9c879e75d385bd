package fault_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
)

// accepts is a listener of what is sent to it.
type accepts chan net.Conn

func (a accepts) Accept() (net.Conn, error) {
	c, ok := <-a
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (a accepts) Close() error   { return nil }
func (a accepts) Addr() net.Addr { return &net.TCPAddr{} }

func TestListenersConnectionsAreServersEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := latency(0, time.Hour, "a", 100*time.Millisecond) // downstream is what a server writes
		in := accepts(make(chan net.Conn, 1))
		l := started(t, down).Point("a").Listener(in)
		inner, peer := net.Pipe()
		defer peer.Close()
		in <- inner
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		start := time.Now()
		go mustWrite(t, peer, "request")
		mustRead(t, c, "request")
		if d := time.Since(start); d != 0 {
			t.Errorf("the request took %v", d)
		}
		mustWrite(t, c, "answer")
		mustRead(t, peer, "answer")
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Errorf("the answer took %v", d)
		}
	})
}

func TestListenerDoesNotReturnWhatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := accepts(make(chan net.Conn, 8))
		i := started(t, on(fault.Down, 0, time.Second, "a"))
		l := i.Point("a").Listener(in)
		var peers []net.Conn
		for range 3 {
			inner, peer := net.Pipe()
			defer peer.Close()
			peers = append(peers, peer)
			in <- inner
		}
		time.AfterFunc(2*time.Second, func() {
			inner, peer := net.Pipe()
			peers = append(peers, peer)
			in <- inner
		})
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go mustWrite(t, peers[3], "late")
		mustRead(t, c, "late")
		_ = c.Close()
		for _, peer := range peers {
			if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("it is open: %v", err)
			}
		}
		close(in)
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the listener's error is %v", err)
		}
		if hits := i.Stats().Faults[0].Hits; hits != 3 {
			t.Errorf("%d hits", hits)
		}
	})
}

func TestDialIsRefusedWhileThePeerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := on(fault.Down, time.Second, time.Second, "a")
		i := started(t, f)
		dialed := 0
		dial := i.Point("a").Dial(func(context.Context, string, string) (net.Conn, error) {
			dialed++
			inner, peer := net.Pipe()
			t.Cleanup(func() { _ = peer.Close() })
			return inner, nil
		})
		start := time.Now()
		open, err := dial(t.Context(), "tcp", "db:5432")
		if err != nil {
			t.Fatal(err)
		}
		defer open.Close()
		until(start, time.Second)
		isReset(t, open)
		_, err = dial(t.Context(), "tcp", "db:5432")
		if !errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, fault.ErrInjected) || dialed != 1 {
			t.Errorf("%v after %d dials", err, dialed)
		}
		const text = `dial tcp db:5432: connection refused (fault "a": injected down)`
		if err == nil || err.Error() != text {
			t.Errorf("the text is %q", err)
		}
		// Nothing was sent, so any call may be repeated.
		if v := seawall.Classify(err); v.Outcome != seawall.Failure || v.Repeat != seawall.RepeatAlways {
			t.Errorf("it is judged as %+v", v)
		}
		until(start, 2*time.Second)
		again, err := dial(t.Context(), "tcp", "db:5432")
		if err != nil {
			t.Fatal(err)
		}
		_ = again.Close()
		if hits := i.Stats().Faults[0].Hits; hits != 2 {
			t.Errorf("%d hits", hits)
		}
	})
}

// T45: each dial draws for itself, by its number.
func TestToxicityIsTheShareOfDialsThatAreRefused(t *testing.T) {
	f := on(fault.Down, 0, time.Hour, "a")
	f.Toxicity = 0.3
	refused := func() (numbers []int) {
		dial := started(t, f).Point("a").Dial(func(context.Context, string, string) (net.Conn, error) {
			inner, peer := net.Pipe()
			t.Cleanup(func() { _, _ = inner.Close(), peer.Close() })
			return inner, nil
		})
		for n := range 1000 {
			if _, err := dial(t.Context(), "tcp", "a"); err != nil {
				numbers = append(numbers, n)
			}
		}
		return numbers
	}
	first := refused()
	if n := len(first); n < 240 || n > 360 || !slices.Equal(refused(), first) {
		t.Errorf("%d of 1000 were refused", n)
	}
}

func TestDialKeepsTheErrorsOfItsNetwork(t *testing.T) {
	broken := errors.New("broken")
	dial := newInjector().Point("a").Dial(func(context.Context, string, string) (net.Conn, error) { return nil, broken })
	if c, err := dial(t.Context(), "tcp", "db:5432"); c != nil || err != broken { //nolint:errorlint // the very same
		t.Error(c, err)
	}
}

// A program without faults has no injector, and pays nothing at all.
func TestNilPointHandsOnWhatItGets(t *testing.T) {
	var p *fault.Point
	inner, peer := net.Pipe()
	defer inner.Close()
	defer peer.Close()
	if p.Conn(inner) != inner {
		t.Error("Conn wraps")
	}
	in := accepts(nil)
	if got, ok := p.Listener(in).(accepts); !ok || got != nil {
		t.Error("Listener wraps")
	}
	c, err := p.Dial(func(context.Context, string, string) (net.Conn, error) { return inner, nil })(t.Context(), "", "")
	if c != inner || err != nil {
		t.Error("Dial wraps")
	}
}
