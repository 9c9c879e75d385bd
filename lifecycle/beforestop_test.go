package lifecycle_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall/lifecycle"
)

// askedGRPC says when it is told to stop.
type askedGRPC struct {
	fakeGRPC
	asked func()
}

func (g *askedGRPC) GracefulStop() {
	g.asked()
	g.fakeGRPC.GracefulStop()
}

// What refuses is called behind the delay, and before the server is told to stop; a hook that panics keeps no server from that.
func TestHooksBeforeTheStopComeBehindTheDelayAndKeepNoServerFromItsEnd(t *testing.T) {
	for _, panics := range []bool{false, true} {
		var mu sync.Mutex
		var said []string
		var latest time.Time
		say := func(what string) func() {
			return func() {
				mu.Lock()
				defer mu.Unlock()
				said, latest = append(said, what), time.Now()
			}
		}
		fails := func() {
			if panics {
				panic("ouch")
			}
		}
		var listeners []net.Listener
		for range 2 {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			listeners = append(listeners, l)
		}
		web := &http.Server{ReadHeaderTimeout: time.Second}
		web.RegisterOnShutdown(say("web stops"))
		rpc := &askedGRPC{fakeGRPC{stop: make(chan struct{})}, say("rpc stops")}
		cfg := config()
		cfg.DrainDelay = 300 * time.Millisecond
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("asked to"))
		began := time.Now()
		report, err := lifecycle.Run(ctx, cfg,
			lifecycle.HTTP("web", web, listeners[0], nil, say("web refuses"), say("web refuses again"), fails),
			lifecycle.GRPC("rpc", rpc, listeners[1], say("streams end"), nil, say("rpc refuses"), fails))
		if len(report.Cut) > 0 {
			t.Errorf("cut off: %q", report.Cut)
		}
		for _, part := range []string{"web", "rpc"} {
			if told := err != nil && strings.Contains(err.Error(), part+": stop: panic: ouch"); told != panics {
				t.Errorf("%s: panics: %t: %v", part, panics, err)
			}
		}
		eventually := time.After(10 * time.Second)
		for done := false; !done; { // what is registered runs in goroutines
			mu.Lock()
			done = len(said) == 6
			mu.Unlock()
			select {
			case <-eventually:
				t.Fatalf("it was %q", said)
			case <-time.After(time.Millisecond):
			}
		}
		for _, order := range [][]string{{"web refuses", "web refuses again", "web stops"}, {"streams end", "rpc refuses", "rpc stops"}} {
			got := slices.DeleteFunc(slices.Clone(said), func(s string) bool { return !slices.Contains(order, s) })
			if !slices.Equal(got, order) {
				t.Errorf("it was %q, want %q", got, order)
			}
		}
		if after := latest.Sub(began); after < cfg.DrainDelay {
			t.Errorf("all was over after %v, with a delay of %v", after, cfg.DrainDelay)
		}
	}
}
