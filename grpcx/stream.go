package grpcx

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry/span"
)

// clientStream is one call of a streaming method, with its attempts. At any time there is one attempt. Another takes its
// place only before the first answer: while it is opened, and in RecvMsg where the call has one request, which is sent
// again.
type clientStream struct {
	client *Client
	target *target
	cc     *grpc.ClientConn
	desc   *grpc.StreamDesc
	settings
	limits
	opening opening
	open    func(context.Context, ...grpc.CallOption) (grpc.ClientStream, error)

	recording bool // the caller's span is to be described

	attempt  atomic.Pointer[streamAttempt]
	answered atomic.Bool // by the attempt, which is the last one
	over     sync.Once   // the span has been described, and the caller's functions told

	tries   int
	repeats repeats

	mu      sync.Mutex  // guards the fields below
	request any         // of a call that has one, until the first answer
	closed  bool        // CloseSend was called after it
	unwatch func() bool // ends the watch over the caller's context while no attempt runs; nil if there is none
}

// opening is the caller's context with the deadline until which a stream is to have its first answer. The stream itself
// has the caller's own: what ends it later is none of our limits.
type opening struct {
	context.Context
	end time.Time // zero if there is none
}

// Deadline is the nearer of the two.
func (o opening) Deadline() (time.Time, bool) {
	callers, ok := o.Context.Deadline()
	if o.end.IsZero() || ok && callers.Before(o.end) {
		return callers, ok
	}
	return o.end, true
}

// entrance is the opening of a stream before the gates. It ends with the total limit where a gate lets it wait, for which alone
// it has a timer. It is used by one goroutine.
type entrance struct {
	opening
	limit  error           // the cause, if it is the limit that ends it
	within context.Context // nil if nobody has waited
	cancel context.CancelFunc
}

// Done is for who waits.
func (e *entrance) Done() <-chan struct{} {
	if e.within == nil {
		end, limited := e.opening.Deadline()
		if !limited || e.end.IsZero() || end.Before(e.end) {
			return e.opening.Done()
		}
		e.within, e.cancel = context.WithDeadlineCause(e.Context, end, e.limit)
	}
	return e.within.Done()
}

// Err returns whether the caller has left, or the limit has passed in a wait.
func (e *entrance) Err() error {
	if e.within == nil {
		return e.opening.Err()
	}
	return e.within.Err()
}

// Value finds the cause as well.
func (e *entrance) Value(key any) any {
	if e.within == nil {
		return e.opening.Value(key)
	}
	return e.within.Value(key)
}

// leave stops the timer.
func (e *entrance) leave() {
	if e.cancel != nil {
		e.cancel()
	}
}

// stream is the interceptor of streams.
func (c *Client) stream(
	ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer,
	opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	t := c.methods.Load().find(where(cc), method)
	ctx, recording := span.BeginCall(ctx)
	s := &clientStream{
		client: c, target: t, cc: cc, desc: desc, limits: t.limits,
		opening: opening{Context: ctx}, recording: recording,
	}
	rest := s.read(opts)
	if s.results != nil {
		rest = s.results.pass(rest)
	}
	s.open = func(ctx context.Context, more ...grpc.CallOption) (grpc.ClientStream, error) {
		return streamer(outgoing(ctx, seawall.Attempt(ctx)), desc, cc, method, append(slices.Clip(rest), more...)...)
	}
	s.adjust()
	if ctx.Err() != nil { // no attempt, and so no call of the retry
		err := conclude(ctx, context.Cause(ctx))
		s.tell(err)
		return nil, err
	}
	s.tries = 1
	err := s.try(1)
	if err != nil {
		err = s.again(err)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// adjust settles what holds for the call.
func (s *clientStream) adjust() {
	s.idempotent = s.target.mayRepeat(s.idempotent)
	if s.settings.attempt != 0 {
		s.limits.attempt = s.client.attemptLimit(s.settings.attempt)
	}
	s.settings.attempt = cmp.Or(s.settings.attempt, s.target.attemptTimeout)
	if s.waits { // it is one attempt that waits
		s.settings.attempt = Off
	}
	if s.timeout != 0 {
		s.limits.total = exceeded(s.target.total.Name(), s.timeout)
	}
	if limit := cmp.Or(s.timeout, s.target.totalTimeout); limit != Off {
		s.opening.end = time.Now().Add(limit)
	}
	s.repeats.retry = s.client.retry
}

// pass appends the results of a call to options, where attempts follow each other: the latest is what the caller gets.
func (r *results) pass(options []grpc.CallOption) []grpc.CallOption {
	for _, md := range r.headers {
		options = append(options, grpc.Header(md))
	}
	for _, md := range r.trailers {
		options = append(options, grpc.Trailer(md))
	}
	for _, p := range r.peers {
		options = append(options, grpc.Peer(p))
	}
	return options
}

// SendMsg sends a message. An error other than io.EOF ends the stream.
func (s *clientStream) SendMsg(m any) error {
	if !s.desc.ClientStreams {
		s.keep(m)
	}
	a := s.attempt.Load()
	err := a.inner.SendMsg(m)
	if err == nil || err == io.EOF { //nolint:errorlint // the end is never wrapped; RecvMsg tells why
		return err
	}
	return s.finish(a.fail(err))
}

// CloseSend says that no more messages follow.
func (s *clientStream) CloseSend() error {
	a := s.attempt.Load()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if s.desc.ClientStreams && !s.desc.ServerStreams {
		a.arm(s.settings.attempt, s.limits.attempt)
	}
	return a.inner.CloseSend()
}

// RecvMsg receives a message. Until the first one it may open the stream anew, if that has one request.
func (s *clientStream) RecvMsg(m any) error {
	for {
		a := s.attempt.Load()
		err := a.inner.RecvMsg(m)
		var failed error
		switch {
		case err == nil:
			failed = s.answer(a)
		case err == io.EOF: //nolint:errorlint // the end is never wrapped
			failed = a.missed()
		default:
			failed = a.fail(err)
		}
		if failed == nil {
			if err != nil || !s.desc.ServerStreams { // where one answer is all, grpc-go has read the status as well
				a.end(nil)
				_ = s.finish(nil)
			}
			return err
		}
		if !s.reopens(a) {
			return s.finish(failed)
		}
		if err := s.again(failed); err != nil {
			return err
		}
		reset(m)
	}
}

// Header waits for the header. One that the server has sent is its first answer.
func (s *clientStream) Header() (metadata.MD, error) {
	for {
		a := s.attempt.Load()
		md, err := a.inner.Header()
		var late error
		if md != nil && err == nil {
			late = s.answer(a)
		}
		switch {
		case s.attempt.Load() != a: // another one has taken its place meanwhile
		case late != nil && s.reopens(a):
			return nil, late
		default:
			return md, err
		}
	}
}

// Trailer returns the trailer, after RecvMsg has returned an error.
func (s *clientStream) Trailer() metadata.MD { return s.attempt.Load().inner.Trailer() }

// Context returns the context of the stream.
func (s *clientStream) Context() context.Context { return s.attempt.Load().inner.Context() }

// answer is told that the first answer is there, or another one. It returns how its attempt had failed before, if it had.
func (s *clientStream) answer(a *streamAttempt) error {
	if s.answered.Load() {
		return nil
	}
	if late := a.answered(); late != nil {
		return late
	}
	s.answered.Store(true)
	s.keep(nil)
	_ = s.repeats.end(s.policies(), nil)
	return nil
}

// keep remembers the request for another attempt, or forgets it.
func (s *clientStream) keep(request any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.request = request
	if request == nil && s.unwatch != nil {
		s.unwatch()
	}
}

// resend sends the request of an earlier attempt, if there is one.
func (s *clientStream) resend(inner grpc.ClientStream) error {
	s.mu.Lock()
	request, closed := s.request, s.closed
	s.mu.Unlock()
	if request == nil {
		return nil
	}
	err := inner.SendMsg(request)
	if err == nil && closed {
		err = inner.CloseSend()
	}
	if err == io.EOF { //nolint:errorlint // never wrapped; RecvMsg tells why
		return nil
	}
	return err
}

// reopens reports whether another attempt may take the place of one that has failed.
func (s *clientStream) reopens(failed *streamAttempt) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return failed.saidNothing() && s.request != nil && s.opening.Err() == nil
}

// again makes further attempts after one that has failed, until one is open or the policies have no more: then it returns
// the error of the call.
func (s *clientStream) again(err error) error {
	rest, ok := s.repeats.claim()
	if !ok {
		return s.finish(err)
	}
	ctx := s.policies()
	decided := false
	defer func() {
		if !decided && rest != nil { // a function of the configuration has panicked, or an interceptor
			_ = rest.End(seawall.ErrAborted)
		}
	}()
	if rest == nil {
		if rest = s.client.retry.Ended(ctx, err); rest == nil {
			decided = true
			return s.finish(err)
		}
	}
	for {
		wait, more := rest.Next(ctx, err)
		if !more {
			break
		}
		if cause := sleep(s.opening, wait); cause != nil {
			err = cause
			break
		}
		s.tries++
		rest.Started(s.tries)
		if err = s.try(s.tries); err == nil {
			decided = true
			s.repeats.giveBack(rest)
			a := s.attempt.Load()
			if failed := a.missed(); failed != nil { // before that, so that nobody else could see to the end of the call
				s.lost(a, failed)
			}
			return nil
		}
	}
	decided = true
	return s.finish(rest.End(err))
}

// policies is the context of the retry.
func (s *clientStream) policies() context.Context {
	if s.maxAttempts == 0 {
		return s.opening
	}
	return retry.WithMaxAttempts(s.opening, s.maxAttempts)
}

// sleep waits, and returns the cause of ctx if that is done.
func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// lost is told of an attempt that has ended outside of the stream's methods. Unless these go on, or may, it ends the call:
// its caller may never come back.
func (s *clientStream) lost(a *streamAttempt, err error) {
	if now := s.attempt.Load(); now != nil && now != a {
		return
	}
	if err != nil && s.reopens(a) {
		s.watch()
		return
	}
	rest, ok := s.repeats.claim()
	switch answered := !a.saidNothing(); {
	case ok && answered:
		s.shield(func() { _ = s.repeats.close(s.policies(), rest, nil) }) // whoever has got the answer is about to say so
	case ok:
		s.shield(func() { err = s.repeats.close(s.policies(), rest, err) })
	case !answered || s.attempt.Load() != a: // who has claimed it sees to the end
		return
	}
	s.shield(func() { s.tell(conclude(s.opening.Context, err)) })
}

// shield runs what may come to the user's functions on a goroutine that is not the caller's: nobody there can recover.
func (s *clientStream) shield(f func()) {
	events.Shield(s.target.cfg.Registry.Logger(), clientKind, s.client.name, f)
}

// watch ends a call that has no attempt when its caller leaves it there.
func (s *clientStream) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unwatch == nil && s.request != nil {
		caller := s.opening.Context
		s.unwatch = context.AfterFunc(caller, func() {
			err := context.Cause(caller)
			s.shield(func() { err = s.repeats.end(s.policies(), err) })
			s.shield(func() { s.tell(conclude(caller, err)) })
		})
	}
}

// finish ends the call, which has no attempt any more, and returns its error.
func (s *clientStream) finish(err error) error {
	err = conclude(s.opening.Context, s.repeats.end(s.policies(), err))
	s.tell(err)
	return err
}

// tell describes the caller's span, and calls the caller's functions, once.
func (s *clientStream) tell(err error) {
	s.keep(nil)
	s.over.Do(func() {
		if s.recording {
			span.Describe(s.opening.Context, err)
		}
		if s.results != nil {
			for _, f := range s.results.finished {
				f(err)
			}
		}
	})
}
