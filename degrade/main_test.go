package degrade_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var errDown = errors.New("down")

func failing(context.Context) (string, error) { return "", errDown }

func fresh(context.Context) (string, error) { return "fresh", nil }

func quiet() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

// logged is a registry whose log can be read.
func logged() (*seawall.Registry, *logText) {
	r, text := new(seawall.Registry), new(logText)
	r.SetLogger(slog.New(slog.NewTextHandler(text, nil)))
	return r, text
}

type logText struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newFallback(cfg degrade.FallbackConfig) *degrade.Fallback {
	if cfg.Registry == nil {
		cfg.Registry = quiet()
	}
	return degrade.NewFallback("copy", cfg)
}

func newGather(cfg degrade.GatherConfig) *degrade.Gather {
	if cfg.Registry == nil {
		cfg.Registry = quiet()
	}
	return degrade.NewGather("page", cfg)
}

func newBrownout(cfg degrade.BrownoutConfig) *degrade.Brownout {
	if cfg.Registry == nil {
		cfg.Registry = quiet()
	}
	return degrade.NewBrownout("page", cfg)
}

// closer counts how often it is closed.
type closer struct{ closed int }

func (c *closer) Close() error {
	c.closed++
	return nil
}

// panickingLogger has a handler that panics.
func panickingLogger() *slog.Logger { return slog.New(panickingHandler{}) }

type panickingHandler struct{ slog.Handler }

func (panickingHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (panickingHandler) Handle(context.Context, slog.Record) error { panic("the log") }

type closerByInterface interface{ Close() error }

type panickingCloser struct{ _ int }

func (panickingCloser) Close() error { panic("close") }

// listeningGate remembers how its call ended.
type listeningGate struct {
	entered chan struct{}
	once    sync.Once
	told    error
}

func (g *listeningGate) begun() chan struct{} {
	g.once.Do(func() { g.entered = make(chan struct{}) })
	return g.entered
}

func (g *listeningGate) wait() { <-g.begun() }

func (g *listeningGate) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, g, op)
}

func (g *listeningGate) Acquire(context.Context) (seawall.Permit, error) {
	close(g.begun())
	return seawall.NewPermit(g, seawall.Ticket{}), nil
}

func (g *listeningGate) Release(_ seawall.Ticket, err error) bool {
	g.told = err
	return true
}
