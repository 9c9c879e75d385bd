package policyfile_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/leaktest"
	"github.com/seawall-go/seawall/policyfile"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var errDown = errors.New("connection refused")

// quiet returns a registry that logs nothing.
func quiet() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

// eventLog keeps what was logged.
type eventLog struct {
	mu      sync.Mutex // guards the fields below
	records []slog.Record
}

// logged returns a registry with the log of its events.
func logged() (*seawall.Registry, *eventLog) {
	log := &eventLog{}
	r := new(seawall.Registry)
	r.SetLogger(slog.New(log))
	return r, log
}

func (l *eventLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *eventLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *eventLog) WithGroup(string) slog.Handler            { return l }

func (l *eventLog) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
	return nil
}

func (l *eventLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = nil
}

// named returns the attributes of the events of a name, as text.
func (l *eventLog) named(event string) (texts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if r.Message != event {
			continue
		}
		text := r.Level.String()
		r.Attrs(func(a slog.Attr) bool {
			text += " " + a.String()
			return true
		})
		texts = append(texts, text)
	}
	return texts
}

// parse reads a file that must be right, into a registry of its own.
func parse(t *testing.T, file string, opts policyfile.Options) *policyfile.Set {
	t.Helper()
	if opts.Registry == nil {
		opts.Registry = quiet()
	}
	set, err := policyfile.Parse([]byte(file), opts)
	if err != nil {
		t.Fatalf("refused:\n%v\n%s", err, file)
	}
	return set
}

// update changes a set to a file that must be right.
func update(t *testing.T, set *policyfile.Set, file string) (changed bool) {
	t.Helper()
	changed, err := set.Update([]byte(file))
	if err != nil {
		t.Fatalf("refused:\n%v\n%s", err, file)
	}
	return changed
}

// member returns the policy of a chain that is of the type, the n-th of them.
func member[P seawall.Policy](t *testing.T, chain *seawall.Pipeline, n int) P {
	t.Helper()
	for _, p := range chain.Policies() {
		if p, ok := p.(P); ok {
			if n == 0 {
				return p
			}
			n--
		}
	}
	t.Fatalf("%v has no such policy", chain)
	panic("unreachable")
}

// sleepUntilHalfOpen waits, in a bubble, until an open breaker wants probes.
func sleepUntilHalfOpen(b *breaker.Breaker) { time.Sleep(b.Stats().Reopen) }
