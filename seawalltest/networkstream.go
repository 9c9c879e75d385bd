package seawalltest

import (
	"io"
	"math"
	"net"
	"os"
	"sync"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

const (
	// streamBuffer is how many bytes a connection takes before a write waits: what the buffers of a kernel grow to, and
	// more than a client of HTTP/2 sends unasked; see Network.
	streamBuffer = 4 << 20

	forEver = time.Duration(math.MaxInt64)
)

// errEndOfStream is what is read behind the last byte.
var errEndOfStream = io.EOF

// netStream is one direction of a connection.
type netStream struct {
	latency time.Duration

	mu       sync.Mutex // guards the fields below
	buf      []byte     // written and not read
	marks    []netMark  // when they come, if there is a latency
	end      error      // what comes behind them; nil while there may be more
	endAt    time.Duration
	writeErr error // why nothing is written any more
	readErr  error // why nothing is read any more, not even what is there
	readBy   time.Duration
	writeBy  time.Duration
	changed  chan struct{} // closed when any of this changes; nil if nobody waits for that
}

// netMark is that so many more bytes come at a time.
type netMark struct {
	n  int
	at time.Duration // reading of mono.Now
}

func newNetStream(latency time.Duration) *netStream {
	return &netStream{latency: latency, readBy: forEver, writeBy: forEver}
}

func (s *netStream) read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		now := mono.Now()
		n, next := s.comeLocked(now)
		switch {
		case s.readErr != nil:
			return 0, s.readErr
		case s.readBy <= now:
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case n > 0:
			return s.takeLocked(b, n), nil
		case len(s.buf) == 0 && s.end != nil && s.endAt <= now:
			return 0, s.end
		}
		s.waitLocked(min(next, s.readBy))
	}
}

// comeLocked returns how many bytes are there, and if there is none, when something comes that is under way.
func (s *netStream) comeLocked(now time.Duration) (n int, next time.Duration) {
	switch {
	case len(s.buf) > 0 && s.latency == 0:
		return len(s.buf), 0
	case len(s.buf) > 0 && s.marks[0].at > now:
		return 0, s.marks[0].at
	case len(s.buf) == 0 && s.end != nil:
		return 0, s.endAt
	}
	next = forEver
	for _, m := range s.marks {
		if m.at > now {
			break
		}
		n += m.n
	}
	return n, next
}

func (s *netStream) takeLocked(b []byte, most int) int {
	n := copy(b, s.buf[:most])
	s.buf = s.buf[n:]
	if len(s.buf) == 0 {
		s.buf = nil // an idle connection holds no memory
	}
	for rest := n; rest > 0 && len(s.marks) > 0; {
		m := &s.marks[0]
		part := min(rest, m.n)
		m.n -= part
		rest -= part
		if m.n == 0 {
			s.marks = s.marks[1:]
		}
	}
	s.changedLocked()
	return n
}

func (s *netStream) write(b []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.writeErr != nil:
			return n, s.writeErr
		case s.writeBy <= mono.Now():
			return n, os.ErrDeadlineExceeded
		case len(b) == 0:
			return n, nil
		case len(s.buf) < streamBuffer:
			k := min(len(b), streamBuffer-len(s.buf))
			s.buf = append(s.buf, b[:k]...)
			if s.latency > 0 {
				s.marks = append(s.marks, netMark{k, mono.Now() + s.latency})
			}
			n, b = n+k, b[k:]
			s.changedLocked()
		default:
			s.waitLocked(s.writeBy)
		}
	}
}

// closeWriter ends the stream from the side of the writer: it gets err from now on, and the reader end.
func (s *netStream) closeWriter(err, end error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil || end != errEndOfStream { //nolint:errorlint // both are ours, and bare
		s.end, s.endAt = end, mono.Now()+s.latency
	}
	s.writeErr = err
	s.changedLocked()
}

// closeReader ends the stream from the side of the reader: the writer gets err from now on.
func (s *netStream) closeReader(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr == nil {
		s.writeErr = err
	}
	s.readErr = net.ErrClosed
	s.buf, s.marks = nil, nil
	s.changedLocked()
}

// setDeadline sets one of the stream's deadlines.
func (s *netStream) setDeadline(by *time.Duration, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*by = forEver
	if !t.IsZero() {
		*by = mono.Now() + min(max(0, time.Until(t)), math.MaxInt64/4)
	}
	s.changedLocked()
}

func (s *netStream) changedLocked() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// waitLocked lets go of the lock until something changes, at most until a reading of mono.Now.
func (s *netStream) waitLocked(until time.Duration) {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	changed := s.changed
	s.mu.Unlock()
	defer s.mu.Lock()
	if until == forEver {
		<-changed
		return
	}
	timer := time.NewTimer(until - mono.Now())
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}
