package seawall_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var (
	errDown = errors.New("connection refused")
	errFull = errors.New("full")
)

func succeed(context.Context) error { return nil }
func fail(context.Context) error    { return errDown }

// trace is a list of what happened.
type trace struct {
	mu     sync.Mutex // guards events
	events []string
}

func (tr *trace) add(event string) {
	if tr == nil {
		return
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.events = append(tr.events, event)
}

func (tr *trace) list() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.events)
}

func (tr *trace) want(t *testing.T, want ...string) {
	t.Helper()
	if got := tr.list(); !slices.Equal(got, want) {
		t.Errorf("happened\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// captured takes over what is logged by default during a test.
func captured(t *testing.T) *trace {
	t.Helper()
	tr := &trace{}
	old := slog.Default()
	slog.SetDefault(slog.New(traceHandler{slog.DiscardHandler, tr}))
	t.Cleanup(func() { slog.SetDefault(old) })
	return tr
}

type traceHandler struct {
	slog.Handler
	trace *trace
}

func (traceHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h traceHandler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	h.trace.add(text)
	return nil
}

// attempt runs f in a goroutine of its own and returns how that ended.
func attempt(f func()) (panicked any, exited bool) {
	done := make(chan struct{})
	go func() {
		exited = true
		defer close(done)
		defer func() {
			if panicked = recover(); panicked != nil {
				exited = false
			}
		}()
		f()
		exited = false
	}()
	<-done
	return panicked, exited
}

// logger writes to a trace.
func logger(tr *trace) *slog.Logger { return slog.New(traceHandler{slog.DiscardHandler, tr}) }

var _ seawall.Policy = policy(nil)

// policy is a user's policy of one method.
type policy func(ctx context.Context, op func(context.Context) error) error

func (p policy) Do(ctx context.Context, op func(context.Context) error) error { return p(ctx, op) }
