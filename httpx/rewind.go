package httpx

import (
	"io"
	"sync"
	"sync/atomic"
)

// rewinds is where an attempt's base gets the body of its request anew: net/http sends it once more by itself where it
// knows that the peer has done nothing. In HTTP/2 it gets the body first and then waits, or looks for a connection. If the
// caller leaves meanwhile, or there is none, it forgets to close what it got.
type rewinds struct {
	body *requestBody

	mu   sync.Mutex // guards made
	made []*rewound
}

// GetBody is that of the request that goes out.
func (r *rewinds) GetBody() (io.ReadCloser, error) {
	body, err := r.body.again()
	if err != nil {
		return nil, err
	}
	next := &rewound{body: body}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = append(r.made, next)
	return next, nil
}

// drop closes the bodies that nobody has begun, when the attempt is over: who has begun to send one closes it as well.
func (r *rewinds) drop() {
	r.mu.Lock()
	made := r.made
	r.made = nil
	r.mu.Unlock()
	for _, b := range made {
		if b.state.CompareAndSwap(untouched, over) {
			_ = b.body.Close() // nobody is left who could act on the error
		}
	}
}

// rewound is a body that a base has got anew.
type rewound struct {
	body  io.ReadCloser
	state atomic.Uint32
}

const (
	untouched uint32 = iota
	begunToSend
	over // closed
)

func (r *rewound) Read(p []byte) (int, error) {
	if !r.state.CompareAndSwap(untouched, begunToSend) && r.state.Load() == over {
		return 0, errTakenBack
	}
	return r.body.Read(p)
}

func (r *rewound) Close() error {
	if r.state.Swap(over) == over {
		return nil
	}
	return r.body.Close()
}
