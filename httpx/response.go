package httpx

import (
	"context"
	"io"
	"net/http"
	"reflect"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// bodyError is a response that broke off, in the eyes of the policies: a failure, and no more to repeat, since the response
// is with the caller.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "response body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// Verdict is a failure that is not repeated.
func (*bodyError) Verdict() seawall.Verdict { return seawall.Verdict{Outcome: seawall.Failure} }

// isEmpty reports whether a response has nothing to read, so that it has ended when its headers are there. Over HTTP/2
// net/http has a body of its own for that: it is of no size, and so has no place for anything to be read.
func isEmpty(req *http.Request, resp *http.Response) bool {
	switch {
	case resp.Body == http.NoBody, req.Method == http.MethodHead,
		resp.StatusCode == http.StatusNoContent, resp.StatusCode == http.StatusNotModified:
		return true
	}
	return resp.ContentLength == 0 && reflect.TypeOf(resp.Body).Size() == 0
}

// responseBody is the body of the response of a scope.
type responseBody scope

func (b *responseBody) Read(p []byte) (int, error) {
	s := (*scope)(b)
	if s.state()&whole != 0 { // it is closed below, which would be another answer than the first
		return 0, io.EOF
	}
	// Who asks is there only if something else than this reader may end the body.
	if s.watched() && s.set(reading)&deserted != 0 {
		return 0, s.whyLeft()
	}
	n, err := s.body.Read(p)
	if (err == nil || err == io.EOF) && s.watched() && s.unset(reading)&deserted != 0 { //nolint:errorlint // the end is never wrapped
		_ = s.shut() // for who has found us here; the caller may still have what was read
	}
	if err == nil {
		if s.x.opts.IdleTimeout != Off || s.x.opts.AttemptSpan == SpanFirstByte {
			s.progress(n)
		}
		return n, nil
	}
	if err == io.EOF { //nolint:errorlint // see above
		s.set(whole)
		s.release(s.failed)
		_ = s.shut()
		return n, err
	}
	if why := s.exceeded(); why != nil {
		err = why
	}
	end := s.failed
	if end == nil {
		end = seawall.Settle(s.parent, &bodyError{err})
	}
	s.release(end)
	_ = s.shut()
	return n, err
}

// whyLeft returns why a body was given up that somebody comes for after all.
func (s *scope) whyLeft() error {
	if why := s.why(); why != nil {
		return why
	}
	return context.Cause(s.parent)
}

// watched reports whether there is a timer, or a caller, that may end the body.
func (s *scope) watched() bool { return s.std.Load() != nil || s.state()&attached != 0 }

// progress moves the limits that go by it away.
func (s *scope) progress(n int) {
	if n == 0 {
		return
	}
	if s.x.opts.IdleTimeout != Off {
		s.moving.Store(int64(mono.Now() + s.x.opts.IdleTimeout))
	}
	if s.x.opts.AttemptSpan == SpanFirstByte && s.state()&begun == 0 {
		s.set(begun)
	}
}

// Close ends the attempt: a body that is not read to its end is judged by the status.
func (b *responseBody) Close() error {
	s := (*scope)(b)
	defer s.release(s.failed) // also after a panic
	return s.shut()
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

// Close ends the attempt, and gives its slot back.
func (b *upgradedBody) Close() error {
	defer b.scope.release(b.scope.failed)
	return b.scope.shut()
}

// CloseWrite ends the direction to the server, if the connection can do that.
func (b *upgradedBody) CloseWrite() error {
	if c, ok := b.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return http.ErrNotSupported
}
