package retry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

var errDown = errors.New("connection refused")

func down(context.Context) error { return errDown }

func succeed(context.Context) error { return nil }

// steady is a schedule without jitter.
var steady = retry.Backoff{Kind: retry.Constant, Base: time.Second}

// adapterError is an error that knows its verdict.
type adapterError struct{ verdict seawall.Verdict }

func (e *adapterError) Error() string            { return "answer: " + e.verdict.Outcome.String() }
func (e *adapterError) Verdict() seawall.Verdict { return e.verdict }

func overloaded(after time.Duration) error {
	return &adapterError{seawall.Verdict{Outcome: seawall.Overload, Repeat: seawall.RepeatAlways, After: after}}
}

// hintError only knows how long to stay away.
type hintError time.Duration

func (e hintError) Error() string             { return "try later" }
func (e hintError) RetryAfter() time.Duration { return time.Duration(e) }

// newRetry makes a Retry in a registry of its own, whose events it returns as well.
func newRetry(t *testing.T, cfg retry.Config) (*retry.Retry, *events) {
	t.Helper()
	log := &events{t: t}
	cfg.Registry = &seawall.Registry{}
	cfg.Registry.SetLogger(slog.New(slog.NewJSONHandler(log, nil)))
	return retry.New("test", cfg), log
}

// events collects log records.
type events struct {
	t *testing.T

	mu      sync.Mutex // guards records
	records []map[string]any
}

func (e *events) Write(line []byte) (int, error) {
	record := map[string]any{}
	if err := json.NewDecoder(bytes.NewReader(line)).Decode(&record); err != nil {
		e.t.Errorf("log line %q: %v", line, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.records = append(e.records, record)
	return len(line), nil
}

// named returns the records of an event.
func (e *events) named(name string) (found []map[string]any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.records {
		if r["msg"] == name {
			found = append(found, r)
		}
	}
	return found
}

// counting wraps op, and counts its runs.
func counting(runs *int, op func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		*runs++
		return op(ctx)
	}
}

// script returns an op that ends with the errors in turn, and then with the last one again and again.
func script(runs *int, errs ...error) func(context.Context) error {
	return func(context.Context) error {
		*runs++
		return errs[min(*runs, len(errs))-1]
	}
}

// asError returns the *retry.Error that err is, and fails the test if it is none.
func asError(t *testing.T, err error) *retry.Error {
	t.Helper()
	e, ok := err.(*retry.Error) //nolint:errorlint // it must be one itself
	if !ok {
		t.Fatalf("error is a %T (%v), want a *retry.Error", err, err)
	}
	return e
}
