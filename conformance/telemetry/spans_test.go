package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// spans is the SDK with an exporter that keeps what it is given.
type spans struct {
	*tracetest.InMemoryExporter
	*trace.TracerProvider
}

func newSpans(t *testing.T) spans {
	t.Helper()
	kept := tracetest.NewInMemoryExporter()
	s := spans{kept, trace.NewTracerProvider(trace.WithSyncer(kept))}
	t.Cleanup(func() {
		if err := s.TracerProvider.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ended returns the attributes of ours and the status of the spans of a kind that have ended.
func (s spans) ended(kind oteltrace.SpanKind) (all []map[attribute.Key]string, statuses []codes.Code) {
	for _, span := range s.GetSpans() {
		if span.SpanKind != kind {
			continue
		}
		of := map[attribute.Key]string{}
		for _, a := range span.Attributes {
			if len(a.Key) > 8 && a.Key[:8] == "seawall." && a.Key != "seawall.deadline.remaining" {
				of[a.Key] = a.Value.String()
			}
		}
		all, statuses = append(all, of), append(statuses, span.Status.Code)
	}
	return all, statuses
}

func (s spans) want(t *testing.T, kind oteltrace.SpanKind, status codes.Code, want ...map[attribute.Key]string) {
	t.Helper()
	all, statuses := s.ended(kind)
	if !slices.EqualFunc(all, want, maps.Equal) || slices.ContainsFunc(statuses, func(c codes.Code) bool { return c != status }) {
		t.Errorf("the spans of kind %v have %v and status %v, want %v and %v", kind, all, statuses, want, status)
	}
}

var none map[attribute.Key]string

// A client with retries whose span is that of the whole call, and a server that refuses, as otelhttp and the SDK see them.
func TestSpansOfOtelhttpSayWhatThePoliciesDid(t *testing.T) {
	r := shopless()
	served := newSpans(t)
	api := httpx.NewHandler("api", httpx.ServerConfig{
		Registry: r, Admission: httpx.AdmissionConfig{Fixed: bulkhead.Config{Limit: 1, Mode: seawall.ForcedOpen}},
	}, http.NotFoundHandler())
	server := httptest.NewServer(otelhttp.NewHandler(api, "api", otelhttp.WithTracerProvider(served)))
	defer server.Close()

	called := newSpans(t)
	client := &http.Client{Transport: otelhttp.NewTransport(httpx.NewTransport("api", httpx.ClientConfig{
		Registry: r, Retry: retry.Config{MaxAttempts: 2, Backoff: retry.Backoff{Base: 1, Max: 1}},
	}, http.DefaultTransport), otelhttp.WithTracerProvider(called))}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	server.Close() // its spans have ended
	refused := map[attribute.Key]string{"seawall.rejected_by": `bulkhead "api"`, "seawall.reason": "forced"}
	served.want(t, oteltrace.SpanKindServer, codes.Error, refused, refused)
	all, _ := called.ended(oteltrace.SpanKindClient)
	if len(all) != 1 || all[0]["seawall.retry.count"] != "1" {
		t.Errorf("the client's spans have %v, want one, with a retry", all)
	}
}

// What a cache had for the handler is in the span of the request.
func TestSpanOfARequestSaysWhatTheCacheHad(t *testing.T) {
	r := shopless()
	served := newSpans(t)
	prices := cache.New("prices", cache.Config[string, string]{Registry: r})
	defer func() { _ = prices.Close(context.Background()) }()
	api := httpx.NewHandler("api", httpx.ServerConfig{Registry: r}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		price, err := prices.Get(r.Context(), "a", func(context.Context, string) (string, error) { return "9.80", nil })
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, price)
	}))
	server := httptest.NewServer(otelhttp.NewHandler(api, "api", otelhttp.WithTracerProvider(served)))
	defer server.Close()
	for range 2 {
		fetch(t, server.Client(), http.MethodGet, server.URL)
	}
	server.Close()
	served.want(t, oteltrace.SpanKindServer, codes.Unset,
		map[attribute.Key]string{"seawall.cache.result": "miss"}, map[attribute.Key]string{"seawall.cache.result": "fresh"})
}

func shopless() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

type emptyServer struct {
	grpc_testing.UnimplementedTestServiceServer
}

func (emptyServer) EmptyCall(context.Context, *grpc_testing.Empty) (*grpc_testing.Empty, error) {
	return &grpc_testing.Empty{}, nil
}

func TestSpansOfOtelgrpcSayWhatThePoliciesDid(t *testing.T) {
	r := shopless()
	served, called := newSpans(t), newSpans(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	api := grpcx.NewServer("api", grpcx.ServerConfig{Registry: r})
	server := grpc.NewServer(append(api.Options(), grpc.StatsHandler(otelgrpc.NewServerHandler(otelgrpc.WithTracerProvider(served))))...)
	grpc_testing.RegisterTestServiceServer(server, emptyServer{})
	go func() { _ = server.Serve(listener) }() // ends with Stop
	defer server.Stop()
	client := grpcx.NewClient("api", grpcx.ClientConfig{Registry: r})
	conn, err := grpc.NewClient(listener.Addr().String(), append(client.DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStatsHandler(otelgrpc.NewClientHandler(otelgrpc.WithTracerProvider(called))))...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	call := func() error {
		ctx, span := called.Tracer("shop").Start(t.Context(), "buy")
		defer span.End()
		_, err := grpc_testing.NewTestServiceClient(conn).EmptyCall(ctx, &grpc_testing.Empty{}, grpcx.CallMaxAttempts(1))
		return err
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	api.Drain()
	if err := call(); err == nil {
		t.Error("a server that drains lets calls in")
	}
	server.GracefulStop() // its spans have ended
	all, statuses := served.ended(oteltrace.SpanKindServer)
	want := []map[attribute.Key]string{none, {"seawall.rejected_by": `server "api"`, "seawall.reason": "draining"}}
	if len(all) == 2 && len(all[0]) > 0 { // they may end in the other order
		all[0], all[1] = all[1], all[0]
		statuses[0], statuses[1] = statuses[1], statuses[0]
	}
	if !slices.EqualFunc(all, want, maps.Equal) || statuses[1] != codes.Error || statuses[0] == codes.Error {
		t.Errorf("the server's spans have %v and %v, want %v", all, statuses, want)
	}
	// The program's own span around the call is what the client describes: otelgrpc's is one for each attempt, further in.
	called.want(t, oteltrace.SpanKindInternal, codes.Unset, none, none)
}
