package httpx

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// scope is one attempt: its context, its timer, the response and its body. It owns them, and has one exit, release,
// which may be taken several times, from several goroutines: at a transport error, at the end of the body or an error
// in it, at its Close, and when the response is discarded.
//
// It is the context of the attempt itself, which lives as long as the response body. So it hangs on the caller's
// context and not on the one that the policies hand in: that one ends when RoundTrip returns. The timer stands in for
// it, first with whichever of attempt limit and total limit ends earlier, and from the response headers on with the
// total limit.
type scope struct {
	context.Context // of the caller, with a cancel of our own
	cancel          context.CancelCauseFunc
	timer           *time.Timer // nil without a limit of ours
	limit           error       // what the timer cancels with
	end             time.Time   // of the total limit
	total           error       // the total limit's error; nil if there is none, or the caller's deadline is nearer

	asked, connected atomic.Bool // for a connection; got one
	hooks            httptrace.ClientTrace

	resp *http.Response
	body io.ReadCloser // of the response, as the base gave it
}

var (
	_ context.Context = (*scope)(nil)
	_ io.Closer       = (*scope)(nil) // how the executor lets go of what it does not return
)

// errDiscarded is the cause of the context of an attempt whose response was discarded, and took too long at it.
var errDiscarded = errors.New("httpx: response discarded")

// Bounds of what is read of a response that is not returned, so that its connection can be used again. Reading on costs
// time and traffic, a new connection costs a handshake: about as much as this.
const (
	drainBytes = 64 << 10
	drainTime  = 50 * time.Millisecond
)

// arm starts the attempt's limit, or the total one if that ends before it.
func (s *scope) arm(attempt time.Duration, attemptErr error, left time.Duration) {
	switch {
	case s.total != nil && (attempt <= 0 || left <= attempt):
		s.limit = s.total
		s.timer = time.AfterFunc(left, s.expire)
	case attempt > 0:
		s.limit = attemptErr
		s.timer = time.AfterFunc(attempt, s.expire)
	}
}

func (s *scope) expire() { s.cancel(s.limit) }

// release ends the attempt.
func (s *scope) release() {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.cancel(nil)
}

// exceeded returns the limit of ours that ended the attempt, or nil. It compares by identity, because the caller's
// context may have been ended by a limit like this one, of somebody further out.
func (s *scope) exceeded() error {
	if s.limit != nil && context.Cause(s.Context) == s.limit { //nolint:errorlint // which one, not of what kind
		return s.limit
	}
	return nil
}

// answered is told that the response is there: the attempt limit is over, and the scope lives as long as the body. It
// returns false if the limit has just passed, which has canceled the body.
func (s *scope) answered(resp *http.Response) bool {
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	s.resp, s.body = resp, resp.Body
	if s.timer != nil && !s.timer.Stop() {
		return false
	}
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		resp.Body = s.upgraded()
	case resp.Body == http.NoBody:
		s.release()
	default:
		resp.Body = (*responseBody)(s)
		if s.total != nil {
			s.limit = s.total // the timer stands still, so nobody reads it now
			s.timer.Reset(time.Until(s.end))
		}
	}
	return true
}

// Close lets go of a response that is not returned: it reads what little there is to read, so that the connection can
// be used again, within a bound of bytes and one of time.
func (s *scope) Close() error {
	defer s.release()
	if s.body != http.NoBody && s.resp.ContentLength <= drainBytes && (s.timer == nil || s.timer.Stop()) {
		s.limit = errDiscarded
		if s.timer == nil {
			s.timer = time.AfterFunc(drainTime, s.expire)
		} else {
			s.timer.Reset(drainTime)
		}
		_, _ = io.CopyN(io.Discard, s.body, drainBytes)
	}
	return s.body.Close()
}

// trace notes what becomes of the connection: a request without one was not sent.
func (s *scope) trace(ctx context.Context) context.Context {
	s.hooks.GetConn = func(string) { s.asked.Store(true) }
	s.hooks.GotConn = func(httptrace.GotConnInfo) { s.connected.Store(true) }
	return httptrace.WithClientTrace(ctx, &s.hooks)
}

// unsent reports whether it is certain that nothing of the request was sent. A connection is obtained by the goroutine
// that runs RoundTrip, so there is nothing left to race with when that has returned. Whether a header was written on a
// connection would not be as certain: net/http writes in another goroutine, also after it has given up waiting.
func (s *scope) unsent() bool { return s.asked.Load() && !s.connected.Load() }

// responseBody is the body of the response of a scope.
type responseBody scope

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err != nil {
		s := (*scope)(b)
		if err != io.EOF { //nolint:errorlint // the end is never wrapped
			if limit := s.exceeded(); limit != nil {
				err = limit
			}
		}
		s.release()
	}
	return n, err
}

func (b *responseBody) Close() error {
	err := b.body.Close()
	(*scope)(b).release()
	return err
}

// upgraded is the body of a 101, which can be written to. The limits do not apply to it, and its end of file is one of
// two directions only.
func (s *scope) upgraded() io.ReadCloser {
	if rw, ok := s.body.(io.ReadWriteCloser); ok {
		return &upgradedBody{rw, s}
	}
	return (*responseBody)(s)
}

type upgradedBody struct {
	io.ReadWriteCloser
	scope *scope
}

func (b *upgradedBody) Close() error {
	err := b.ReadWriteCloser.Close()
	b.scope.release()
	return err
}

// CloseWrite ends the direction to the server, if the connection can do that.
func (b *upgradedBody) CloseWrite() error {
	if c, ok := b.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return http.ErrNotSupported
}
