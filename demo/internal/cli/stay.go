package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/seawall-go/seawall/demo/internal/report"
)

// loopback is where the report is served, if nobody else is there.
const loopback = "127.0.0.1:8400"

// listenLoopback listens on the usual port, or on a free one.
func listenLoopback(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", loopback)
	if err != nil {
		l, err = config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	return l, err
}

// stay serves the report until ctx ends.
func (p program) stay(ctx context.Context, folder *report.Folder, screen *screen) error {
	l, err := p.listen(ctx)
	if err != nil {
		return err
	}
	screen.staying(p.stderr, "http://"+l.Addr().String()+"/")
	server := &http.Server{Handler: serve(folder), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err = <-served:
	case <-ctx.Done():
		err = errors.Join(server.Close(), <-served)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// serve returns a handler for the files of a report, and nothing else in their folder.
func serve(folder *report.Folder) http.Handler {
	mux := http.NewServeMux()
	for pattern, name := range map[string]string{
		"GET /{$}":                   report.PageFile,
		"GET /" + report.PageFile:    report.PageFile,
		"GET /" + report.DataFile:    report.DataFile,
		"GET /" + report.PlanFile:    report.PlanFile,
		"GET /" + report.HistoryFile: report.HistoryFile,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
			w.Header().Set("Cache-Control", "no-store")
			http.ServeFile(w, r, folder.Path(name))
		})
	}
	return mux
}
