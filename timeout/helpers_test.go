package timeout_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/timeout"
)

var errDown = errors.New("connection refused")

func succeed(context.Context) error { return nil }

// newTimeout makes a Timeout in a registry of its own.
func newTimeout(t testing.TB, limit time.Duration) *timeout.Timeout {
	t.Helper()
	registry := &seawall.Registry{}
	registry.SetLogger(slog.New(slog.DiscardHandler))
	return timeout.New("test", timeout.Config{Limit: limit, Registry: registry})
}

// enter makes a context, and a function that ends it.
func enter(t testing.TB, limit *timeout.Timeout, ctx context.Context) (inner context.Context, leave func(error) error) {
	t.Helper()
	inner, err := limit.Enter(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return inner, func(err error) error { return limit.Leave(ctx, inner, err) }
}

// isOurs reports whether an error or a cause is that of the Timeout called name.
func isOurs(err error, name string) bool {
	e, ok := err.(*timeout.ExceededError) //nolint:errorlint // it must be one itself
	return ok && e.Name == name
}

// isClosed reports whether a Done channel is closed.
func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// textLogger logs without the time.
func textLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}
