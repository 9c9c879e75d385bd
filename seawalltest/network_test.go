package seawalltest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/seawalltest"
)

// connected returns a network and the two ends of a connection in it.
func connected(t *testing.T, cfg seawalltest.NetworkConfig) (n *seawalltest.Network, client, server net.Conn) {
	t.Helper()
	n = seawalltest.NewNetwork(cfg)
	t.Cleanup(func() { _ = n.Close() })
	l, err := n.Listen("db")
	if err != nil {
		t.Fatal(err)
	}
	return n, mustDial(t, n, "db:5432"), mustAccept(t, l)
}

func mustDial(t *testing.T, n *seawalltest.Network, address string) net.Conn {
	t.Helper()
	c, err := n.Dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustAccept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eachEnd runs a test in a bubble with either end in the first place.
func eachEnd(t *testing.T, cfg seawalltest.NetworkConfig, test func(t *testing.T, a, b net.Conn)) {
	t.Helper()
	for name, swap := range map[string]bool{"client": false, "server": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, a, b := connected(t, cfg)
				if swap {
					a, b = b, a
				}
				test(t, a, b)
			})
		})
	}
}

// isOp checks an error of a connection.
func isOp(t *testing.T, op string, err, want error) {
	t.Helper()
	netErr, ok := errors.AsType[*net.OpError](err)
	if !ok || netErr.Op != op || netErr.Net != "tcp" || !errors.Is(err, want) {
		t.Errorf("the error is %v, want %s: %v", err, op, want)
	}
}

func TestNetworkWritesDoNotWaitForReaders(t *testing.T) {
	eachEnd(t, seawalltest.NetworkConfig{}, func(t *testing.T, a, b net.Conn) {
		start := time.Now()
		if n, err := a.Write(make([]byte, 4<<20)); n != 4<<20 || err != nil {
			t.Fatal(n, err)
		}
		_ = a.SetWriteDeadline(start.Add(time.Second))
		n, err := a.Write([]byte("more"))
		isOp(t, "write", err, os.ErrDeadlineExceeded)
		if n != 0 || time.Since(start) != time.Second {
			t.Errorf("%d more bytes after %v", n, time.Since(start))
		}
		_ = a.SetWriteDeadline(time.Time{})
		go func() {
			time.Sleep(time.Second)
			_, _ = b.Read(make([]byte, 100))
		}()
		if n, err := a.Write(make([]byte, 50)); n != 50 || err != nil || time.Since(start) != 2*time.Second {
			t.Errorf("%d bytes, %v, after %v", n, err, time.Since(start))
		}
	})
}

// As in golang.org/x/net/nettest: large transfers, in both directions at once.
func TestNetworkCarriesEveryByteInOrder(t *testing.T) {
	for _, cfg := range []seawalltest.NetworkConfig{{}, {Latency: 3 * time.Millisecond}} {
		eachEnd(t, cfg, func(t *testing.T, a, b net.Conn) {
			want := make([]byte, 5<<20)
			rng := rand.New(rand.NewPCG(1, 1))
			for i := range want {
				want[i] = byte(rng.Uint32())
			}
			var both sync.WaitGroup
			both.Go(func() { // an echo that ends with what it echoes
				if n, err := io.CopyBuffer(struct{ io.Writer }{b}, struct{ io.Reader }{b}, make([]byte, 7777)); err != nil {
					t.Errorf("echoed %d: %v", n, err)
				}
				_ = b.Close()
			})
			both.Go(func() {
				if _, err := a.Write(want); err != nil {
					t.Error(err)
				}
				if err := a.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
					t.Error(err)
				}
			})
			got, err := io.ReadAll(a)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes came back, %v", len(got), err)
			}
			both.Wait()
		})
	}
}

func TestNetworkDeadlines(t *testing.T) {
	for name, test := range map[string]struct {
		deadline func() time.Time
		after    time.Duration
	}{
		"past":    {func() time.Time { return time.Unix(1, 0) }, 0},
		"present": {time.Now, 0},
		"future":  {func() time.Time { return time.Now().Add(time.Second) }, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			eachEnd(t, seawalltest.NetworkConfig{}, func(t *testing.T, a, b net.Conn) {
				_, _ = a.Write(make([]byte, 4<<20))
				_, _ = b.Write([]byte("there"))
				for round := range 2 { // it can be set anew
					start := time.Now()
					_ = a.SetDeadline(test.deadline())
					if round > 0 || test.after == 0 {
						_, err := a.Write([]byte("x"))
						isOp(t, "write", err, os.ErrDeadlineExceeded)
					}
					// A deadline that has passed counts more than what is there.
					if test.after > 0 && round == 0 {
						_, _ = io.ReadFull(a, make([]byte, 5))
					}
					_, err := a.Read(make([]byte, 9))
					isOp(t, "read", err, os.ErrDeadlineExceeded)
					if netErr, ok := errors.AsType[net.Error](err); !ok || !netErr.Timeout() {
						t.Errorf("%v is no timeout", err)
					}
					if d := time.Since(start); d != test.after {
						t.Errorf("after %v", d)
					}
				}
				_ = a.SetDeadline(time.Time{})
				time.AfterFunc(time.Minute, func() { _, _ = b.Write([]byte("late")) })
				if n, err := a.Read(make([]byte, 99)); n == 0 || err != nil {
					t.Errorf("without a deadline: %v", err)
				}
			})
		})
	}
}

// A deadline that is set while a call waits is obeyed by it, be it earlier or later than the one before.
func TestNetworkDeadlineCanBeMovedWhileACallWaits(t *testing.T) {
	eachEnd(t, seawalltest.NetworkConfig{}, func(t *testing.T, a, _ net.Conn) {
		start := time.Now()
		_ = a.SetReadDeadline(start.Add(time.Second))
		time.AfterFunc(500*time.Millisecond, func() { _ = a.SetReadDeadline(start.Add(3 * time.Second)) })
		time.AfterFunc(1500*time.Millisecond, func() { _ = a.SetReadDeadline(start.Add(2 * time.Second)) })
		_, err := a.Read(make([]byte, 1))
		isOp(t, "read", err, os.ErrDeadlineExceeded)
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("after %v", d)
		}
	})
}

func TestNetworkCloseUnblocksBothEnds(t *testing.T) {
	eachEnd(t, seawalltest.NetworkConfig{}, func(t *testing.T, a, b net.Conn) {
		_, _ = a.Write(make([]byte, 4<<20))
		errs := map[string]chan error{"read": make(chan error, 1), "write": make(chan error, 1), "peer": make(chan error, 1)}
		go func() { _, err := a.Read(make([]byte, 1)); errs["read"] <- err }()
		go func() { _, err := a.Write(make([]byte, 1)); errs["write"] <- err }()
		go func() { _, err := io.Copy(io.Discard, b); errs["peer"] <- err }()
		synctest.Wait()
		// The peer has read what was in the way, so only one of them waits.
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		isOp(t, "read", <-errs["read"], net.ErrClosed)
		if err := <-errs["write"]; err != nil {
			isOp(t, "write", err, net.ErrClosed)
		}
		if err := <-errs["peer"]; err != nil {
			t.Errorf("the peer read %v, want the end", err)
		}
		_, err := b.Write([]byte("x"))
		isOp(t, "write", err, syscall.EPIPE)
		isOp(t, "close", a.Close(), net.ErrClosed)
		isOp(t, "set", a.SetDeadline(time.Time{}), net.ErrClosed)
		_, err = a.Read(nil)
		isOp(t, "read", err, net.ErrClosed)
	})
}

func TestNetworkBytesBeforeTheEndAreRead(t *testing.T) {
	eachEnd(t, seawalltest.NetworkConfig{Latency: time.Second}, func(t *testing.T, a, b net.Conn) {
		start := time.Now()
		_, _ = a.Write([]byte("last words"))
		_ = a.Close()
		got, err := io.ReadAll(b)
		if string(got) != "last words" || err != nil || time.Since(start) != time.Second {
			t.Errorf("%q, %v after %v", got, err, time.Since(start))
		}
	})
}

func TestNetworkHalfCloseLeavesTheOtherHalf(t *testing.T) {
	eachEnd(t, seawalltest.NetworkConfig{}, func(t *testing.T, a, b net.Conn) {
		_ = a.(interface{ CloseWrite() error }).CloseWrite()
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the peer read %v", err)
		}
		_, err := a.Write([]byte("x"))
		isOp(t, "write", err, syscall.EPIPE)
		if _, err := b.Write([]byte("answer")); err != nil {
			t.Error(err)
		}
		_ = b.Close()
		if got, err := io.ReadAll(a); string(got) != "answer" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestNetworkLatencyIsFeltInEachDirectionAndInADial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := seawalltest.NewNetwork(seawalltest.NetworkConfig{Latency: 10 * time.Millisecond})
		defer n.Close()
		l, err := n.Listen("db")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		since := func(want time.Duration) {
			t.Helper()
			if d := time.Since(start); d != want {
				t.Errorf("%v have passed, want %v", d, want)
			}
		}
		c := mustDial(t, n, "db")
		since(20 * time.Millisecond)
		s := mustAccept(t, l)
		_, _ = c.Write([]byte("a"))
		time.Sleep(5 * time.Millisecond)
		_, _ = c.Write([]byte("b"))
		_, _ = s.Read(make([]byte, 9))
		since(30 * time.Millisecond) // the two are under way together
		_, _ = s.Read(make([]byte, 9))
		since(35 * time.Millisecond)
		_, err = n.Dial(t.Context(), "tcp", "nobody:80")
		isOp(t, "dial", err, syscall.ECONNREFUSED)
		since(55 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = n.Dial(ctx, "tcp", "db:80")
		isOp(t, "dial", err, context.DeadlineExceeded)
		since(56 * time.Millisecond)
	})
}

func TestNetworkAddressesAndNames(t *testing.T) {
	n := seawalltest.NewNetwork(seawalltest.NetworkConfig{})
	defer n.Close()
	l, err := n.Listen("db")
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Listen("db")
	isOp(t, "listen", err, syscall.EADDRINUSE)
	special, err := n.Listen("db:1")
	if err != nil {
		t.Fatal(err)
	}
	a, b := mustDial(t, n, "db:80"), mustAccept(t, l)
	mustDial(t, n, "db:1")
	mustAccept(t, special) // the longer name counts
	if a.RemoteAddr().String() != "db" || b.LocalAddr().String() != "db" || l.Addr().String() != "db" {
		t.Errorf("%v, %v, %v", a.RemoteAddr(), b.LocalAddr(), l.Addr())
	}
	if got := b.RemoteAddr(); got != a.LocalAddr() || got.String() != "127.0.0.1:32768" || got.Network() != "tcp" {
		t.Errorf("the client is %v", got)
	}
	_, err = n.Dial(t.Context(), "udp", "db:80")
	if _, ok := errors.AsType[net.UnknownNetworkError](err); !ok {
		t.Errorf("udp: %v", err)
	}
	_, err = n.Dial(t.Context(), "tcp", "nobody:80")
	isOp(t, "dial", err, syscall.ECONNREFUSED)
	if err == nil || err.Error() != "dial tcp nobody:80: connection refused" {
		t.Errorf("the text is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = n.Dial(ctx, "tcp", "db:80")
	isOp(t, "dial", err, context.Canceled)

	isNil(t, l.Close())
	isOp(t, "close", l.Close(), net.ErrClosed)
	_, err = l.Accept()
	isOp(t, "accept", err, net.ErrClosed)
	_, err = n.Dial(t.Context(), "tcp", "db:80")
	isOp(t, "dial", err, syscall.ECONNREFUSED)
	if _, err := n.Listen("db"); err != nil {
		t.Errorf("the name is not free: %v", err)
	}
}

func isNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestNetworkResetsWhatALingerOfZeroCloses(t *testing.T) {
	eachEnd(t, seawalltest.NetworkConfig{}, func(t *testing.T, a, b net.Conn) {
		reset, ok := a.(interface{ SetLinger(sec int) error })
		if !ok { // the client's end goes through the point of its faults
			return
		}
		_, _ = a.Write([]byte("before"))
		isNil(t, reset.SetLinger(0))
		isNil(t, a.Close())
		got, err := io.ReadAll(b)
		if string(got) != "before" {
			t.Errorf("read %q", got)
		}
		isOp(t, "read", err, syscall.ECONNRESET)
		_, err = b.Write([]byte("x"))
		isOp(t, "write", err, syscall.ECONNRESET)
	})
}

// A listener that accepts nothing makes dials wait when its backlog is full, and resets what waits when it is closed.
func TestNetworkBacklogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := seawalltest.NewNetwork(seawalltest.NetworkConfig{})
		defer n.Close()
		l, err := n.Listen("db")
		isNil(t, err)
		var waiting []net.Conn
		for range 128 {
			waiting = append(waiting, mustDial(t, n, "db"))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = n.Dial(ctx, "tcp", "db")
		isOp(t, "dial", err, context.DeadlineExceeded)
		refused := make(chan error)
		go func() {
			_, err := n.Dial(t.Context(), "tcp", "db")
			refused <- err
		}()
		synctest.Wait()
		isNil(t, l.Close())
		isOp(t, "dial", <-refused, syscall.ECONNREFUSED)
		for _, c := range waiting {
			_, err := c.Read(make([]byte, 1))
			isOp(t, "read", err, syscall.ECONNRESET)
		}
	})
}

func TestNetworkCloseEndsEverythingInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b := connected(t, seawalltest.NetworkConfig{Faults: fault.Plan{Faults: []fault.Fault{
			{At: time.Minute, For: time.Hour, Kind: fault.Stall, Target: "db"},
		}}})
		l, err := n.Listen("other")
		isNil(t, err)
		var all sync.WaitGroup
		for _, c := range []net.Conn{a, b} {
			all.Go(func() { _, _ = io.Copy(io.Discard, c) })
		}
		all.Go(func() { _, _ = l.Accept() })
		synctest.Wait()
		isNil(t, n.Close())
		all.Wait()
		if stats := n.Faults().Stats(); stats.State != fault.Ended {
			t.Errorf("its faults are %v", stats.State)
		}
		_, err = n.Dial(t.Context(), "tcp", "other")
		isOp(t, "dial", err, syscall.ECONNREFUSED)
		_, err = n.Listen("third")
		isOp(t, "listen", err, net.ErrClosed)
		isNil(t, n.Close())
	})
}

func TestNetworkFaultsAimAtListenersByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := seawalltest.NewNetwork(seawalltest.NetworkConfig{Faults: fault.Plan{Faults: []fault.Fault{
			{At: time.Second, For: time.Second, Kind: fault.Down, Target: "db"},
		}}})
		defer n.Close()
		for _, name := range []string{"db", "cache"} {
			_, err := n.Listen(name)
			isNil(t, err)
			mustDial(t, n, name)
		}
		time.Sleep(1500 * time.Millisecond)
		_, err := n.Dial(t.Context(), "tcp", "db:5432")
		isOp(t, "dial", err, syscall.ECONNREFUSED)
		mustDial(t, n, "cache")
		time.Sleep(time.Second)
		mustDial(t, n, "db")
		if hits := n.Faults().Stats().Faults[0].Hits; hits != 2 {
			t.Errorf("%d hits, want an open connection and a dial", hits)
		}
	})
}

func TestNetworkRefusesImpossibleSettings(t *testing.T) {
	defer func() {
		text, _ := recover().(string)
		if want := "seawalltest: NetworkConfig.Latency is -1s, want 0s to 1h"; text != want {
			t.Errorf("panicked with %q", text)
		}
	}()
	bad := seawalltest.NetworkConfig{Faults: fault.Plan{Faults: []fault.Fault{{Kind: "x"}}}}
	if err := bad.Validate(); err == nil || !strings.HasPrefix(err.Error(), "Faults: fault: plan: faults[0].for is 0s") {
		t.Error(err)
	}
	seawalltest.NewNetwork(seawalltest.NetworkConfig{Latency: -time.Second})
}

// As in nettest: no method races with another one, on either end.
func TestNetworkStandsAllMethodsAtOnce(t *testing.T) {
	for _, cfg := range []seawalltest.NetworkConfig{{}, {Latency: time.Microsecond}} {
		_, a, b := connected(t, cfg)
		var all sync.WaitGroup
		for range 50 {
			for _, c := range []net.Conn{a, b} {
				for _, do := range []func(){
					func() { _, _ = c.Read(make([]byte, 1024)) },
					func() { _, _ = c.Write(make([]byte, 1024)) },
					func() { _ = c.SetDeadline(time.Now().Add(10 * time.Millisecond)) },
					func() { _ = c.SetReadDeadline(time.Unix(1, 0)) },
					func() { _ = c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)) },
					func() { _, _ = c.LocalAddr(), c.RemoteAddr() },
				} {
					all.Go(do)
				}
			}
		}
		time.AfterFunc(50*time.Millisecond, func() { _, _ = a.Close(), b.Close() })
		all.Wait()
	}
}
