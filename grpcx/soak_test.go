package grpcx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/retry"
)

// soak is a client and a server of which everything goes wrong at once, as a seed says, but for the instants and what the
// handlers do. It is about real sockets, and in a bubble of testing/synctest no time passes while somebody waits for one. So
// it sleeps in real time, for short: that makes load, and no check counts on how long it takes.
type soak struct {
	seed    uint64
	client  *grpcx.Client
	stub    echopb.EchoClient
	handled sync.Map // the id of a call that may not be carried out twice: *atomic.Int64
	calls   atomic.Int64
	gone    atomic.Int64 // of these, those whose caller had left by the end
	ends    sync.Map     // *ending of every call
}

// told counts how often OnFinish has run for a call.
type told struct {
	id string
	n  atomic.Int64
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

func (s *soak) clientConfig(r *rand.Rand) grpcx.ClientConfig {
	c := quick()
	c.Timeout = one(r, 100*time.Millisecond, time.Second)
	c.AttemptTimeout = one(r, grpcx.Off, 3*time.Millisecond, 30*time.Millisecond)
	c.Retry.MaxAttempts = one(r, 1, 3, 5)
	c.Retry.Funding = one(r, retry.FromBudget, retry.NoBudget)
	c.Breaker = breaker.Config{MinCalls: one(r, 5, 1000), OpenFor: 5 * time.Millisecond, MaxOpenFor: 20 * time.Millisecond}
	c.Bulkhead.Limit, c.StreamBulkhead.Limit = one(r, 2, 20), one(r, 2, 20)
	c.StreamSettle = one(r, grpcx.AtEnd, time.Millisecond)
	if r.IntN(2) == 0 {
		c.Hedge = &hedge.Config{Delay: one(r, time.Millisecond, hedge.OnFailure), Funding: hedge.NoBudget}
	}
	return c
}

func (s *soak) faults(r *rand.Rand) (all []fault.Fault) {
	for range 1 + r.IntN(6) {
		f := one(r,
			fault.Fault{Kind: fault.Latency, Target: "wire", Latency: 5 * time.Millisecond},
			fault.Fault{Kind: fault.ResetPeer, Target: "wire", Bytes: one[int64](r, 0, 2000)},
			fault.Fault{Kind: fault.HalfClose, Target: "wire", Bytes: one[int64](r, 0, 2000)},
			fault.Fault{Kind: fault.Blackhole, Target: "wire"},
			fault.Fault{Kind: fault.Down, Target: "wire"},
			fault.Fault{Kind: fault.StatusCode, Target: one(r, "client", "server"), Code: one(r, "UNAVAILABLE", "INTERNAL"), Toxicity: 0.5},
			fault.Fault{Kind: fault.AckLost, Target: one(r, "client", "server"), Toxicity: 0.5},
			fault.Fault{Kind: fault.Truncate, Target: one(r, "client", "server"), Messages: r.Int64N(3), Toxicity: 0.5})
		f.At, f.For = upTo(r, 400*time.Millisecond), time.Millisecond+upTo(r, 100*time.Millisecond)
		all = append(all, f)
	}
	return all
}

// body is what an answer must be whole of.
func body(id string, n int32) []byte { return bytes.Repeat(fmt.Appendf(nil, "%s-%d,", id, n), 20) }

// enter notes that a handler has begun, and then takes its time, or fails.
func (s *soak) enter(ctx context.Context) (id string, err error) {
	md, _ := metadata.FromIncomingContext(ctx)
	id = md.Get("id")[0]
	n, _ := s.handled.LoadOrStore(id, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
	switch x := rand.IntN(100); {
	case x < 15:
		time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond) // deaf
	case x < 25:
		return id, status.Error(codes.Unavailable, "soak")
	case x < 28:
		panic("soak")
	case x < 30:
		<-ctx.Done()
		return id, ctx.Err()
	}
	return id, nil
}

func (s *soak) service() *echo {
	return &echo{
		unary: func(ctx context.Context, _ int, _ *echopb.EchoRequest) (*echopb.EchoReply, error) {
			id, err := s.enter(ctx)
			return &echopb.EchoReply{Text: id, Payload: body(id, 0)}, err
		},
		list: func(_ int, req *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
			id, err := s.enter(stream.Context())
			for i := int32(0); err == nil && i < req.GetCount(); i++ {
				err = stream.Send(&echopb.EchoReply{Text: id, Number: i, Payload: body(id, i)})
			}
			return err
		},
		chat: func(_ int, stream grpc.BidiStreamingServer[echopb.EchoRequest, echopb.EchoReply]) error {
			id, err := s.enter(stream.Context())
			for i := int32(0); err == nil; i++ {
				if _, err = stream.Recv(); err == nil {
					err = stream.Send(&echopb.EchoReply{Text: id, Number: i, Payload: body(id, i)})
				}
			}
			return ended(err)
		},
	}
}

// call makes a call of any kind, whose caller stays for a while.
func (s *soak) call(t *testing.T, r *rand.Rand) {
	kind := one(r, "Get", "Post", "List", "Take", "Chat")
	id := fmt.Sprint(kind, s.calls.Add(1))
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond+upTo(r, 100*time.Millisecond))
	defer cancel()
	if r.IntN(4) == 0 {
		time.AfterFunc(upTo(r, 50*time.Millisecond), cancel)
	}
	of := ctx
	ctx = metadata.AppendToOutgoingContext(ctx, "id", id)
	end := &told{id: id}
	s.ends.Store(end, nil)
	options := []grpc.CallOption{grpc.OnFinish(func(error) { end.n.Add(1) }), grpc.WaitForReady(r.IntN(4) == 0)}
	whole := func(reply *echopb.EchoReply, n int32) {
		if reply.GetText() != id || reply.GetNumber() != n || !bytes.Equal(reply.GetPayload(), body(id, n)) {
			t.Errorf("seed %d: %s has got %v", s.seed, id, reply)
		}
	}
	var stream interface {
		Recv() (*echopb.EchoReply, error)
		Header() (metadata.MD, error)
	}
	var err error
	switch kind {
	case "Get", "Post":
		get := s.stub.Get
		if kind == "Post" {
			get = s.stub.Post
		}
		var reply *echopb.EchoReply
		if reply, err = get(ctx, &echopb.EchoRequest{}, options...); err == nil {
			whole(reply, 0)
			reply.Reset() // it is the caller's, whatever an attempt that has lost still does
		}
	case "List":
		stream, err = s.stub.List(ctx, &echopb.EchoRequest{Count: r.Int32N(5)}, options...)
	case "Take":
		stream, err = s.stub.Take(ctx, &echopb.EchoRequest{Count: r.Int32N(5)}, options...)
	case "Chat":
		var chat echopb.Echo_ChatClient
		if chat, err = s.stub.Chat(ctx, options...); err == nil {
			for range r.IntN(4) {
				_ = chat.Send(&echopb.EchoRequest{}) // its error is told by Recv
			}
			_ = chat.CloseSend()
			stream = chat
		}
	}
	var beside sync.WaitGroup
	if err == nil && stream != nil && r.IntN(3) == 0 {
		beside.Go(func() { _, _ = stream.Header() })
	}
	for i, last := int32(0), r.Int32N(8); err == nil && stream != nil && i < last; i++ {
		var reply *echopb.EchoReply
		if reply, err = stream.Recv(); err == nil {
			whole(reply, i)
		}
	}
	if _, ok := status.FromError(err); !ok && !errors.Is(err, io.EOF) {
		t.Errorf("seed %d: %s has ended with %v, which is no status", s.seed, id, err)
	}
	cancel() // also of a stream that was not read to its end
	beside.Wait()
	if of.Err() != nil {
		s.gone.Add(1)
	}
	if n, ok := s.handled.Load(id); ok && kind != "Get" && kind != "List" && n.(*atomic.Int64).Load() > 1 {
		t.Errorf("seed %d: %s was handled %d times", s.seed, id, n.(*atomic.Int64).Load())
	}
}

// run is a round.
func (s *soak) run(t *testing.T) {
	r := rand.New(rand.NewPCG(s.seed, 0))
	i := fault.New("soak", fault.Config{Plan: fault.Plan{Seed: s.seed, Faults: s.faults(r)}, Registry: silent()})
	defer i.Stop()
	place := one(r, grpcx.InInterceptor, grpcx.BeforeDecode)
	cfg := grpcx.ServerConfig{Timeout: 50 * time.Millisecond, Admission: grpcx.AdmissionConfig{Place: place}, Registry: silent()}
	if r.IntN(2) == 0 {
		cfg.Admission.Fixed = bulkhead.Config{Limit: 4}
	}
	server := grpcx.NewServer("soak", cfg)
	outer, inner := grpcx.ClientFaults(i.Point("client")), grpcx.Faults(i.Point("server"))
	n := loopback(t)
	n.serve(t, s.service(), append(server.Options(),
		grpc.ChainUnaryInterceptor(inner.Unary), grpc.ChainStreamInterceptor(inner.Stream),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 60 * time.Millisecond, MaxConnectionAgeGrace: 20 * time.Millisecond}))...)
	p, err := fault.NewProxy(i.Point("wire"), fault.ProxyConfig{Upstream: n.listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	n.target = "passthrough:///" + p.Addr().String()
	s.client = grpcx.NewClient("soak", s.clientConfig(r))
	conn := n.connect(t, append(s.client.DialOptions(),
		grpc.WithChainUnaryInterceptor(outer.Unary), grpc.WithChainStreamInterceptor(outer.Stream),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: time.Millisecond, Multiplier: 1, MaxDelay: time.Millisecond}, MinConnectTimeout: 100 * time.Millisecond,
		}))...)
	s.stub = echopb.NewEchoClient(conn)
	begin(t, i)

	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	for range 12 {
		callers := rand.New(rand.NewPCG(s.seed, r.Uint64()))
		all.Go(func() {
			for ctx.Err() == nil {
				s.call(t, callers)
			}
		})
	}
	changes := rand.New(rand.NewPCG(s.seed, r.Uint64()))
	all.Go(func() {
		for ctx.Err() == nil {
			if err := s.client.Update(s.clientConfig(changes)); err != nil {
				t.Errorf("seed %d: %v", s.seed, err)
			}
			<-time.After(20 * time.Millisecond)
		}
	})
	all.Wait()
	s.settle(t, server)
}

// settle checks what must hold when all calls have ended.
func (s *soak) settle(t *testing.T, server *grpcx.Server) {
	atRest(t, s.client)
	for end := range s.ends.Range {
		end := end.(*told)
		eventually(t, "OnFinish has run for "+end.id, func() bool { return end.n.Load() > 0 })
		if n := end.n.Load(); n != 1 {
			t.Errorf("seed %d: OnFinish has run %d times for %s", s.seed, n, end.id)
		}
	}
	made, counted := s.calls.Load(), s.client.Retry().Stats().Calls()
	if counted > made || counted < made-s.gone.Load() {
		t.Errorf("seed %d: the retry has counted %d calls of %d", s.seed, counted, made)
	}
	inUse := func() int {
		if a, ok := server.Admission().(*bulkhead.Adaptive); ok {
			return a.Stats().InUse
		}
		return server.Admission().(*bulkhead.Bulkhead).Stats().InUse
	}
	eventually(t, "the server has all its slots back", func() bool { return inUse() == 0 })
}

// No slot is lost, no call is handled twice that must not be, no answer is torn, and every end is told once, whatever goes wrong
// at the same time. Faults hit the wire, the attempts and the handlers; callers leave; connections grow old; the
// configuration changes.
func TestNothingIsLostOrDoneTwiceWhenEverythingGoesWrong(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		(&soak{seed: rand.Uint64()}).run(t)
	}
}
