package grpcx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/grpcx"
)

// logged is a registry whose log can be read.
type logged struct {
	seawall.Registry
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func newLogged() *logged {
	l := &logged{}
	l.SetLogger(slog.New(slog.NewJSONHandler(l, nil)))
	return l
}

// lines returns what was logged with a message.
func (l *logged) lines(t *testing.T, msg string) (found []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		if fields["msg"] == msg {
			found = append(found, fields)
		}
	}
	return found
}

func ouch(context.Context) error { panic("secret ouch") }

// T2: a panic of a handler does not end the program, is logged once with its stack, and is told to nobody else.
func TestPanicIsLoggedOnceAndAnsweredWithInternal(t *testing.T) {
	for kind, call := range kinds {
		log := newLogged()
		r := serve(t, "bufconn", grpcx.ServerConfig{Registry: &log.Registry}, ouch)
		err := call(t.Context(), r.client)
		wantCode(t, err, codes.Internal)
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the client is told %v", kind, err)
		}
		lines := log.lines(t, "seawall.grpcx.panic")
		if len(lines) != 1 {
			t.Fatalf("%s: %d lines were logged", kind, len(lines))
		}
		line := lines[0]
		stack, _ := line["stack"].(string)
		method, _ := line["method"].(string)
		if line["name"] != "api" || line["panic"] != "secret ouch" || line["level"] != "ERROR" ||
			!strings.Contains(stack, "grpcx_test.ouch") || !strings.HasPrefix(method, "/seawall.grpcx.echo.v1.Echo/") {
			t.Errorf("%s: logged %v", kind, line)
		}
		if n := r.server.Stats().Panics; n != 1 {
			t.Errorf("%s: %d panics were counted", kind, n)
		}
		r.idle(t)
	}
}

// A panic of a function of the configuration comes from the connection's goroutine if there is a tap.
func TestPanicOfTheUsersFunctionsIsRecovered(t *testing.T) {
	for _, place := range []grpcx.Place{grpcx.InInterceptor, grpcx.BeforeDecode} {
		cfg := at(place)
		cfg.Quota.Limit.Rate = 1000
		cfg.Quota.Key = func(context.Context, string) (string, bool) { panic("ouch") }
		r := serve(t, "bufconn", cfg, nothing)
		for _, call := range kinds {
			wantCode(t, call(t.Context(), r.client), codes.Internal)
		}
		r.idle(t)
		ctx, err := r.server.Tap(t.Context(), &tap.Info{})
		wantCode(t, err, codes.Internal)
		if ctx == nil {
			t.Error("grpc-go gets no context")
		}
	}
}

// T2: not even the log of a panic ends the program.
func TestPanicThatCannotBePrintedIsRecovered(t *testing.T) {
	log := newLogged()
	r := serve(t, "bufconn", grpcx.ServerConfig{Registry: &log.Registry}, func(context.Context) error { panic(unprintable{}) })
	log.SetLogger(slog.New(panicking{slog.DiscardHandler}))
	for _, call := range kinds {
		wantCode(t, call(t.Context(), r.client), codes.Internal)
	}
	r.idle(t)
}

type unprintable struct{}

func (unprintable) String() string { panic("ouch") }

type panicking struct{ slog.Handler }

func (panicking) Enabled(context.Context, slog.Level) bool  { return true }
func (panicking) Handle(context.Context, slog.Record) error { panic("ouch") }

// A status that is wrapped is passed on as grpc-go does it.
func TestWrappedStatusOfAHandlerKeepsItsCode(t *testing.T) {
	r := serve(t, "bufconn", grpcx.ServerConfig{}, func(context.Context) error {
		return wrapped{status.Error(codes.NotFound, "no such thing")}
	})
	for _, call := range kinds {
		wantCode(t, call(t.Context(), r.client), codes.NotFound)
	}
}

type wrapped struct{ error }

func (w wrapped) Unwrap() error { return w.error }
