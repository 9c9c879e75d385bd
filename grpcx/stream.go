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
