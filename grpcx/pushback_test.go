package grpcx_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/internal/hop"
)

// detailed is a status with a RetryInfo.
func detailed(t testing.TB, delay *durationpb.Duration) *status.Status {
	t.Helper()
	st, err := status.New(codes.Unavailable, "no").WithDetails(&errdetails.RetryInfo{RetryDelay: delay})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// T67
func TestPushbackIsReadFromTrailersAndDetails(t *testing.T) {
	for _, c := range []struct {
		name    string
		trailer metadata.MD
		delay   *durationpb.Duration
		hinted  bool
		after   time.Duration
		refused bool
		final   bool
	}{
		{"nothing", nil, nil, false, 0, false, false},
		{"at once", metadata.Pairs("grpc-retry-pushback-ms", "0"), nil, true, 0, false, false},
		{"a time", metadata.Pairs("grpc-retry-pushback-ms", "1500"), nil, true, 1500 * time.Millisecond, false, false},
		{"a day", metadata.Pairs("grpc-retry-pushback-ms", "86400000"), nil, true, 24 * time.Hour, false, false},
		{"beyond all", metadata.Pairs("grpc-retry-pushback-ms", "99999999999999999999"), nil, true, hop.MaxHint, false, false},
		{"negative", metadata.Pairs("grpc-retry-pushback-ms", "-1"), nil, false, 0, false, true},
		{"very negative", metadata.Pairs("grpc-retry-pushback-ms", "-99999999999999999999"), nil, false, 0, false, true},
		{"a sign", metadata.Pairs("grpc-retry-pushback-ms", "+1"), nil, false, 0, false, true},
		{"empty", metadata.Pairs("grpc-retry-pushback-ms", ""), nil, false, 0, false, true},
		{"garbage", metadata.Pairs("grpc-retry-pushback-ms", "1s"), nil, false, 0, false, true},
		{"twice", metadata.Pairs("grpc-retry-pushback-ms", "1", "grpc-retry-pushback-ms", "2"), nil, false, 0, false, true},
		{"refused", metadata.Pairs("seawall-pushback", "refused"), nil, false, 0, true, false},
		{"final", metadata.Pairs("seawall-pushback", "final"), nil, false, 0, false, true},
		{"both", metadata.Pairs("seawall-pushback", "refused", "seawall-pushback", "final"), nil, false, 0, true, true},
		{"another word", metadata.Pairs("seawall-pushback", "REFUSED"), nil, false, 0, false, false},
		{"RetryInfo", nil, durationpb.New(2 * time.Second), true, 2 * time.Second, false, false},
		{"RetryInfo of nothing", nil, durationpb.New(0), true, 0, false, false},
		{"RetryInfo, negative", nil, durationpb.New(-time.Second), false, 0, false, false},
		{"RetryInfo beyond all", nil, &durationpb.Duration{Seconds: math.MaxInt64, Nanos: 1}, true, hop.MaxHint, false, false},
		{"RetryInfo below all", nil, &durationpb.Duration{Seconds: math.MinInt64, Nanos: -1}, false, 0, false, false},
		{"the longer of two", metadata.Pairs("grpc-retry-pushback-ms", "500"), durationpb.New(time.Second), true, time.Second, false, false},
		{"the longer of two, which is the other", metadata.Pairs("grpc-retry-pushback-ms", "1500"), durationpb.New(time.Second), true, 1500 * time.Millisecond, false, false},
		{"never, though there is a time", metadata.Pairs("grpc-retry-pushback-ms", "-1"), durationpb.New(time.Second), true, time.Second, false, true},
	} {
		st := status.New(codes.Unavailable, "no")
		if c.delay != nil {
			st = detailed(t, c.delay)
		}
		hinted, after, refused, final := grpcx.ReadPushback(c.trailer, st)
		if hinted != c.hinted || after != c.after || refused != c.refused || final != c.final {
			t.Errorf("%s: hinted %v, after %v, refused %v, final %v", c.name, hinted, after, refused, final)
		}
	}
}

// Metadata and details come from the network: whatever they are, nothing panics, and no wait is beyond its bounds.
func FuzzPushback(f *testing.F) {
	info, err := proto.Marshal(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("100", "", "refused", info)
	f.Add("-1", "2", "final", []byte{})
	f.Add("9223372036854775808", "x", "", []byte{0x0a, 0x0b, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, first, second, word string, detail []byte) {
		trailer := metadata.MD{"grpc-retry-pushback-ms": {first}, "seawall-pushback": {word, second}}
		if second != "" {
			trailer.Append("grpc-retry-pushback-ms", second)
		}
		st := status.FromProto(&spb.Status{Code: int32(codes.ResourceExhausted), Details: []*anypb.Any{
			nil,
			{TypeUrl: "type.googleapis.com/google.rpc.RetryInfo", Value: detail},
			{TypeUrl: word, Value: detail},
		}})
		hinted, after, _, final := grpcx.ReadPushback(trailer, st)
		if after < 0 || after > hop.MaxHint || !hinted && after != 0 {
			t.Errorf("hinted %v, after %v", hinted, after)
		}
		if second != "" && !final {
			t.Error("two times are none")
		}
		v := grpcx.Judge(grpcx.Ending{Code: codes.ResourceExhausted, Hinted: hinted, After: after, Final: final})
		if final && v.Repeat != never {
			t.Errorf("the verdict is %+v", v)
		}
	})
}

// T67: our client keeps away for as long as our server, or another one, asks; a day is capped, and the record tells it.
func TestTheNextAttemptNeverComesBeforeTheHint(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*grpcx.ClientConfig)
		server unaryFunc
		least  time.Duration // between the attempts
		told   time.Duration
	}{
		{"pushback", func(*grpcx.ClientConfig) {}, failing(1, codes.Unavailable, "grpc-retry-pushback-ms", "100"), 100 * time.Millisecond, 100 * time.Millisecond},
		{"RetryInfo", func(*grpcx.ClientConfig) {}, func(_ context.Context, n int, _ *echopb.EchoRequest) (*echopb.EchoReply, error) {
			if n == 1 {
				return nil, detailed(t, durationpb.New(100*time.Millisecond)).Err()
			}
			return &echopb.EchoReply{}, nil
		}, 100 * time.Millisecond, 100 * time.Millisecond},
		{"a day", func(c *grpcx.ClientConfig) { c.Retry.MaxRetryAfter = 50 * time.Millisecond }, failing(1, codes.ResourceExhausted, "grpc-retry-pushback-ms", "86400000"), 50 * time.Millisecond, 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			var mu sync.Mutex
			var at []time.Time
			_, stub := pair(t, with(c.change), &echo{unary: func(ctx context.Context, n int, req *echopb.EchoRequest) (*echopb.EchoReply, error) {
				mu.Lock()
				at = append(at, time.Now())
				mu.Unlock()
				return c.server(ctx, n, req)
			}})
			ctx, record := seawall.WithRecord(t.Context())
			_, err := call(ctx, stub, get)
			wantCode(t, err, codes.OK)
			if len(at) != 2 || at[1].Sub(at[0]) < c.least {
				t.Errorf("attempts at %v, want %v between them", at, c.least)
			}
			if f := record.Facts(); f.ServerDelay != c.told || f.Retries != 1 {
				t.Errorf("the record is %+v", f)
			}
		})
	}
}

// T18: a wait that cannot end before the deadline is not begun.
func TestAHintBeyondTheDeadlineEndsTheCallAtOnce(t *testing.T) {
	e := &echo{unary: failing(9, codes.Unavailable, "grpc-retry-pushback-ms", "20000")}
	_, stub := pair(t, quick(), e)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := call(ctx, stub, get)
	wantCode(t, err, codes.Unavailable)
	if ctx.Err() != nil || e.calls.Load() != 1 {
		t.Errorf("%d calls, and the context is %v", e.calls.Load(), ctx.Err())
	}
}

// T67, both ways: what our server refuses, our client repeats if it may, and only then.
func TestOurClientUnderstandsWhatOurServerRefuses(t *testing.T) {
	for name, trust := range map[string]bool{"believed": true, "not believed": false} {
		t.Run(name, func(t *testing.T) {
			n := inMemory(t)
			e := &echo{}
			server := grpcx.NewServer("api", grpcx.ServerConfig{Registry: silent()})
			server.Drain()
			n.serve(t, e, server.Options()...)
			cfg := with(func(c *grpcx.ClientConfig) {
				c.Retry.MaxAttempts = 2
				c.Retry.MaxRetryAfter = time.Millisecond
				if trust {
					c.TrustPeer = grpcx.TrustAll
				}
			})
			client := grpcx.NewClient("test", cfg)
			stub := echopb.NewEchoClient(n.connect(t, client.DialOptions()...))
			_, err := call(t.Context(), stub, post)
			wantCode(t, err, codes.Unavailable)
			want := tally{Overloads: 1}
			if trust {
				want.Overloads = 2
			}
			wantTally(t, client, want)
			if retryInfo(t, err) < time.Second {
				t.Error("the status has lost its hint")
			}
		})
	}
}
