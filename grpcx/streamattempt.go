package grpcx

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// streamAttempt is one attempt of a stream: its context, its timer, its permits. It owns them, and has one exit, end,
// which the first of these takes: opening failed; RecvMsg met an error or the end; the single answer came; SendMsg met an
// error; grpc-go says that the call is over, which it also does when the connection is closed; the context is done.
type streamAttempt struct {
	context.Context // the caller's, with a cancel of our own
	cancel          context.CancelCauseFunc
	stream          *clientStream
	inner           grpc.ClientStream // nil until it is open

	permits
	timed bool          // somebody wants to know how long it takes
	began time.Duration // by mono, if so

	mu          sync.Mutex // guards the fields below
	phase       phase
	hasAnswered bool        // at least once
	failed      error       // how it has ended, if that was before an answer, and not well
	early       *error      // how grpc-go ended the call before the opener knew that it was open
	timer       *time.Timer // nil if there was no limit yet
	limit       error       // what the timer cancels with
	stop        func() bool // ends the watch over the context
}

// phase is how far an attempt has come.
type phase uint8

const (
	isOpening   phase = iota
	isWaiting         // for the first answer
	isAnswering       // the first answer is there
	isExpired         // a limit of ours has ended it
	isOver            // all is given back
)

// try makes an attempt. Without an error it is the stream's attempt.
func (s *clientStream) try(n int) error {
	a := &streamAttempt{stream: s, timed: s.client.retry.Timed()}
	if a.timed {
		a.began = mono.Now()
	}
	returned := false
	defer func() {
		if !returned {
			a.end(seawall.ErrAborted)
		}
	}()
	g := &s.client.gates
	door := &entrance{opening: s.opening, limit: s.limits.total}
	defer door.leave()
	if err := a.enter(door, g.breakers.For(s.target.key), g.streams.For(s.target.key)); err != nil {
		returned = true
		a.end(err)
		return err
	}
	parent := s.opening.Context
	if n > 1 {
		parent = seawall.WithAttempt(parent, n)
	}
	inner, err := a.open(parent, s.settings.attempt)
	if err != nil && a.waits() {
		inner, err = a.open(parent, Off)
	}
	returned = true
	if err == nil {
		a.opened(inner)
		err = s.resend(inner)
	}
	if err != nil {
		return a.fail(err)
	}
	s.attempt.Store(a)
	return nil
}

// open opens the stream, with a limit of the attempt.
func (a *streamAttempt) open(parent context.Context, limit time.Duration) (grpc.ClientStream, error) {
	a.mu.Lock()
	a.phase, a.early = isOpening, nil
	a.mu.Unlock()
	a.Context, a.cancel = context.WithCancelCause(parent)
	a.armOpening(limit)
	return a.stream.open(a.Context, grpc.OnFinish(a.over)) // not a, which may get another context
}

// waits reports whether the limit of an attempt that opens has cut off its wait for a connection, though the service config
// says that it waits.
func (a *streamAttempt) waits() bool {
	s := a.stream
	return context.Cause(a.Context) == s.limits.attempt && s.waitsForReady(s.cc, s.target.method) //nolint:errorlint // which one
}

// armOpening starts the limit of an attempt that opens: its own, or the total one if that ends before it.
func (a *streamAttempt) armOpening(d time.Duration) {
	limit := a.stream.limits.attempt
	if end := a.stream.opening.end; !end.IsZero() {
		if left := time.Until(end); d <= 0 || left < d {
			d, limit = max(1, left), a.stream.limits.total
		}
	}
	a.arm(d, limit)
}

// arm starts a limit, if d is one.
func (a *streamAttempt) arm(d time.Duration, limit error) {
	if d <= 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase > isWaiting {
		return
	}
	a.limit = limit
	a.startLocked(d)
}

func (a *streamAttempt) startLocked(d time.Duration) {
	if a.timer == nil {
		a.timer = time.AfterFunc(d, a.due)
	} else {
		a.timer.Reset(d)
	}
}

func (a *streamAttempt) stopLocked() {
	if a.timer != nil {
		a.timer.Stop()
	}
}

// due is called by the timer: a limit is over, or the breaker is to be told of a stream that works.
func (a *streamAttempt) due() {
	if a.expire() == isAnswering {
		a.stream.shield(func() { a.breaker.Done(nil) })
	}
}

// expire ends the wait for the first answer, and returns how far the attempt had come. It ends the context under the lock, so
// that an attempt that has expired has one that is done.
func (a *streamAttempt) expire() (was phase) {
	a.mu.Lock()
	defer a.mu.Unlock()
	was = a.phase
	if was <= isWaiting {
		a.phase = isExpired
		a.cancel(a.limit)
	}
	return was
}

// opened is told that the stream is open. Where the client sends, the time from now on is its own, until it has finished.
func (a *streamAttempt) opened(inner grpc.ClientStream) {
	a.mu.Lock()
	a.inner = inner
	if a.phase == isOpening {
		a.phase = isWaiting
	}
	if a.stream.desc.ClientStreams && a.phase == isWaiting {
		a.stopLocked()
		a.breaker.Answered()
	}
	early := a.early
	if a.phase != isOver && early == nil {
		a.stop = context.AfterFunc(a, a.left)
	}
	a.mu.Unlock()
	if early != nil {
		a.settle(*early)
	}
}

// answered is told that an answer has come. It returns how the attempt had failed before, if it had: then it comes too late,
// and is none.
func (a *streamAttempt) answered() error {
	if !a.isFirst() {
		return a.missed()
	}
	if a.timed {
		a.took(nil)
	}
	return nil
}

// isFirst takes in an answer, and reports whether it is the first, that came in time: the limits are over, and the time of the
// server.
func (a *streamAttempt) isFirst() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase > isWaiting {
		return false
	}
	a.phase, a.hasAnswered = isAnswering, true
	a.stopLocked()
	a.breaker.Answered()
	if settle := a.stream.target.cfg.StreamSettle; settle > 0 {
		a.startLocked(settle)
	}
	return true
}

// missed returns how the attempt has failed before an answer came, nil if it has not.
func (a *streamAttempt) missed() error {
	if a.hasExpired() { // and who sees to that is on his way
		a.settle(a.Err())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failed
}

func (a *streamAttempt) hasExpired() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.phase == isExpired
}

// saidNothing reports whether no answer has come, so that another attempt may take the place of this one.
func (a *streamAttempt) saidNothing() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.hasAnswered
}

// took tells how long the first answer took, or the attempt if it had none and has ended with err.
func (a *streamAttempt) took(err error) {
	a.stream.client.retry.Took(a.stream.opening.Context, err, mono.Now()-a.began)
}

// over is told by grpc-go that the call has ended, with a nil error after all went well.
func (a *streamAttempt) over(err error) {
	a.mu.Lock()
	opening := a.inner == nil
	if opening {
		a.early = &err
	}
	a.mu.Unlock()
	if !opening {
		a.settle(err)
	}
}

// settle ends the attempt, and the call if nobody is at it. It may come late: grpc-go tells that an attempt is over, and the
// context that it is done, from goroutines of their own, when another attempt has perhaps taken its place. So no
// panic of the user's functions goes on from here, where nobody could recover, and none keeps the attempt from its end.
func (a *streamAttempt) settle(err error) {
	s := a.stream
	if err != nil {
		s.shield(func() { err = a.judged(err) })
	}
	if !a.close(err) {
		return
	}
	s.shield(func() { a.giveBack(err) })
	s.lost(a, err)
}

// left is told that the context is done, by the caller or by a limit of ours.
func (a *streamAttempt) left() { a.settle(a.Err()) }

// fail ends an attempt that has met err, and returns its error with the verdict on it.
func (a *streamAttempt) fail(err error) error {
	err = a.judged(err)
	a.end(err)
	return err
}

// judged returns the error of an attempt that has met err, with the verdict on it.
func (a *streamAttempt) judged(err error) error {
	s := a.stream
	caller := s.opening.Context
	a.mu.Lock()
	limit, inner, answered := a.limit, a.inner, a.hasAnswered
	a.mu.Unlock()
	failed, e := s.limits.blame(caller, a, limit, err)
	if e.by == byDeadline && failed.cause == nil { // the total limit, which nobody further out speaks of
		failed.status, failed.err = status.New(codes.DeadlineExceeded, limit.Error()), limit
	}
	var trailer metadata.MD
	if inner != nil && e.by == byPeer {
		trailer = inner.Trailer()
	}
	e.unsent = inner == nil                                      // no message could be handed over yet
	e.final = e.unsent && s.waitsForReady(s.cc, s.target.method) // it has waited already
	failed.settle(e, trailer, s.target.rules, s.idempotent, func() bool {
		return inner != nil && s.target.cfg.TrustPeer(withPeer(caller, inner))
	})
	switch {
	case answered:
		failed.verdict.Repeat = seawall.RepeatNever
		if e.by == byDeadline { // a stream that lasts as long as its caller wanted
			failed.verdict.Outcome = seawall.Ignored
		}
	case inner != nil && s.desc.ClientStreams:
		failed.verdict.Repeat = seawall.RepeatNever // what the client has sent is gone
	}
	return failed
}

// withPeer returns a context that tells the peer of a stream.
func withPeer(ctx context.Context, inner grpc.ClientStream) context.Context {
	if p, ok := peer.FromContext(inner.Context()); ok {
		return peer.NewContext(ctx, p)
	}
	return ctx
}

// end gives back what the attempt holds, unless that was done.
func (a *streamAttempt) end(err error) {
	if a.close(err) {
		a.giveBack(err)
	}
}

// close ends the attempt. It returns true to the first who calls it, and who is to give back what the attempt holds.
func (a *streamAttempt) close(err error) bool {
	a.mu.Lock()
	if a.phase == isOver {
		a.mu.Unlock()
		return false
	}
	a.phase = isOver
	if !a.hasAnswered {
		a.failed = err
	}
	a.stopLocked()
	stop := a.stop
	a.mu.Unlock()
	if stop != nil {
		stop()
	}
	return true
}

func (a *streamAttempt) giveBack(err error) {
	if a.cancel != nil {
		defer a.cancel(nil)
	}
	if a.timed && a.saidNothing() {
		a.took(err)
	}
	a.permits.end(a.stream.opening.Context, err)
}
