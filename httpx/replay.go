package httpx

import (
	"errors"
	"io"
	"sync/atomic"
)

// replay keeps what attempts read of a body that can only be streamed, while they read it, so that the next attempt can
// begin anew: with what is kept, and then with the rest. Nothing is read ahead.
type replay struct {
	original io.Reader
	most     int // bytes

	turn chan struct{} // held while the original is read, which may take long; guards the fields below
	kept []byte
	read int // bytes of the original
	end  error

	outgrown atomic.Bool // more was read than is kept
}

func newReplay(original io.Reader, most int) *replay {
	return &replay{original: original, most: most, turn: make(chan struct{}, 1)}
}

var errOutgrown = errors.New("httpx: the request body is longer than what is kept of it")

// whole reports whether all that was read is kept.
func (r *replay) whole() bool { return !r.outgrown.Load() }

// replayed is the body of one attempt.
type replayed struct {
	replay *replay
	pos    int
}

func (b *replayed) Read(p []byte) (n int, err error) {
	r := b.replay
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
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
		r.outgrown.Store(true)
		return
	}
	r.kept = append(r.kept, p...)
}
