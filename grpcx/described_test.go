package grpcx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/grpcx"
)

// recordedSpan is a span that keeps what is set, and knows its kind, as those of the SDK do.
type recordedSpan struct {
	noop.Span
	kind       trace.SpanKind
	attributes map[attribute.Key]string
	status     otelcodes.Code
}

func (*recordedSpan) IsRecording() bool                      { return true }
func (s *recordedSpan) SpanKind() trace.SpanKind             { return s.kind }
func (s *recordedSpan) SetStatus(c otelcodes.Code, _ string) { s.status = c }
func (s *recordedSpan) SetAttributes(a ...attribute.KeyValue) {
	if s.attributes == nil {
		s.attributes = map[attribute.Key]string{}
	}
	for _, a := range a {
		s.attributes[a.Key] = a.Value.String()
	}
}

func (s *recordedSpan) want(t *testing.T, status otelcodes.Code, want map[attribute.Key]string) {
	t.Helper()
	got := maps.Clone(s.attributes)
	delete(got, "seawall.deadline.remaining") // the time left, which nobody can foretell
	if fmt.Sprint(got) != fmt.Sprint(want) || s.status != status {
		t.Errorf("the span has %v and status %v, want %v and %v", got, s.status, want, status)
	}
}

func TestSpanOfACallSaysWhatTheClientDid(t *testing.T) {
	client := grpcx.NewClient("stock", grpcx.ClientConfig{Registry: new(seawall.Registry)})
	for kind, want := range map[trace.SpanKind]map[attribute.Key]string{
		trace.SpanKindInternal: {"seawall.retry.count": "1"},
		trace.SpanKindServer:   nil, // it is about the call that the program serves
	} {
		s, tries := &recordedSpan{kind: kind}, 0
		err := client.UnaryInterceptor()(trace.ContextWithSpan(t.Context(), s), "/shop.Stock/Get", nil, nil, nil,
			func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
				if tries++; tries == 1 {
					return status.Error(codes.Unavailable, "away")
				}
				return nil
			}, grpcx.CallIdempotent())
		if err != nil || tries != 2 {
			t.Errorf("%v after %d tries", err, tries)
		}
		s.want(t, otelcodes.Unset, want)
	}
}

// A stream's span says the same as that of a call, when the stream ends.
func TestSpanOfAStreamSaysWhatTheClientDid(t *testing.T) {
	client := grpcx.NewClient("stock", grpcx.ClientConfig{Registry: new(seawall.Registry)})
	begin := func(
		kind trace.SpanKind, open func(context.Context) (grpc.ClientStream, error),
	) (*recordedSpan, grpc.ClientStream, error) {
		s := &recordedSpan{kind: kind}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		t.Cleanup(cancel)
		ctx = seawall.WithAttempt(seawall.WithPriority(trace.ContextWithSpan(ctx, s), seawall.Sheddable), 3)
		stream, err := streamOver(ctx, client, "/shop.Stock/Watch", open, grpcx.CallIdempotent())
		return s, stream, err
	}
	for kind, want := range map[trace.SpanKind]map[attribute.Key]string{
		trace.SpanKindInternal: {"seawall.retry.count": "1", "seawall.priority": "sheddable", "seawall.attempt": "3"},
		trace.SpanKindServer:   nil,
	} {
		tries := 0
		s, stream, err := begin(kind, func(ctx context.Context) (grpc.ClientStream, error) {
			if tries++; tries == 1 {
				return nil, status.Error(codes.Unavailable, "away")
			}
			return &scriptedStream{ctx: ctx, receive: []error{io.EOF}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if s.attributes != nil {
			t.Errorf("the stream runs, and the span has %v", s.attributes)
		}
		if err := stream.RecvMsg(nil); !errors.Is(err, io.EOF) {
			t.Errorf("the stream ends with %v", err)
		}
		if left := s.attributes["seawall.deadline.remaining"]; (left != "") != (want != nil) {
			t.Errorf("the time left is %q", left)
		}
		s.want(t, otelcodes.Unset, want)
	}

	refusing := grpcx.NewClient("stock", grpcx.ClientConfig{
		Registry: new(seawall.Registry), Breaker: breaker.Config{Mode: seawall.ForcedOpen},
	})
	s := &recordedSpan{}
	_, err := streamOver(trace.ContextWithSpan(t.Context(), s), refusing, "/shop.Stock/Watch", noStream(func(context.Context) error {
		t.Error("it is opened")
		return io.EOF
	}))
	if err == nil {
		t.Error("it is not refused")
	}
	if by := s.attributes["seawall.rejected_by"]; !strings.HasPrefix(by, `breaker "stock`) || s.attributes["seawall.reason"] != "forced" ||
		s.status != otelcodes.Error {
		t.Errorf("the span has %v and status %v", s.attributes, s.status)
	}
}

func TestSpanOfAServedCallSaysWhoRefusedIt(t *testing.T) {
	server := grpcx.NewServer("api", grpcx.ServerConfig{Registry: new(seawall.Registry)})
	info := &grpc.UnaryServerInfo{FullMethod: "/shop.Stock/Get"}
	serve := func(err error, steps ...grpcx.Interceptor) *recordedSpan {
		s := &recordedSpan{kind: trace.SpanKindServer}
		handler := func(context.Context, any) (any, error) { return nil, err }
		for _, step := range steps {
			inner := handler
			handler = func(ctx context.Context, req any) (any, error) { return step.Unary(ctx, req, info, inner) }
		}
		_, _ = handler(trace.ContextWithSpan(seawall.WithPriority(t.Context(), seawall.Sheddable), s), nil)
		return s
	}
	priority := map[attribute.Key]string{"seawall.priority": "sheddable"}
	serve(nil, server.Admit(), server.Deadline()).want(t, otelcodes.Unset, priority)
	serve(errors.New("no"), server.Admit()).want(t, otelcodes.Unset, priority)
	serve(nil, server.Deadline(), server.Recover()).want(t, otelcodes.Unset, nil)
	server.Drain()
	serve(nil, server.Admit()).want(t, otelcodes.Error, map[attribute.Key]string{
		"seawall.priority": "sheddable", "seawall.reason": "draining", "seawall.rejected_by": `server "api"`,
	})
}

// streamOf is a stream with a context.
type streamOf struct {
	grpc.ServerStream
	ctx context.Context
}

func (s streamOf) Context() context.Context { return s.ctx }

func TestSpanOfAServedStreamIsDescribed(t *testing.T) {
	server := grpcx.NewServer("api", grpcx.ServerConfig{Registry: new(seawall.Registry)})
	s := &recordedSpan{kind: trace.SpanKindServer}
	ctx := trace.ContextWithSpan(seawall.WithPriority(t.Context(), seawall.Sheddable), s)
	err := server.Admit().Stream(nil, streamOf{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: "/shop.Stock/Watch"},
		func(_ any, stream grpc.ServerStream) error {
			if seawall.RecordOf(stream.Context()) == nil {
				t.Error("the handler's calls are not recorded")
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	s.want(t, otelcodes.Unset, map[attribute.Key]string{"seawall.priority": "sheddable"})
}
