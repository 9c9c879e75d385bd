package fault_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
)

// pair returns a connection through a point, as the client's end, and its peer. Both are closed at the end of the test.
func pair(t *testing.T, p *fault.Point) (c, peer net.Conn) {
	t.Helper()
	inner, peer := net.Pipe()
	c = p.Conn(inner)
	t.Cleanup(func() {
		_ = c.Close()
		_ = peer.Close()
	})
	return c, peer
}

// arrival is a text and when it came, since a start.
type arrival struct {
	text string
	at   time.Duration
}

// collect reads from a connection to its end. Connections feel faults some nanoseconds apart, which it leaves out.
func collect(c net.Conn, start time.Time) <-chan []arrival {
	done := make(chan []arrival, 1)
	go func() {
		var all []arrival
		buf := make([]byte, 1<<20)
		for {
			n, err := c.Read(buf)
			if n > 0 {
				all = append(all, arrival{string(buf[:n]), time.Since(start).Truncate(time.Microsecond)})
			}
			if err != nil {
				done <- all
				return
			}
		}
	}()
	return done
}

func mustWrite(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if n, err := c.Write([]byte(text)); n != len(text) || err != nil {
		t.Errorf("wrote %d bytes of %d: %v", n, len(text), err)
	}
}

func mustRead(t *testing.T, c net.Conn, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != want {
		t.Errorf("read %q, %v, want %q", buf, err, want)
	}
}

// send writes numbers at even distances from one end to the other, and returns when they came.
func send(t *testing.T, from, to net.Conn, n int, every time.Duration) []arrival {
	t.Helper()
	start := time.Now()
	came := collect(to, start)
	for i := range n {
		time.Sleep(time.Until(start.Add(time.Duration(i) * every)))
		mustWrite(t, from, fmt.Sprint(i))
	}
	time.Sleep(time.Minute)
	if err := from.Close(); err != nil {
		t.Error(err)
	}
	return <-came
}

// A network's latency is no limit on how much it carries: what is under way does not wait for what is before it.
func TestLatencyHoldsBytesBackWithoutSlowingTheirFlow(t *testing.T) {
	for _, stream := range []fault.Stream{"", fault.Downstream, fault.Upstream, fault.BothStreams} {
		for _, up := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				f := latency(0, time.Hour, "a", 100*time.Millisecond)
				f.Stream = stream
				c, peer := pair(t, started(t, f, latency(0, time.Hour, "a", 0)).Point("a"))
				late := 100 * time.Millisecond
				from, to := peer, c
				if up {
					from, to = c, peer
				}
				if up && stream != fault.Upstream && stream != fault.BothStreams || !up && stream == fault.Upstream {
					late = 0
				}
				var want []arrival
				for i := range 9 {
					want = append(want, arrival{fmt.Sprint(i), time.Duration(i)*10*time.Millisecond + late})
				}
				if got := send(t, from, to, 9, 10*time.Millisecond); !slices.Equal(got, want) {
					t.Errorf("stream %q, up %v: %v", stream, up, got)
				}
			})
		}
	}
}

// T45: the same seed gives the same times, whatever other connections do; and bytes do not overtake each other.
func TestJitterIsExactUnderASeed(t *testing.T) {
	run := func(seed uint64, others int) (got []arrival) {
		synctest.Test(t, func(t *testing.T) {
			f := latency(0, time.Hour, "a", 100*time.Millisecond)
			f.Jitter = 50 * time.Millisecond
			i := fault.New("test", fault.Config{Plan: fault.Plan{Seed: seed, Faults: []fault.Fault{f}}, Registry: quiet()})
			mustStart(t, i)
			c, peer := pair(t, i.Point("a"))
			for range others {
				other, its := pair(t, i.Point("a"))
				go send(t, its, other, 7, time.Millisecond)
			}
			got = send(t, peer, c, 50, 30*time.Millisecond)
		})
		return got
	}
	first := run(1, 0)
	spread := map[time.Duration]bool{}
	for i, a := range first {
		late := a.at - time.Duration(i)*30*time.Millisecond
		if a.text != fmt.Sprint(i) || late < 50*time.Millisecond || late >= 150*time.Millisecond {
			t.Errorf("%q came at %v", a.text, a.at)
		}
		spread[late] = true
	}
	if len(first) != 50 || len(spread) < 40 {
		t.Errorf("%d came, with %d different delays", len(first), len(spread))
	}
	if again := run(1, 3); !slices.Equal(again, first) {
		t.Errorf("beside others %v, want %v", again, first)
	}
	if other := run(2, 0); slices.Equal(other, first) {
		t.Error("another seed gives the same")
	}
}

func TestStallHoldsBytesBackAndLosesNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, on(fault.Stall, 900*time.Millisecond, 2*time.Second, "a"))
		c, peer := pair(t, i.Point("a"))
		got := send(t, peer, c, 8, 500*time.Millisecond)
		healed := 2900 * time.Millisecond
		want := []arrival{
			{"0", 0},
			{"1", 500 * time.Millisecond},
			{"2", healed},
			{"3", healed},
			{"4", healed},
			{"5", healed},
			{"6", 3 * time.Second},
			{"7", 3500 * time.Millisecond},
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
	})
}

func TestBandwidthIsWhatThePlanSays(t *testing.T) {
	for _, up := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := fault.Fault{For: time.Hour, Kind: fault.Bandwidth, Target: "a", Rate: 10, Stream: fault.BothStreams}
			wider := f
			wider.Rate = 20
			c, peer := pair(t, started(t, wider, f).Point("a"))
			from, to := peer, c
			if up {
				from, to = c, peer
			}
			start := time.Now()
			came := collect(to, start)
			mustWrite(t, from, string(make([]byte, 25_000)))
			time.Sleep(10 * time.Second)
			mustWrite(t, from, string(make([]byte, 500)))
			time.Sleep(time.Minute)
			_ = from.Close()
			total, last, exact := 0, time.Duration(0), false
			for _, a := range <-came {
				total += len(a.text)
				last = a.at
				if total > int(10_000*a.at.Seconds())+1000 {
					t.Errorf("up %v: %d bytes after %v", up, total, a.at)
				}
				exact = exact || total == 25_000 && a.at == 2500*time.Millisecond
			}
			if !exact || total != 25_500 || last < 10*time.Second || last > 10100*time.Millisecond {
				t.Errorf("up %v: %d bytes until %v", up, total, last)
			}
		})
	}
}

// T74: each kind reaches connections that are open, and blocked in a Read, ends, and its hits are counted.
func TestFaultsReachConnectionsThatAreOpenAndLeaveThem(t *testing.T) {
	for _, test := range []struct {
		fault fault.Fault
		late  time.Duration
		cut   bool
	}{
		{fault: latency(time.Second, time.Second, "a", 50*time.Millisecond), late: 50 * time.Millisecond},
		{fault: on(fault.Stall, time.Second, time.Second, "a"), late: 500 * time.Millisecond},
		{
			fault: fault.Fault{At: time.Second, For: time.Second, Kind: fault.Bandwidth, Target: "a", Rate: 0.001},
			late:  500 * time.Millisecond,
		},
		{
			fault: fault.Fault{At: time.Second, For: time.Second, Kind: fault.Slicer, Target: "a", AverageSize: 9},
		},
		{fault: on(fault.Blackhole, time.Second, time.Second, "a"), late: 500 * time.Millisecond},
		{fault: on(fault.LimitData, time.Second, time.Second, "a"), cut: true},
		{fault: on(fault.ResetPeer, time.Second, time.Second, "a"), cut: true},
		{fault: on(fault.Down, time.Second, time.Second, "a"), cut: true},
	} {
		t.Run(string(test.fault.Kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const conns = 10
				var ended []fault.Event
				i := fault.New("test", fault.Config{
					Plan: fault.Plan{Faults: []fault.Fault{test.fault}}, Registry: quiet(),
					OnChange: func(e fault.Event) { ended = append(ended, e) },
				})
				start := time.Now()
				mustStart(t, i)
				var peers []net.Conn
				var came []<-chan []arrival
				for range conns {
					c, peer := pair(t, i.Point("a"))
					peers = append(peers, peer)
					came = append(came, collect(c, start))
				}
				for _, at := range []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 2500 * time.Millisecond} {
					until(start, at)
					for _, peer := range peers {
						if _, err := peer.Write([]byte("x")); (err != nil) != (test.cut && at > time.Second) {
							t.Errorf("%v: %v", at, err)
						}
					}
				}
				time.Sleep(time.Second)
				want := []arrival{
					{"x", 500 * time.Millisecond}, {"x", 1500*time.Millisecond + test.late}, {"x", 2500 * time.Millisecond},
				}
				if test.cut {
					want = want[:1]
				}
				for n, peer := range peers {
					_ = peer.Close()
					if got := <-came[n]; !slices.Equal(got, want) {
						t.Errorf("connection %d: %v", n, got)
					}
				}
				if hits := i.Stats().Faults[0].Hits; hits != conns || len(ended) != 2 || ended[1].Hits != conns {
					t.Errorf("%d hits, told %+v", hits, ended)
				}
			})
		})
	}
}

// T45: the share of the connections is drawn by their numbers.
func TestToxicityIsTheShareOfConnections(t *testing.T) {
	hit := func(seed uint64, toxicity float64) (numbers []int) {
		f := on(fault.ResetPeer, 0, time.Hour, "a")
		f.Toxicity = toxicity
		i := fault.New("test", fault.Config{Plan: fault.Plan{Seed: seed, Faults: []fault.Fault{f}}, Registry: quiet()})
		mustStart(t, i)
		for n := range 1000 {
			c, peer := pair(t, i.Point("a"))
			_ = c.SetReadDeadline(time.Unix(1, 0))
			if _, err := c.Read(nil); errors.Is(err, syscall.ECONNRESET) {
				numbers = append(numbers, n)
			}
			_ = peer.Close()
		}
		return numbers
	}
	some := hit(1, 0.3)
	if n := len(some); n < 240 || n > 360 {
		t.Errorf("%d of 1000 were hit", n)
	}
	if !slices.Equal(hit(1, 0.3), some) || slices.Equal(hit(2, 0.3), some) {
		t.Error("the seed does not decide")
	}
	if none, all := len(hit(1, fault.Never)), len(hit(1, 0)); none != 0 || all != 1000 {
		t.Errorf("never hits %d, and always %d", none, all)
	}
}

func TestResetComesExactlyAfterItsBytes(t *testing.T) {
	for _, up := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := on(fault.ResetPeer, time.Second, time.Hour, "a")
			f.Bytes, f.Stream = 10_000, fault.BothStreams
			i := started(t, f)
			c, peer := pair(t, i.Point("a"))
			from, to := peer, c
			if up {
				from, to = c, peer
			}
			came := collect(to, time.Now())
			mustWrite(t, from, "before")
			time.Sleep(2 * time.Second)
			go func() {
				for range 100 {
					_, _ = from.Write(make([]byte, 333))
				}
			}()
			total := 0
			for _, a := range <-came {
				total += len(a.text)
			}
			if total != len("before")+10_000 {
				t.Errorf("up %v: %d bytes came", up, total)
			}
			isReset(t, c)
			if hits := i.Stats().Faults[0].Hits; hits != 1 {
				t.Errorf("up %v: %d hits", up, hits)
			}
		})
	}
}

// isReset checks the errors of a connection that was cut.
func isReset(t *testing.T, c net.Conn) {
	t.Helper()
	for i, do := range []func([]byte) (int, error){c.Read, c.Write} {
		op := []string{"read", "write"}[i]
		n, err := do(make([]byte, 1))
		netErr, ok := errors.AsType[*net.OpError](err)
		if n != 0 || !ok || netErr.Op != op || netErr.Timeout() ||
			!errors.Is(err, syscall.ECONNRESET) || !errors.Is(err, fault.ErrInjected) {
			t.Errorf("%s: %d, %v", op, n, err)
		}
		if v := seawall.Classify(err); v.Outcome != seawall.Failure || v.Repeat != seawall.RepeatIfIdempotent {
			t.Errorf("%s: %+v", op, v)
		}
	}
}

// A Write that the reset finds waiting keeps the contract of io.Writer: no short count without an error.
func TestResetUnblocksAWriteThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, started(t, on(fault.ResetPeer, time.Second, time.Hour, "a")).Point("a"))
		start := time.Now()
		n, err := c.Write([]byte("nobody reads this"))
		if n < 17 && err == nil || time.Since(start).Truncate(time.Microsecond) != time.Second {
			t.Errorf("%d bytes, %v after %v", n, err, time.Since(start))
		}
		isReset(t, c)
	})
}

// T74: what is blocked in the kernel feels a reset as well, and so does the peer.
func TestResetReachesBothEndsOfATCPConnection(t *testing.T) {
	inner, peer := tcp(t)
	i := newInjector(on(fault.ResetPeer, 0, time.Hour, "a"))
	c := i.Point("a").Conn(inner)
	blocked := make(chan error)
	for _, do := range []func([]byte) (int, error){c.Read, peer.Read} {
		go func() {
			_, err := do(make([]byte, 1))
			blocked <- err
		}()
	}
	time.Sleep(10 * time.Millisecond) // in a kernel there is no telling; what is not blocked yet will fail all the same
	mustStart(t, i)
	for range 2 {
		if err := <-blocked; !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
	}
	isReset(t, c)
	if err := c.Close(); err != nil {
		t.Errorf("Close after a reset: %v", err)
	}
}

// tcp returns the two ends of a connection over the loopback interface.
func tcp(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
	})
	return client, server
}

func TestDeadlinesHoldWhileBytesAreHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := on(fault.Stall, 0, 10*time.Second, "a")
		f.Stream = fault.BothStreams
		c, peer := pair(t, started(t, f).Point("a"))
		start := time.Now()
		late := func(op string, n int, err error, at time.Duration) {
			t.Helper()
			netErr, ok := errors.AsType[*net.OpError](err)
			if !ok || netErr.Op != op || !netErr.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != at {
				t.Errorf("%s: %d, %v after %v", op, n, err, time.Since(start))
			}
		}
		go func() { _, _ = peer.Write([]byte("answer")) }()
		_ = c.SetDeadline(start.Add(time.Second))
		n, err := c.Read(make([]byte, 9))
		late("read", n, err, time.Second)
		n, err = c.Read(make([]byte, 9))
		late("read", n, err, time.Second)
		n, err = c.Write(make([]byte, 9))
		late("write", n, err, time.Second)

		_ = c.SetDeadline(start.Add(3 * time.Second))
		time.AfterFunc(time.Second, func() { _ = c.SetDeadline(start.Add(2500 * time.Millisecond)) })
		n, err = c.Write(make([]byte, 5<<20))
		late("write", n, err, 2500*time.Millisecond)
		if n != 4<<20 {
			t.Errorf("%d bytes were taken", n)
		}
		_ = c.SetDeadline(time.Unix(1, 0))
		n, err = c.Read(make([]byte, 9))
		late("read", n, err, 2500*time.Millisecond)

		// What was taken is sent, and what has come is not lost.
		_ = c.SetDeadline(time.Time{})
		mustRead(t, c, "answer")
		if time.Since(start) != 10*time.Second {
			t.Errorf("the answer came after %v", time.Since(start))
		}
		mustRead(t, peer, string(make([]byte, 4<<20)))
	})
}

// A deadline for later writes is none for those that were taken before.
func TestWriteDeadlineDoesNotCutWhatWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := latency(0, time.Hour, "a", time.Second)
		f.Stream = fault.Upstream
		c, peer := pair(t, started(t, f).Point("a"))
		_ = c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		mustWrite(t, c, "taken")
		time.Sleep(5 * time.Second) // the peer does not read, and the deadline passes
		mustRead(t, peer, "taken")
		synctest.Wait()
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("written after the deadline: %v", err)
		}
	})
}

// The deadline that was set while a fault acted holds when it has ended, also in the inner connection.
func TestDeadlineStaysWhenTheFaultEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := latency(0, time.Second, "a", 10*time.Millisecond)
		f.Stream = fault.BothStreams
		c, peer := pair(t, started(t, f).Point("a"))
		start := time.Now()
		mustWrite(t, c, "x")
		_ = c.SetDeadline(start.Add(5 * time.Second))
		mustRead(t, peer, "x")
		time.Sleep(2 * time.Second)
		for _, do := range []func([]byte) (int, error){c.Read, c.Write} {
			if _, err := do(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 5*time.Second {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		}
	})
}

func TestCloseUnblocksEverything(t *testing.T) {
	f := on(fault.Stall, 0, time.Hour, "a")
	f.Stream = fault.BothStreams
	for name, faults := range map[string][]fault.Fault{"off": nil, "stalled": {f}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := started(t, faults...)
				c, _ := pair(t, i.Point("a"))
				errs := make(chan error, 2)
				go func() {
					_, err := c.Read(make([]byte, 1))
					errs <- err
				}()
				go func() {
					_, err := c.Write(make([]byte, 5<<20))
					errs <- err
				}()
				synctest.Wait()
				begun := time.Now()
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				for range 2 {
					err := <-errs
					// net.Pipe has an error of its own.
					if !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) {
						t.Error(err)
					}
				}
				if passed := time.Since(begun); passed != 0 {
					t.Errorf("it took %v", passed)
				}
				if err := c.Close(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("closed twice: %v", err)
				}
				i.Stop()
			})
		})
	}
}

func TestWhatWasWrittenBeforeCloseArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := latency(0, time.Hour, "a", 100*time.Millisecond)
		f.Stream = fault.Upstream
		c, peer := pair(t, started(t, f).Point("a"))
		start := time.Now()
		came := collect(peer, start)
		mustWrite(t, c, "hello ")
		time.Sleep(10 * time.Millisecond)
		mustWrite(t, c, "world")
		_ = c.Close()
		want := []arrival{{"hello ", 100 * time.Millisecond}, {"world", 110 * time.Millisecond}}
		if got := <-came; !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
	})
}

// The goroutine of a closed connection does not stay for a peer that reads nothing.
func TestClosedConnectionDoesNotWaitForItsPeerForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := latency(0, time.Hour, "a", time.Second)
		f.Stream = fault.Upstream
		c, peer := pair(t, started(t, f).Point("a"))
		mustWrite(t, c, "nobody reads this")
		_ = c.Close()
		time.Sleep(7 * time.Second)
		if n, err := peer.Read(make([]byte, 9)); !errors.Is(err, io.EOF) {
			t.Errorf("it is still open: %d, %v", n, err)
		}
	})
}

// halfPipe counts what a CloseWrite comes after.
type halfPipe struct {
	net.Conn

	written bytes.Buffer
	closed  []string
}

func (h *halfPipe) Write(b []byte) (int, error) { return h.written.Write(b) }

func (h *halfPipe) CloseWrite() error {
	h.closed = append(h.closed, h.written.String())
	return nil
}

func TestCloseWriteKeepsItsPlaceBehindTheBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := latency(time.Second, time.Hour, "a", 100*time.Millisecond)
		f.Stream = fault.Upstream
		i := started(t, f)
		inner, peer := net.Pipe()
		defer peer.Close()
		h := &halfPipe{Conn: inner}
		c := i.Point("a").Conn(h)
		defer c.Close()
		half, ok := c.(interface{ CloseWrite() error })
		if !ok {
			t.Fatal("it is gone")
		}
		until(time.Now(), time.Second)
		mustWrite(t, c, "to the end")
		if err := half.CloseWrite(); err != nil {
			t.Error(err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("written behind the end: %v", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !slices.Equal(h.closed, []string{"to the end"}) {
			t.Errorf("closed after %q", h.closed)
		}
		plain, _ := pair(t, i.Point("a"))
		if _, ok := plain.(interface{ CloseWrite() error }); ok {
			t.Error("a connection has what its inner one does not have")
		}
	})
}

// The end of a stream is as late as its bytes.
func TestLatencyHoldsTheEndBackAsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pair(t, started(t, latency(0, time.Hour, "a", 100*time.Millisecond)).Point("a"))
		start := time.Now()
		go func() {
			_, _ = peer.Write([]byte("end"))
			_ = peer.Close()
		}()
		got, err := io.ReadAll(c)
		if string(got) != "end" || err != nil || time.Since(start) != 100*time.Millisecond {
			t.Errorf("%q, %v after %v", got, err, time.Since(start))
		}
		if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("behind the end: %d, %v", n, err)
		}
	})
}
