package fault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/fault"
)

// onConn is a fault of a kind on connections in both directions, for an hour from the start, at target "a".
func onConn(kind fault.Kind, change func(*fault.Fault)) fault.Fault {
	f := on(kind, 0, time.Hour, "a")
	if kind != fault.Down && kind != fault.Blackhole {
		f.Stream = fault.BothStreams
	}
	if change != nil {
		change(&f)
	}
	return f
}

// eachWay runs a test for bytes that go down to a connection through a point, and for those that it sends up.
func eachWay(t *testing.T, do func(t *testing.T, from, to net.Conn, i *fault.Injector), faults ...fault.Fault) {
	t.Helper()
	for _, way := range []string{"down", "up"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := started(t, faults...)
				c, peer := pair(t, i.Point("a"))
				if way == "up" {
					do(t, c, peer, i)
				} else {
					do(t, peer, c, i)
				}
			})
		})
	}
}

func lengths(all []arrival) (sizes []int, text string) {
	for _, a := range all {
		sizes = append(sizes, len(a.text))
		text += a.text
	}
	return sizes, text
}

func TestSlicerCutsAndWaitsBetweenSlices(t *testing.T) {
	f := onConn(fault.Slicer, func(f *fault.Fault) { f.AverageSize, f.Delay = 4, time.Second })
	eachWay(t, func(t *testing.T, from, to net.Conn, _ *fault.Injector) {
		start := time.Now()
		came := collect(to, start)
		mustWrite(t, from, "0123456789")
		time.Sleep(10 * time.Second)
		mustWrite(t, from, "abcde")
		time.Sleep(time.Minute)
		_ = from.Close()
		want := []arrival{
			{"0123", 0},
			{"4567", time.Second},
			{"89", 2 * time.Second},
			{"ab", 10 * time.Second},
			{"cde", 11 * time.Second}, // the slice that 89 began ends with ab
		}
		if got := <-came; !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
	}, f)
}

// T45: the slices are those of the seed, and as long as they may be, whatever is written at once.
func TestSlicesAreExactUnderASeed(t *testing.T) {
	f := onConn(fault.Slicer, func(f *fault.Fault) { f.AverageSize, f.SizeVariation = 10, 7 })
	run := func(seed uint64, pieces int) (ends []int) {
		synctest.Test(t, func(t *testing.T) {
			i := fault.New("test", fault.Config{Plan: fault.Plan{Seed: seed, Faults: []fault.Fault{f}}, Registry: quiet()})
			mustStart(t, i)
			c, peer := pair(t, i.Point("a"))
			came := collect(c, time.Now())
			text := strings.Repeat("0123456789", 300)
			for rest := text; rest != ""; rest = rest[min(pieces, len(rest)):] {
				mustWrite(t, peer, rest[:min(pieces, len(rest))])
			}
			time.Sleep(time.Second)
			_ = peer.Close()
			sizes, got := lengths(<-came)
			if got != text || slices.Max(sizes) > 17 || pieces == len(text) && slices.Min(sizes[:len(sizes)-1]) < 3 {
				t.Errorf("%d bytes in slices of %d to %d", len(got), slices.Min(sizes), slices.Max(sizes))
			}
			at := 0
			for _, n := range sizes {
				at += n
				ends = append(ends, at)
			}
		})
		return ends
	}
	first := run(1, 3000)
	if len(first) < 250 || len(first) > 350 {
		t.Errorf("%d slices of 10 in 3000 bytes", len(first))
	}
	if !slices.Equal(run(1, 3000), first) || slices.Equal(run(2, 3000), first) {
		t.Error("the seed does not decide")
	}
	in := run(1, 50)
	for _, end := range first {
		if !slices.Contains(in, end) {
			t.Fatalf("written in pieces of 50 no slice ends at %d", end)
		}
	}
}

// FuzzSlicerAndLimit: whatever the sizes, what comes through is the beginning of what was sent, exactly as long as the
// limit lets it, and no slice is longer than it may be.
func FuzzSlicerAndLimit(f *testing.F) {
	f.Add(uint64(1), uint16(4), uint16(2), uint32(10), []byte{3, 200, 1, 1, 0, 9})
	f.Add(uint64(2), uint16(1), uint16(0), uint32(0), []byte{255})
	f.Add(uint64(3), uint16(900), uint16(899), uint32(100_000), []byte{255, 255, 255})
	f.Add(uint64(4), uint16(0), uint16(9), uint32(1), []byte{})
	f.Fuzz(func(t *testing.T, seed uint64, average, variation uint16, limit uint32, writes []byte) {
		writes = writes[:min(len(writes), 32)]
		slicer := onConn(fault.Slicer, func(f *fault.Fault) {
			f.AverageSize = int64(average) + 1
			f.SizeVariation = min(int64(variation), int64(average))
		})
		kind := []fault.Kind{fault.LimitData, fault.HalfClose, fault.ResetPeer}[seed%3]
		limits := onConn(kind, func(f *fault.Fault) { f.Bytes = int64(limit%4000) + 1 })
		var sent, got []byte
		var longest int
		synctest.Test(t, func(t *testing.T) {
			i := fault.New("test", fault.Config{
				Plan: fault.Plan{Seed: seed, Faults: []fault.Fault{slicer, limits}}, Registry: quiet(),
			})
			mustStart(t, i)
			c, peer := pair(t, i.Point("a"))
			from, to := c, peer
			if seed%2 == 0 {
				from, to = peer, c
			}
			came := collect(to, time.Now())
			rng := rand.New(rand.NewPCG(seed, 1))
			go func() {
				for _, n := range writes {
					b := make([]byte, int(n)*int(average%7+1))
					for i := range b {
						b[i] = byte(rng.Uint32())
					}
					sent = append(sent, b...)
					_, _ = from.Write(b)
				}
			}()
			time.Sleep(time.Minute)
			_ = from.Close()
			_ = to.Close()
			for _, a := range <-came {
				longest = max(longest, len(a.text))
				got = append(got, a.text...)
			}
		})
		want := sent[:min(len(sent), int(limits.Bytes))]
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes came, want %d", len(got), len(want))
		}
		if most := slicer.AverageSize + slicer.SizeVariation; int64(longest) > most {
			t.Errorf("a slice of %d, want at most %d", longest, most)
		}
	})
}

func TestLimitDataClosesBehindItsBytes(t *testing.T) {
	f := onConn(fault.LimitData, func(f *fault.Fault) { f.Bytes = 7 })
	eachWay(t, func(t *testing.T, from, to net.Conn, i *fault.Injector) {
		came := collect(to, time.Now())
		go func() { _, _ = from.Write([]byte("0123456789")) }()
		if _, text := lengths(<-came); text != "0123456" {
			t.Errorf("%q came", text)
		}
		time.Sleep(time.Second)
		if n, err := from.Write([]byte("x")); n != 0 || err == nil {
			t.Errorf("wrote %d bytes behind the limit, %v", n, err)
		}
		if n, err := from.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("read %d bytes behind the limit, %v", n, err)
		}
		if hits := i.Stats().Faults[0].Hits; hits != 1 {
			t.Errorf("%d hits", hits)
		}
	}, f)
}

// T74: what was swallowed cannot come any more, so its connection ends with the fault, and the others go on.
func TestTimeoutSwallowsUntilItsEnd(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		eachWay(t, func(t *testing.T, from, to net.Conn, i *fault.Injector) {
			idle, itsPeer := pair(t, i.Point("a"))
			start := time.Now()
			came := collect(to, start)
			mustWrite(t, from, "before")
			until(start, 1500*time.Millisecond)
			mustWrite(t, from, "swallowed")
			if stopped {
				until(start, 2*time.Second)
				i.Stop()
			}
			if got := <-came; !slices.Equal(got, []arrival{{"before", 0}}) {
				t.Errorf("%v came", got)
			}
			want := 3 * time.Second
			if stopped {
				want = 2 * time.Second
			}
			if took := time.Since(start).Truncate(time.Microsecond); took != want {
				t.Errorf("it ended after %v", took)
			}
			time.Sleep(time.Millisecond)
			if _, err := from.Write([]byte("x")); err == nil {
				t.Error("it can be written to")
			}
			until(start, 4*time.Second)
			go mustWrite(t, itsPeer, "whole")
			mustRead(t, idle, "whole")
			if hits := i.Stats().Faults[0].Hits; hits != 1 {
				t.Errorf("%d hits", hits)
			}
		}, onConn(fault.Timeout, func(f *fault.Fault) { f.At, f.For = time.Second, 2*time.Second }))
	}
}

func TestTimeoutSwallowsTheEndAsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := pair(t, started(t, onConn(fault.Timeout, func(f *fault.Fault) { f.For = 5 * time.Second })).Point("a"))
		start := time.Now()
		came := collect(c, start)
		time.Sleep(time.Second)
		_ = peer.Close()
		if got := <-came; len(got) != 0 || time.Since(start).Truncate(time.Microsecond) != 5*time.Second {
			t.Errorf("%v after %v", got, time.Since(start))
		}
	})
}

// Who writes to what is never read does not wait for a place in a buffer.
func TestTimeoutTakesWhateverIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, started(t, onConn(fault.Timeout, nil)).Point("a"))
		start := time.Now()
		for range 10 {
			mustWrite(t, c, string(make([]byte, 1<<20)))
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
}

// T74: a connection that was closed before is not hit any more.
func TestTimeOfAFaultEndsWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, onConn(fault.ResetPeer, func(f *fault.Fault) { f.Timeout = 3 * time.Second }))
		c, _ := pair(t, i.Point("a"))
		time.Sleep(time.Second)
		_ = c.Close()
		time.Sleep(time.Minute)
		if hits := i.Stats().Faults[0].Hits; hits != 0 {
			t.Errorf("%d hits", hits)
		}
	})
}

func TestBlackholeIsInBothDirections(t *testing.T) {
	f := onConn(fault.Blackhole, func(f *fault.Fault) { f.For = 3 * time.Second })
	both := func(t *testing.T, from, to net.Conn, _ *fault.Injector) {
		start := time.Now()
		came := collect(to, start)
		mustWrite(t, from, "held back")
		time.Sleep(time.Minute)
		_ = from.Close()
		if got := <-came; !slices.Equal(got, []arrival{{"held back", 3 * time.Second}}) {
			t.Errorf("%v", got)
		}
	}
	eachWay(t, both, f)
	synctest.Test(t, func(t *testing.T) { // a server's end
		i, in := started(t, f), accepts(make(chan net.Conn, 1))
		inner, peer := net.Pipe()
		in <- inner
		c, err := i.Point("a").Listener(in).Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		start := time.Now()
		go mustWrite(t, peer, "hello")
		mustRead(t, c, "hello")
		if took := time.Since(start).Truncate(time.Microsecond); took != 3*time.Second {
			t.Errorf("it came after %v", took)
		}
		_ = peer.Close()
	})
}

// lastWords is a connection that gives its bytes and the end of them at once.
type lastWords struct{ net.Conn }

func (lastWords) Read(b []byte) (int, error) { return copy(b, "bye"), io.EOF }

func TestSlowCloseDoesNotHoldTheLastBytesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, onConn(fault.SlowClose, func(f *fault.Fault) { f.Delay = 5 * time.Second }))
		inner, peer := net.Pipe()
		defer func() { _ = peer.Close() }()
		c := i.Point("a").Conn(lastWords{inner})
		start, buf := time.Now(), make([]byte, 10)
		n, err := c.Read(buf)
		if string(buf[:n]) != "bye" || err != nil || time.Since(start) != 0 {
			t.Errorf("%q, %v after %v", buf[:n], err, time.Since(start))
		}
		if n, err := c.Read(buf); n != 0 || !errors.Is(err, io.EOF) || time.Since(start) != 5*time.Second {
			t.Errorf("%d bytes, %v after %v", n, err, time.Since(start))
		}
		i.Stop()
		_ = c.Close()
	})
}

// T74: the time counts from when the fault finds the connection, and no connection ends by it after the fault.
func TestConnectionsEndAfterTheTimeoutOfTheirFault(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Timeout, fault.ResetPeer} {
		synctest.Test(t, func(t *testing.T) {
			f := onConn(kind, func(f *fault.Fault) { f.At, f.For, f.Timeout = time.Second, 10*time.Second, 3*time.Second })
			i := started(t, f)
			start := time.Now()
			ended := func(from time.Duration) <-chan string {
				until(start, from)
				c, _ := pair(t, i.Point("a"))
				done := make(chan string, 1)
				go func() {
					_, err := c.Read(make([]byte, 1))
					done <- fmt.Sprint(time.Since(start).Truncate(time.Microsecond), errors.Is(err, io.EOF),
						errors.Is(err, syscall.ECONNRESET))
				}()
				return done
			}
			open, during, late := ended(0), ended(5*time.Second), ended(9*time.Second)
			end := fmt.Sprint(kind == fault.Timeout, kind == fault.ResetPeer)
			if got, want := <-open, "4s"+" "+end; got != want {
				t.Errorf("%s: open before: %s, want %s", kind, got, want)
			}
			if got, want := <-during, "8s"+" "+end; got != want {
				t.Errorf("%s: opened during it: %s, want %s", kind, got, want)
			}
			until(start, time.Minute)
			select {
			case got := <-late:
				t.Errorf("%s: ended after the fault: %s", kind, got)
			default:
			}
			if hits := i.Stats().Faults[0].Hits; hits != 2 {
				t.Errorf("%s: %d hits", kind, hits)
			}
		})
	}
}

// telling is a connection that tells when it is about to read.
type telling struct {
	*net.TCPConn

	reads chan struct{}
}

func (c telling) Read(b []byte) (int, error) {
	c.reads <- struct{}{}
	return c.TCPConn.Read(b)
}

func TestHalfCloseEndsOneDirectionOnly(t *testing.T) {
	for _, after := range []int64{0, 4} {
		for _, stream := range []fault.Stream{fault.Downstream, fault.Upstream} {
			i := newInjector(onConn(fault.HalfClose, func(f *fault.Fault) { f.Bytes, f.Stream = after, stream }))
			inner, peer := tcp(t)
			told := telling{inner.(*net.TCPConn), make(chan struct{}, 100)} //nolint:forcetypeassert // it is one
			c := i.Point("a").Conn(told)
			t.Cleanup(func() { _ = c.Close() })
			from, to := peer, c
			if stream == fault.Upstream {
				from, to = c, peer
				told.reads <- struct{}{} // nobody reads there
			}
			waits := make(chan string, 1)
			go func() { // it is blocked in the kernel when the fault starts
				got, err := io.ReadAll(to)
				waits <- fmt.Sprint(string(got), err)
			}()
			<-told.reads
			time.Sleep(time.Millisecond) // it has said so just before
			mustStart(t, i)
			if after > 0 {
				_, _ = from.Write([]byte("0123456789"))
			}
			if got, want := <-waits, "0123"[:after]+"<nil>"; got != want {
				t.Errorf("%s after %d: read %s", stream, after, got)
			}
			if stream == fault.Upstream {
				if _, err := from.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) || !errors.Is(err, fault.ErrInjected) {
					t.Errorf("wrote behind the end: %v", err)
				}
				if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil { //nolint:forcetypeassert // TCP has it
					t.Errorf("closed it again: %v", err)
				}
			}
			mustWrite(t, to, "the other way")
			mustRead(t, from, "the other way")
			if hits := i.Stats().Faults[0].Hits; hits != 1 {
				t.Errorf("%d hits", hits)
			}
		}
	}
}

func TestSlowCloseHoldsTheEndBackAndNothingElse(t *testing.T) {
	f := onConn(fault.SlowClose, func(f *fault.Fault) { f.For, f.Delay = 20*time.Second, 5*time.Second })
	for _, at := range []time.Duration{0, 17 * time.Second, 30 * time.Second} {
		eachWay(t, func(t *testing.T, from, to net.Conn, i *fault.Injector) {
			start := time.Now()
			came := collect(to, start)
			until(start, at)
			mustWrite(t, from, "bytes")
			_ = from.Close()
			want, hits := at+5*time.Second, uint64(1)
			switch at {
			case 17 * time.Second:
				want = 20 * time.Second // it ends with its fault
			case 30 * time.Second:
				want, hits = at, 0
			}
			if got := <-came; !slices.Equal(got, []arrival{{"bytes", at}}) || time.Since(start).Truncate(time.Microsecond) != want {
				t.Errorf("closed at %v: %v, ended after %v", at, got, time.Since(start))
			}
			if got := i.Stats().Faults[0].Hits; got != hits {
				t.Errorf("%d hits", got)
			}
		}, f)
	}
}

// T45: which bytes are changed depends on the seed, the connection and the place alone.
func TestCorruptIsExactUnderASeed(t *testing.T) {
	f := onConn(fault.Corrupt, func(f *fault.Fault) { f.Rate = 0.1 })
	text := strings.Repeat("seawall ", 500)
	run := func(seed uint64, pieces int, up bool, before ...string) (got string) {
		synctest.Test(t, func(t *testing.T) {
			i := fault.New("test", fault.Config{Plan: fault.Plan{Seed: seed, Faults: []fault.Fault{f}}, Registry: quiet()})
			mustStart(t, i)
			for range before {
				pair(t, i.Point("a"))
			}
			c, peer := pair(t, i.Point("a"))
			from, to := peer, c
			if up {
				from, to = c, peer
			}
			came := collect(to, time.Now())
			for rest := text; rest != ""; rest = rest[min(pieces, len(rest)):] {
				mustWrite(t, from, rest[:min(pieces, len(rest))])
			}
			_ = from.Close()
			_, got = lengths(<-came)
		})
		return got
	}
	first, changed := run(1, 4000, false), 0
	for i := range first {
		if first[i] != text[i] {
			changed++
		}
	}
	if len(first) != len(text) || changed < 320 || changed > 480 {
		t.Errorf("%d of %d bytes came, %d changed", len(first), len(text), changed)
	}
	for _, pieces := range []int{1, 333} {
		if run(1, pieces, false) != first {
			t.Errorf("in pieces of %d others are changed", pieces)
		}
	}
	if run(2, 4000, false) == first || run(1, 4000, true) == first {
		t.Error("neither the seed nor the direction matters")
	}
	if run(1, 4000, false, "another connection") == first {
		t.Error("all connections are changed alike")
	}
	if up := run(1, 4000, true); up != run(1, 7, true) {
		t.Error("upstream it depends on the pieces")
	}
}

// T45, T74: a dial into a black hole waits for its context, and goes on when the hole is gone.
func TestDialIntoABlackholeWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, onConn(fault.Blackhole, func(f *fault.Fault) { f.At, f.For = time.Second, 9*time.Second }))
		dialed := 0
		dial := i.Point("a").Dial(func(context.Context, string, string) (net.Conn, error) {
			dialed++
			inner, peer := net.Pipe()
			t.Cleanup(func() { _ = peer.Close() })
			return inner, nil
		})
		start := time.Now()
		until(start, 2*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := dial(ctx, "tcp", "db:5432")
		netErr, ok := errors.AsType[net.Error](err)
		if !ok || !netErr.Timeout() || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second || dialed != 0 {
			t.Errorf("%v after %v, dialed %d times", err, time.Since(start), dialed)
		}
		c, err := dial(t.Context(), "tcp", "db:5432")
		if err != nil || time.Since(start) != 10*time.Second || dialed != 1 {
			t.Fatalf("%v after %v, dialed %d times", err, time.Since(start), dialed)
		}
		_ = c.Close()
		if hits := i.Stats().Faults[0].Hits; hits != 2 {
			t.Errorf("%d hits", hits)
		}
	})
}
