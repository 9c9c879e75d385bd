package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/demo/internal/tally"
)

// loopback is where the program serves, if nobody else is there.
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

// server is what the program has for browsers and for Prometheus: from its beginning what customers get, and with -stay
// the report when it is written.
type server struct {
	url    string
	http   *http.Server
	served chan error // how it ended
	folder atomic.Pointer[report.Folder]
}

func startServer(l net.Listener, counts *tally.Tally) *server {
	s := &server{url: "http://" + l.Addr().String(), served: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", counts.Handler())
	for pattern, name := range map[string]string{
		"GET /{$}":                   report.PageFile,
		"GET /" + report.PageFile:    report.PageFile,
		"GET /" + report.DataFile:    report.DataFile,
		"GET /" + report.PlanFile:    report.PlanFile,
		"GET /" + report.HistoryFile: report.HistoryFile,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.file(w, r, name) })
	}
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { s.served <- s.http.Serve(l) }()
	return s
}

// file serves a file of the report, and nothing else of its folder.
func (s *server) file(w http.ResponseWriter, r *http.Request, name string) {
	folder := s.folder.Load()
	if folder == nil { // what is in the folder is that of an earlier run
		http.Error(w, "There is no report yet. What customers get is counted at /metrics.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.Header().Set("Cache-Control", "no-store")
	http.ServeFile(w, r, folder.Path(name))
}

// close ends it. It does not wait for who reads slowly.
func (s *server) close() error {
	err := s.http.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// stay serves the report as well, until ctx or the server ends.
func (s *server) stay(ctx context.Context, folder *report.Folder) {
	s.folder.Store(folder)
	select {
	case err := <-s.served:
		s.served <- err // for close
	case <-ctx.Done():
	}
}
