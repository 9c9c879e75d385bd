package grpcx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/grpcx"
)

// timings are the durations of attempts that a registry was told of.
type timings struct {
	mu   sync.Mutex // guards told
	told []string
}

func timingsOf(t *testing.T, r *seawall.Registry) *timings {
	all := &timings{}
	t.Cleanup(r.Observe(func(m seawall.Measure, kind, name string) seawall.Note {
		if m != seawall.AttemptDuration {
			return nil
		}
		return func(_ context.Context, outcome string, took time.Duration) {
			all.mu.Lock()
			defer all.mu.Unlock()
			all.told = append(all.told, fmt.Sprint(kind, " ", name, " ", outcome, " ", took))
		}
	}))
	return all
}

func (a *timings) want(t *testing.T, want ...string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Equal(a.told, want) {
		t.Errorf("told %q, want %q", a.told, want)
	}
}

// slowStream takes its time for each answer, and notices when its context ends before.
type slowStream struct {
	scriptedStream
	takes time.Duration
}

func (s *slowStream) RecvMsg(m any) error {
	select {
	case <-time.After(s.takes):
		return s.scriptedStream.RecvMsg(m)
	case <-s.ctx.Done():
		return status.FromContextError(s.ctx.Err()).Err()
	}
}

func (s *slowStream) Header() (metadata.MD, error) {
	time.Sleep(s.takes)
	return metadata.MD{}, nil
}

// An attempt of a stream is told once: with its first answer, however long it goes on, or at its end if none came. Streams
// once told nothing, so that a client of streams alone had no histogram.
func TestAnAttemptOfAStreamIsTimedUpToItsFirstAnswer(t *testing.T) {
	answers := &grpc.StreamDesc{ServerStreams: true}
	upload := &grpc.StreamDesc{ClientStreams: true}
	chat := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	down := status.Error(codes.Unavailable, "down")
	read := func(s grpc.ClientStream) error {
		var err error
		for reply := ""; err == nil; {
			err = s.RecvMsg(&reply)
		}
		return err
	}
	for _, c := range []struct {
		name    string
		desc    *grpc.StreamDesc
		streams []*slowStream
		opens   time.Duration
		use     func(s grpc.ClientStream, cancel context.CancelFunc) error
		want    []string
	}{
		{
			"several answers", answers,
			[]*slowStream{{takes: 2 * time.Second, scriptedStream: scriptedStream{receive: []error{nil, nil, io.EOF}}}},
			time.Second,
			func(s grpc.ClientStream, _ context.CancelFunc) error { return read(s) },
			[]string{"success 3s"},
		},
		{
			"none", answers,
			[]*slowStream{{takes: 2 * time.Second, scriptedStream: scriptedStream{receive: []error{io.EOF}}}},
			0,
			func(s grpc.ClientStream, _ context.CancelFunc) error { return read(s) },
			[]string{"success 2s"},
		},
		{
			"a failure and answers", answers,
			[]*slowStream{
				{takes: 3 * time.Second, scriptedStream: scriptedStream{receive: []error{down}}},
				{takes: 2 * time.Second, scriptedStream: scriptedStream{receive: []error{nil, io.EOF}}},
			},
			0,
			func(s grpc.ClientStream, _ context.CancelFunc) error { return read(s) },
			[]string{"failure 3s", "success 2s"},
		},
		{
			"a failure behind the first answer", answers,
			[]*slowStream{{takes: time.Second, scriptedStream: scriptedStream{receive: []error{nil, down}}}},
			0,
			func(s grpc.ClientStream, _ context.CancelFunc) error {
				if err := read(s); !errors.Is(err, down) {
					return err
				}
				return io.EOF
			},
			[]string{"success 1s"},
		},
		{
			"a header", answers,
			[]*slowStream{{takes: 2 * time.Second, scriptedStream: scriptedStream{receive: []error{nil, io.EOF}}}},
			0,
			func(s grpc.ClientStream, _ context.CancelFunc) error {
				if _, err := s.Header(); err != nil {
					return err
				}
				return read(s)
			},
			[]string{"success 2s"},
		},
		{
			"the limit of the attempt", answers,
			[]*slowStream{{takes: time.Hour}, {takes: time.Second, scriptedStream: scriptedStream{receive: []error{nil, io.EOF}}}},
			0,
			func(s grpc.ClientStream, _ context.CancelFunc) error { return read(s) },
			[]string{"failure 5s", "success 1s"},
		},
		{
			"the caller leaves", answers,
			[]*slowStream{{takes: time.Hour}},
			0,
			func(s grpc.ClientStream, cancel context.CancelFunc) error {
				time.AfterFunc(4*time.Second, cancel)
				if err := read(s); status.Code(err) != codes.Canceled {
					return err
				}
				return io.EOF
			},
			[]string{"ignored 4s"},
		},
		{
			"an upload", upload,
			[]*slowStream{{takes: 2 * time.Second, scriptedStream: scriptedStream{receive: []error{nil}}}},
			0,
			func(s grpc.ClientStream, _ context.CancelFunc) error {
				time.Sleep(time.Minute) // it sends
				_ = s.CloseSend()
				if err := s.RecvMsg(new(string)); err != nil {
					return err
				}
				return io.EOF
			},
			[]string{"success 1m2s"},
		},
		{
			"a chat", chat,
			[]*slowStream{{takes: 2 * time.Second, scriptedStream: scriptedStream{receive: []error{nil, nil, io.EOF}}}},
			0,
			func(s grpc.ClientStream, _ context.CancelFunc) error { return read(s) },
			[]string{"success 2s"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := with(func(c *grpcx.ClientConfig) { c.AttemptTimeout = 5 * time.Second })
				all := timingsOf(t, cfg.Registry)
				client := grpcx.NewClient("test", cfg)
				open := c.streams
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stream, err := client.StreamInterceptor()(ctx, c.desc, nil, "/a.B/C",
					func(ctx context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
						time.Sleep(c.opens)
						s := open[0]
						open = open[1:]
						s.ctx = ctx
						return s, nil
					}, grpcx.CallIdempotent())
				if err != nil {
					t.Fatal(err)
				}
				if err := stream.SendMsg("request"); err != nil {
					t.Fatal(err)
				}
				if err := c.use(stream, cancel); !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				synctest.Wait()
				for i, w := range c.want {
					c.want[i] = "retry test " + w
				}
				all.want(t, c.want...)
			})
		})
	}
}

// What was not opened is told as well: it failed, or a gate of ours has rejected it.
func TestAnAttemptOfAStreamThatWasNotOpenedIsTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := with(func(c *grpcx.ClientConfig) {
			c.Retry.MaxAttempts, c.Breaker = 2, breaker.Config{MinCalls: 2, OpenFor: time.Hour, MaxOpenFor: time.Hour}
		})
		all := timingsOf(t, cfg.Registry)
		client := grpcx.NewClient("test", cfg)
		for range 2 {
			_, err := client.StreamInterceptor()(t.Context(), &grpc.StreamDesc{ServerStreams: true}, nil, "/a.B/C",
				func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, ...grpc.CallOption) (grpc.ClientStream, error) {
					time.Sleep(time.Second)
					return nil, status.Error(codes.Unavailable, "down")
				}, grpcx.CallIdempotent())
			wantCode(t, err, codes.Unavailable)
		}
		all.want(t, "retry test failure 1s", "retry test failure 1s", "retry test ignored 0s")
	})
}

// T81: a stream allocates as much with an observer as without one.
func TestTimingAStreamAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	cfg := quick()
	client := grpcx.NewClient("test", cfg)
	desc := &grpc.StreamDesc{ServerStreams: true}
	measure := func() float64 {
		return testing.AllocsPerRun(1000, func() {
			s := &scriptedStream{receive: []error{nil, io.EOF}}
			stream, err := client.StreamInterceptor()(t.Context(), desc, nil, "/a.B/C", inTurn([]*scriptedStream{s}))
			if err != nil {
				t.Fatal(err)
			}
			for err == nil {
				err = stream.RecvMsg(nil)
			}
		})
	}
	off := measure()
	var told int
	defer cfg.Registry.Observe(func(seawall.Measure, string, string) seawall.Note {
		return func(context.Context, string, time.Duration) { told++ }
	})()
	if on := measure(); on != off || told == 0 {
		t.Errorf("%v allocations with an observer that was told %d times, %v without", on, told, off)
	}
}
