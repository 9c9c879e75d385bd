package httpx

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"sync"
)

// requestBody hands the body of one request to its attempts, one after the other, and sees to it that the original is
// closed exactly once.
//
// The first attempt gets the original. Each further one gets a fresh reader from GetBody: never the same one, since a
// transport may go on reading after RoundTrip has returned. Without GetBody the original can be taken back, but only as
// long as nothing has been read from it, and what was lent before reads nothing any more.
type requestBody struct {
	original io.ReadCloser
	getBody  func() (io.ReadCloser, error)
	plain    bool    // the original goes out as it is
	replay   *replay // what was read of an original that can only be streamed; nil if it is not kept
	first    lease   // of the first attempt

	mu      sync.Mutex // guards the fields below
	lent    int        // number of times
	out     bool       // lent, and not closed by the borrower
	touched bool       // something was read, or at least asked for
	over    bool       // no further attempt will come
	closed  bool
}

var errTakenBack = errors.New("httpx: the request body belongs to another attempt now")

// The types that io.NopCloser makes.
var (
	nopCloser       = reflect.TypeOf(io.NopCloser(nil))
	nopCloserWriter = reflect.TypeOf(io.NopCloser(struct {
		io.Reader
		io.WriterTo
	}{}))
)

// newRequestBody returns nil for a request without a body, which is a requestBody as well.
func newRequestBody(req *http.Request, keep int) *requestBody {
	if req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	b := &requestBody{original: req.Body, getBody: req.GetBody}
	if b.getBody == nil && keep > 0 && req.ContentLength <= int64(keep) {
		b.replay = newReplay(req.Body, keep)
	}
	// net/http looks whether a body is one of its own in-memory readers in a NopCloser, and then sends it in one packet
	// with the header. There is no close to count on such a body, so it needs no wrapping.
	if t := reflect.TypeOf(req.Body); b.getBody != nil {
		b.plain = t == nopCloser || t == nopCloserWriter
	}
	return b
}

// lend returns the body for the next attempt.
func (b *requestBody) lend(req *http.Request) (io.ReadCloser, error) {
	if b == nil {
		return req.Body, nil
	}
	b.mu.Lock()
	b.lent++
	number := b.lent
	fresh := number > 1 && b.getBody != nil
	if !fresh {
		b.out = true
	}
	b.mu.Unlock()
	switch {
	case fresh:
		return b.getBody()
	case b.plain:
		return b.original, nil
	}
	l := &b.first
	if number > 1 {
		l = new(lease)
	}
	l.body, l.number, l.from = b, number, b.original
	if b.replay != nil {
		l.from = &replayed{replay: b.replay}
	}
	return l, nil
}

// rewinds reports whether a base may get the body anew within one attempt, and has to be watched at that: what is plain
// needs no Close.
func (b *requestBody) rewinds() bool {
	return b != nil && !b.plain && (b.replay != nil || b.getBody != nil)
}

// again returns the body for a base that begins anew within one attempt.
func (b *requestBody) again() (io.ReadCloser, error) {
	switch {
	case b.replay == nil:
		return b.getBody()
	case !b.replay.whole():
		return nil, errOutgrown
	}
	return b.lend(nil)
}

// copies reports whether each attempt gets a body of its own.
func (b *requestBody) copies() bool { return b == nil || b.getBody != nil }

// repeatable reports whether another attempt could send the body.
func (b *requestBody) repeatable() bool { return b.copies() || b.replay != nil && b.replay.whole() }

// takeBack is repeatable for an attempt that came to nothing: it also holds for an original that is still unread, which
// it takes away from the attempt.
func (b *requestBody) takeBack() bool {
	if b.copies() {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.touched && (b.replay == nil || !b.replay.whole()) {
		return false
	}
	b.lent++ // ends the lease
	b.out = false
	return true
}

// finish is called when the last attempt has begun and ended, or none has begun. A body that is still out is closed by
// who has it: a server may answer before it has read all of it.
func (b *requestBody) finish() {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.over = true
	closing := !b.out && !b.closed
	b.closed = b.closed || closing
	b.mu.Unlock()
	if closing {
		_ = b.original.Close() // nobody is left who could act on the error
	}
}

// lease is the original in the hands of one attempt.
type lease struct {
	body   *requestBody
	number int
	from   io.Reader // the original, or what is kept of it and then the rest
	begun  bool      // to read; then the lease cannot be ended any more, unless what is read is kept
}

func (l *lease) Read(p []byte) (int, error) {
	if !l.begun {
		if !l.begin() {
			return 0, errTakenBack
		}
		l.begun = l.body.replay == nil
	}
	return l.from.Read(p)
}

func (l *lease) begin() bool {
	l.body.mu.Lock()
	defer l.body.mu.Unlock()
	if l.number != l.body.lent && l.body.getBody == nil {
		return false
	}
	l.body.touched = true
	return true
}

// Close closes the original, unless it is unread and another attempt may still want it.
func (l *lease) Close() error {
	b := l.body
	b.mu.Lock()
	current := b.getBody != nil || l.number == b.lent
	if current {
		b.out = false
	}
	spent := b.getBody != nil || b.touched && (b.replay == nil || !b.replay.whole())
	closing := current && !b.closed && (b.over || spent)
	b.closed = b.closed || closing
	b.mu.Unlock()
	if closing {
		return b.original.Close()
	}
	return nil
}
