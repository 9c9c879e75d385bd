package fault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/fault"
)

// sinkConn takes and gives bytes at once.
type sinkConn struct{ net.Conn }

func (sinkConn) Read(b []byte) (int, error)  { return len(b), nil }
func (sinkConn) Write(b []byte) (int, error) { return len(b), nil }
func (sinkConn) Close() error                { return nil }
func (sinkConn) LocalAddr() net.Addr         { return nil }
func (sinkConn) RemoteAddr() net.Addr        { return nil }

// T73: off, and with every fault at strength 0, a connection neither allocates nor starts anything nor counts a hit.
func TestConnAllocatesNothingWhileNothingActs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	i := started(t, append(idleFaults("idle"), latency(0, time.Hour, "up", time.Second))...)
	for _, target := range []string{"off", "idle"} {
		c := i.Point(target).Conn(sinkConn{})
		buf := make([]byte, 64)
		n := testing.AllocsPerRun(200, func() {
			_, _ = c.Read(buf)
			_, _ = c.Write(buf)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", target, n)
		}
		_ = c.Close()
	}
	// A fault in one direction is none in the other.
	c := i.Point("up").Conn(sinkConn{})
	defer c.Close()
	buf := make([]byte, 8)
	if n := testing.AllocsPerRun(200, func() { _, _ = c.Write(buf) }); n != 0 {
		t.Errorf("beside a fault: %v allocations", n)
	}
	for _, s := range i.Stats().Faults {
		if s.Hits != 0 {
			t.Errorf("hits: %+v", s)
		}
	}
}

// idleFaults are all kinds for connections, such that they change nothing.
func idleFaults(target string) []fault.Fault {
	faults := []fault.Fault{
		latency(0, time.Hour, target, 0),
		{For: time.Hour, Kind: fault.Latency, Target: target, Latency: time.Hour, Toxicity: fault.Never},
		{For: time.Hour, Kind: fault.Bandwidth, Target: target, Rate: 0.001, Toxicity: fault.Never},
		{For: time.Hour, Kind: fault.Slicer, Target: target, AverageSize: 1, Delay: time.Hour, Toxicity: fault.Never},
		{For: time.Hour, Kind: fault.SlowClose, Target: target, Delay: time.Hour, Toxicity: fault.Never},
		{For: time.Hour, Kind: fault.SlowClose, Target: target},
		{For: time.Hour, Kind: fault.Corrupt, Target: target, Rate: 1, Toxicity: fault.Never},
		{For: time.Hour, Kind: fault.Corrupt, Target: target},
	}
	for _, kind := range []fault.Kind{
		fault.Stall, fault.ResetPeer, fault.Down, fault.Blackhole, fault.Timeout, fault.LimitData, fault.HalfClose,
	} {
		f := on(kind, 0, time.Hour, target)
		f.Toxicity = fault.Never
		faults = append(faults, f)
	}
	return faults
}

// T73: what changes nothing by its parameters changes no byte and no time.
func TestIdleFaultsAreNotFeltOnConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, idleFaults("a")...)
		if !i.Point("a").Off() {
			t.Fatal("the point is not off")
		}
		dial := i.Point("a").Dial(func(context.Context, string, string) (net.Conn, error) {
			inner, peer := net.Pipe()
			go func() {
				defer peer.Close()
				_, _ = io.Copy(peer, peer)
			}()
			return inner, nil
		})
		c, err := dial(t.Context(), "tcp", "a")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range 100 {
			go mustWrite(t, c, "the same")
			mustRead(t, c, "the same")
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("it took %v", d)
		}
		_ = c.Close()
	})
}

// T74: whatever the plan, no byte is lost, changed or moved, and none arrives before it was sent.
func TestEveryByteArrivesInItsPlace(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 74))
			i := fault.New("test", fault.Config{Plan: wirePlan(rng), Registry: quiet()})
			mustStart(t, i)
			c, peer := pair(t, i.Point("a"))
			sent := make([]byte, 100_000)
			for n := range sent {
				sent[n] = byte(rng.Uint32())
			}
			var both sync.WaitGroup
			for _, ends := range [][2]net.Conn{{c, peer}, {peer, c}} {
				pieces := rand.New(rand.NewPCG(seed, rng.Uint64()))
				both.Go(func() {
					for rest := sent; len(rest) > 0; {
						n := min(len(rest), 1+pieces.IntN(9000))
						mustWrite(t, ends[0], string(rest[:n]))
						rest = rest[n:]
						time.Sleep(time.Duration(pieces.IntN(100)) * time.Millisecond)
					}
				})
				sizes := rand.New(rand.NewPCG(seed, rng.Uint64()))
				both.Go(func() {
					var got []byte
					for len(got) < len(sent) {
						if sizes.IntN(3) == 0 {
							_ = ends[1].SetReadDeadline(time.Now().Add(time.Duration(sizes.IntN(50)) * time.Millisecond))
						}
						buf := make([]byte, 1+sizes.IntN(20_000))
						n, err := ends[1].Read(buf)
						got = append(got, buf[:n]...)
						netErr, ok := errors.AsType[net.Error](err)
						if err != nil && !(ok && netErr.Timeout()) {
							t.Errorf("seed %d: %v", seed, err)
							return
						}
						if err != nil {
							_ = ends[1].SetReadDeadline(time.Time{})
						}
					}
					if !bytes.Equal(got, sent) {
						t.Errorf("seed %d: other bytes came than were sent", seed)
					}
				})
			}
			both.Wait()
		})
	}
}

// wirePlan has faults that cut nothing, for two seconds.
func wirePlan(rng *rand.Rand) fault.Plan {
	p := fault.Plan{Seed: rng.Uint64()}
	for range rng.IntN(10) {
		f := on(fault.Stall, time.Duration(rng.IntN(2000))*time.Millisecond, time.Duration(1+rng.IntN(800))*time.Millisecond, "a")
		f.Stream = []fault.Stream{"", fault.Downstream, fault.Upstream, fault.BothStreams}[rng.IntN(4)]
		switch rng.IntN(6) {
		case 2:
			f.Kind, f.AverageSize, f.Delay = fault.Slicer, 1+rng.Int64N(5000), time.Duration(rng.IntN(20))*time.Millisecond
			f.SizeVariation = rng.Int64N(f.AverageSize)
		case 3:
			f.Kind, f.Stream = fault.Blackhole, ""
		case 4:
			f.Kind, f.Delay = fault.SlowClose, time.Second
		case 0:
			f.Kind, f.Latency = fault.Latency, time.Duration(rng.IntN(300))*time.Millisecond
			f.Jitter = time.Duration(rng.Float64() * float64(f.Latency))
		case 1:
			f.Kind, f.Rate = fault.Bandwidth, 0.5+100*rng.Float64()
		}
		p.Faults = append(p.Faults, f)
	}
	return p
}

// All methods at once, on real sockets, with faults that come and go: nothing races, blocks or stays behind.
func TestConnStandsAllMethodsAtOnce(t *testing.T) {
	for round := range 8 {
		inner, peer := tcp(t)
		var faults []fault.Fault
		for n := range 20 {
			at := time.Duration(n) * time.Millisecond
			f := latency(at, 3*time.Millisecond, "a", time.Millisecond)
			f.Stream = fault.BothStreams
			stall := on(fault.Stall, at, time.Millisecond/2, "a")
			stall.Stream = fault.Upstream
			faults = append(faults, f, stall)
		}
		reset := on(fault.ResetPeer, 15*time.Millisecond, time.Millisecond, "a")
		reset.Toxicity = 0.5
		for at, kind := range []fault.Kind{fault.Slicer, fault.SlowClose, fault.Timeout, fault.HalfClose, fault.Corrupt, fault.LimitData} {
			f := on(kind, time.Duration(at)*3*time.Millisecond, 5*time.Millisecond, "a")
			f.Stream, f.Toxicity = fault.BothStreams, 0.3
			switch kind {
			case fault.Slicer:
				f.AverageSize = 100
			case fault.SlowClose:
				f.Delay = time.Millisecond
			case fault.Timeout:
				f.Timeout = time.Millisecond
			case fault.Corrupt:
				f.Rate = 0.1
			case fault.HalfClose, fault.LimitData:
				f.Bytes = 1000
			}
			faults = append(faults, f)
		}
		i := fault.New("test", fault.Config{
			Plan: fault.Plan{Seed: uint64(round), Faults: append(faults, reset)}, Registry: quiet(),
		})
		mustStart(t, i)
		c := i.Point("a").Conn(inner)
		end := time.Now().Add(25 * time.Millisecond)
		var all sync.WaitGroup
		repeat := func(do func()) {
			all.Go(func() {
				for time.Now().Before(end) {
					do()
				}
			})
		}
		buf := make([]byte, 1<<20)
		for range 2 {
			repeat(func() { _, _ = c.Write(buf[:999]) })
			repeat(func() { _, _ = c.Read(make([]byte, 500)) })
			repeat(func() { _ = c.SetDeadline(time.Now().Add(time.Millisecond)) })
			repeat(func() { _ = c.SetReadDeadline(time.Time{}); _ = c.SetWriteDeadline(time.Time{}) })
			repeat(func() { _, _ = c.LocalAddr(), c.RemoteAddr() })
		}
		all.Go(func() { _, _ = io.Copy(peer, peer) })
		time.AfterFunc(22*time.Millisecond, func() { _ = c.Close() })
		time.AfterFunc(30*time.Millisecond, func() { _ = peer.Close() })
		all.Wait()
		i.Stop()
	}
}
