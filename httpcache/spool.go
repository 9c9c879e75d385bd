package httpcache

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/seawall-go/seawall"
)

// spool is a body that is coming in: one goroutine fills it, and any number of readers follow, each at its own pace.
type spool struct {
	mu    sync.Mutex // guards the fields below
	bytes []byte
	err   error                 // why there will be no more; io.EOF at the end of the body
	panic *seawall.AttemptPanic // instead, for the caller who began
	rest  io.Reader             // where that caller reads on, behind bytes: the body has outgrown what may be kept
	more  chan struct{}         // closed when any of them changes; nil if nobody waits
}

// errOutgrown is what a caller gets who reads along in a body of unknown length, which none does.
var errOutgrown = errors.New("httpcache: the body of another caller's request has outgrown what may be shared")

// fill reads a body to its end, and reports whether that was a clean one, which is left to say. When it has more than
// limit bytes, or reserve lets no more in, the rest is left to the caller who began.
func (s *spool) fill(body io.Reader, length, limit int64, reserve func(n int) bool) bool {
	size := int64(4 << 10)
	if length >= 0 {
		size = min(length, 64<<10) + bytes.MinRead // with room for the read that finds the end
	}
	buf := make([]byte, 0, size)
	for {
		if cap(buf)-len(buf) < bytes.MinRead {
			buf = append(make([]byte, 0, 2*cap(buf)+bytes.MinRead), buf...)
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		if int64(len(buf)+n) > limit || n > 0 && !reserve(n) {
			tail := body
			if err != nil {
				tail = failed{err}
			}
			s.change(func() { s.rest = io.MultiReader(bytes.NewReader(buf[len(buf):len(buf)+n]), tail) })
			return false
		}
		buf = buf[:len(buf)+n]
		if err == io.EOF && length >= 0 && int64(len(buf)) != length {
			err = io.ErrUnexpectedEOF
		}
		whole := err == io.EOF
		if n > 0 || err != nil {
			s.change(func() {
				s.bytes = buf
				if !whole {
					s.err = err
				}
			})
		}
		if err != nil {
			return whole
		}
	}
}

// take is fill that survives a panic of the body, and leaves the spool with an end in any case.
func (s *spool) take(body io.Reader, length, limit int64, reserve func(n int) bool) bool {
	defer func() {
		if value := recover(); value != nil {
			caught := &seawall.AttemptPanic{Value: value, Stack: debug.Stack()}
			s.change(func() { s.panic = caught })
		}
	}()
	return s.fill(body, length, limit, reserve)
}

// end sees to it that there is an end.
func (s *spool) end(err error) {
	s.change(func() {
		if s.err == nil && s.rest == nil && s.panic == nil {
			s.err = err
		}
	})
}

// outgrown reports whether there was more than may be kept.
func (s *spool) outgrown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rest != nil
}

// change changes the fields, and wakes whoever waits for that.
func (s *spool) change(how func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	how()
	if s.more != nil {
		close(s.more)
		s.more = nil
	}
}

// kept returns the whole body, without much room behind it.
func (s *spool) kept() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bytes) < cap(s.bytes)-cap(s.bytes)/8 {
		s.bytes = append(make([]byte, 0, len(s.bytes)), s.bytes...)
	}
	return s.bytes
}

// failed is a reader that has come to its end.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

// follower reads a spool for one caller.
type follower struct {
	spool  *spool
	began  bool // the caller's request is the one that was sent
	offset int
	gone   <-chan struct{} // closed when the caller's context is done
	cause  func() error    // and why
	leave  func()          // lets go of the fetch; may be called many times
	ended  func()          // the end was read; nil for callers who have not begun
	once   sync.Once
	closed chan struct{}
}

func (f *follower) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	select {
	case <-f.closed:
		return 0, http.ErrBodyReadAfterClose
	default:
	}
	for {
		n, wait, err := f.step(p)
		if n > 0 || err != nil {
			if err == io.EOF && f.ended != nil { //nolint:errorlint // the end is never wrapped
				f.ended()
			}
			if err != nil {
				f.leave()
			}
			return n, err
		}
		select {
		case <-wait:
		case <-f.gone:
			f.leave()
			return 0, f.cause()
		case <-f.closed:
			return 0, http.ErrBodyReadAfterClose
		}
	}
}

// step reads what is there, or says what to wait for.
func (f *follower) step(p []byte) (n int, wait <-chan struct{}, err error) {
	s := f.spool
	s.mu.Lock()
	switch {
	case f.offset < len(s.bytes):
		n = copy(p, s.bytes[f.offset:])
		f.offset += n
	case s.rest != nil && f.began:
		rest := s.rest
		s.bytes, f.offset = nil, 0 // read by all who will
		s.mu.Unlock()
		if n, err = rest.Read(p); err != nil && err != io.EOF { //nolint:errorlint // the end is never wrapped
			if cause := f.cause(); cause != nil {
				err = cause
			}
		}
		return n, readAgain, err
	case s.rest != nil:
		err = errOutgrown
	case s.panic != nil && f.began:
		s.mu.Unlock()
		f.leave()
		panic(s.panic)
	case s.panic != nil:
		err = errAborted
	case s.err != nil:
		err = s.err
	default:
		if s.more == nil {
			s.more = make(chan struct{})
		}
		wait = s.more
	}
	s.mu.Unlock()
	return n, wait, err
}

// readAgain is what to wait for behind a read of nothing.
var readAgain = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

func (f *follower) Close() error {
	f.once.Do(func() { close(f.closed) })
	f.leave()
	return nil
}

// storedBody reads the body of a stored answer. It has no WriteTo, which would show the bytes themselves to a writer
// that might change them.
type storedBody struct {
	mu   sync.Mutex // guards left: Close may come beside a Read
	left []byte     // nil behind Close
	shut bool
}

func (b *storedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.shut:
		return 0, http.ErrBodyReadAfterClose
	case len(p) == 0:
		return 0, nil
	case len(b.left) == 0:
		return 0, io.EOF
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}

func (b *storedBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left, b.shut = nil, true
	return nil
}

// passedBody is a body that goes to the caller as it comes in, and is not stored.
type passedBody struct {
	body  io.ReadCloser
	cause func() error // of the caller's context
	leave func()       // closes the body, and lets go of the fetch; may be called many times
}

func (b *passedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err != nil {
		if err != io.EOF { //nolint:errorlint // the end is never wrapped
			if cause := b.cause(); cause != nil {
				err = cause
			}
		}
		b.leave()
	}
	return n, err
}

func (b *passedBody) Close() error {
	b.leave()
	return nil
}
