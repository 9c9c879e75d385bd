package httpx

import (
	"errors"
	"io"
	"sync"
)

// replay keeps what attempts read of a body that can only be streamed, while they read it, so that the next attempt can
// begin anew: with what is kept, and then with the rest. Nothing is read ahead.
type replay struct {
	original io.Reader
	most     int // bytes

	mu   sync.Mutex // held while the original is read; guards the fields below
	kept []byte
	read int // bytes of the original
	end  error

	state    sync.Mutex // guards outgrown, which is asked while a read may take long
	outgrown bool
}

var errOutgrown = errors.New("httpx: the request body is longer than what is kept of it")

// whole reports whether all that was read is kept.
func (r *replay) whole() bool {
	r.state.Lock()
	defer r.state.Unlock()
	return !r.outgrown
}

// replayed is the body of one attempt.
type replayed struct {
	replay *replay
	pos    int
}

func (b *replayed) Read(p []byte) (n int, err error) {
	r := b.replay
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case b.pos < len(r.kept):
		n = copy(p, r.kept[b.pos:])
	case b.pos < r.read:
		return 0, errOutgrown // an attempt that was given up has read on meanwhile
	case r.end != nil:
		return 0, r.end
	default:
		n, err = r.original.Read(p)
		r.keep(p[:n])
		r.end = err
	}
	b.pos += n
	return n, err
}

func (r *replay) keep(p []byte) {
	r.read += len(p)
	if r.read > r.most {
		r.state.Lock()
		r.outgrown = true
		r.state.Unlock()
		return
	}
	r.kept = append(r.kept, p...)
}
