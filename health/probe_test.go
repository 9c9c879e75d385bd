package health_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/health"
)

// Bug 2: whatever goes on inside, a probe is answered.
func TestProbeTakesNoLock(t *testing.T) {
	h := health.New("test", health.Config{Registry: new(seawall.Registry)})
	h.Locked(func() {
		for _, path := range []string{"/livez", "/readyz", "/startupz", "/readyz?verbose"} {
			if resp := get(h.AdminHandler(), path); resp.Body.Len() == 0 {
				t.Errorf("%s is empty", path)
			}
		}
	})
	if err := h.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func BenchmarkReadyz(b *testing.B) {
	registry := new(seawall.Registry)
	registry.SetLogger(slog.New(slog.DiscardHandler))
	h := health.New("bench", health.Config{Registry: registry})
	if err := h.Add(health.Check{Name: "db", Run: func(context.Context) error { return nil }}); err != nil {
		b.Fatal(err)
	}
	h.Start()
	handler := h.Handler()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "/readyz", http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		w := discard{http.Header{}}
		for p.Next() {
			handler.ServeHTTP(w, req)
		}
	})
	if err := h.Stop(b.Context()); err != nil {
		b.Error(err)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
