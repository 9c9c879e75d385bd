package arm

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/seawall-go/seawall/demo/internal/wire"
)

// site is where the components of an arm stand.
type site struct {
	wire    wire.Wire
	arm     int
	onClose func(func(context.Context) error)
}

// serve starts a server for h, and returns its URL.
func (s site) serve(ctx context.Context, h http.Handler) (url string, err error) {
	listener, err := s.wire.Listen(ctx, s.arm)
	if err != nil {
		return "", err
	}
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // of connections that customers cut: thousands, and expected
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	s.onClose(func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		if err != nil {
			err = errors.Join(err, server.Close())
		}
		if serving := <-ended; !errors.Is(serving, http.ErrServerClosed) {
			err = errors.Join(err, serving)
		}
		return err
	})
	return "http://" + listener.Addr().String(), nil
}

// transport returns a pool of connections: alike for all clients of all arms.
func (s site) transport() *http.Transport {
	t := &http.Transport{
		DialContext: s.wire.Dial, MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second, DisableCompression: true,
	}
	s.onClose(func(context.Context) error {
		t.CloseIdleConnections()
		return nil
	})
	return t
}
