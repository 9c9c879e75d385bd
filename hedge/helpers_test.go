package hedge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
)

const ms = time.Millisecond

var (
	errDown = errors.New("connection refused")
	errLate = errors.New("read timeout")
)

func succeed(context.Context) error { return nil }

// adapterError is an error that knows its verdict.
type adapterError struct{ verdict seawall.Verdict }

func (e *adapterError) Error() string            { return "answer: " + e.verdict.Outcome.String() }
func (e *adapterError) Verdict() seawall.Verdict { return e.verdict }

func verdict(o seawall.Outcome, r seawall.Repeat, after time.Duration) error {
	return &adapterError{seawall.Verdict{Outcome: o, Repeat: r, After: after}}
}

// newHedge makes a Hedge in a registry of its own, whose events it returns as well.
func newHedge(t testing.TB, cfg hedge.Config) (*hedge.Hedge, *records) {
	t.Helper()
	log := &records{t: t}
	cfg.Registry = &seawall.Registry{}
	cfg.Registry.SetLogger(slog.New(slog.NewJSONHandler(log, nil)))
	return hedge.New("test", cfg), log
}

// records collects what is logged.
type records struct {
	t testing.TB

	mu  sync.Mutex // guards all
	all []map[string]any
}

func (r *records) Write(line []byte) (int, error) {
	record := map[string]any{}
	if err := json.NewDecoder(bytes.NewReader(line)).Decode(&record); err != nil {
		r.t.Errorf("log line %q: %v", line, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, record)
	return len(line), nil
}

func (r *records) list() []map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]map[string]any(nil), r.all...)
}

// end is how one attempt ends, if it is not canceled before.
type end struct {
	after time.Duration
	err   error
}

// ends is an op whose attempts end in turn. It notes when they start.
type ends struct {
	list []end
	deaf bool // to the context

	mu     sync.Mutex // guards starts
	starts []time.Duration
	begin  time.Time
}

func newEnds(list ...end) *ends { return &ends{list: list, begin: time.Now()} }

func (e *ends) op(ctx context.Context) error {
	e.mu.Lock()
	mine := e.list[len(e.starts)]
	e.starts = append(e.starts, time.Since(e.begin))
	e.mu.Unlock()
	if e.deaf {
		time.Sleep(mine.after)
		return mine.err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(mine.after):
		return mine.err
	}
}

func (e *ends) started() []time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]time.Duration(nil), e.starts...)
}

// gate counts how the calls through it ended, as a breaker does.
type gate struct {
	outcomes [4]atomic.Int64 // by seawall.Outcome
	ends     chan struct{}   // gets one for each end; nil is off
}

func (g *gate) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, g, op)
}

func (g *gate) Acquire(context.Context) (seawall.Permit, error) {
	return seawall.NewPermit(g, seawall.Ticket{}), nil
}

func (g *gate) Release(_ seawall.Ticket, err error) bool {
	g.outcomes[seawall.Classify(err).Outcome].Add(1)
	if g.ends != nil {
		g.ends <- struct{}{}
	}
	return true
}

func (g *gate) count(o seawall.Outcome) int64 { return g.outcomes[o].Load() }
