package grpcx

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/tap"

	"github.com/seawall-go/seawall"
)

// Tap admits a call when its header is there. It is for programs that use the single interceptors with [BeforeDecode];
// [Server.Options] has it already. It always returns a status, as grpc-go makes PERMISSION_DENIED of other errors.
func (s *Server) Tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	return s.tap(ctx, info)
}

func (s *Server) tap(ctx context.Context, info *tap.Info) (of context.Context, err error) {
	c := call{server: s, settings: s.settings.Load(), method: info.FullMethodName, do: everything}
	if c.settings.exempt(info.FullMethodName) {
		return ctx, nil
	}
	of = ctx                  // also after a panic
	defer c.rescue(ctx, &err) // a panic of the user's functions would end the program: no handler is around us
	ctx = c.settings.believe(ctx)
	e := &early{server: s}
	if err := c.pass(inNoTime{ctx}, &e.slot); err != nil {
		return ctx, err
	}
	ctx = context.WithValue(ctx, earlyKey{}, e)
	e.watch(ctx, c.settings.Timeout)
	return ctx, nil
}

// inNoTime is a context that has no time left, and has not ended: gates answer at once, and let nothing wait.
type inNoTime struct{ context.Context }

func (inNoTime) Deadline() (time.Time, bool) { return time.Unix(0, 0), true }

type earlyKey struct{}

// early is the slot of a call that a tap has admitted. The call may never come to its handler: because its method is not
// known, its request does not arrive, or an interceptor refuses it. Then the end of its context gives the slot back.
type early struct {
	server *Server
	slot   seawall.Permit

	mu     sync.Mutex // guards the fields below
	over   bool       // claimed by an interceptor, or given back
	timer  *time.Timer
	detach func() bool // from the context of the call
}

// earlyOf returns what the server's tap has put into the context of a call, or nil.
func (s *Server) earlyOf(ctx context.Context) *early {
	if s.settings.Load().Admission.Place != BeforeDecode {
		return nil
	}
	if e, ok := ctx.Value(earlyKey{}).(*early); ok && e.server == s {
		return e
	}
	return nil
}

// watch gives the slot back when the context ends, or when no handler has begun within the limit.
func (e *early) watch(ctx context.Context, limit time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if limit != Off {
		e.timer = time.AfterFunc(limit, e.abandon)
	}
	e.detach = context.AfterFunc(ctx, e.abandon)
}

// claim hands the slot to the interceptor, unless it has been given back.
func (e *early) claim() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return false
	}
	e.endLocked()
	return true
}

func (e *early) abandon() {
	e.mu.Lock()
	over := e.over
	if !over {
		e.endLocked()
	}
	e.mu.Unlock()
	if !over {
		e.slot.Done(seawall.ErrCanceled) // nothing was started
	}
}

func (e *early) endLocked() {
	e.over = true
	e.detach()
	if e.timer != nil {
		e.timer.Stop()
	}
}
