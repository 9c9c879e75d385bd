package fault

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

const (
	// laneBuffer is how many bytes a fault holds back in one direction before those who write have to wait: what the
	// buffers of a kernel grow to, and more than a client of HTTP/2 sends unasked. Its writers hold a mutex, so in a
	// bubble of testing/synctest time would stand still while they wait.
	laneBuffer = 4 << 20
	// slices of bandwidth: what goes on at a time is what comes in a tenth of a second.
	slicesPerSecond = 10

	never = time.Duration(math.MaxInt64)
)

// lane is one direction of a connection. While no fault acts on it bytes go past it. Otherwise they go through its queue,
// each chunk when all that acts on the lane lets it.
type lane struct {
	direction Stream
	number    uint64        // the connection's
	lag       time.Duration // see lagOf
	busy      atomic.Bool   // whether bytes have to go through the queue. Written under mu

	mu       sync.Mutex // guards the fields below
	acting   []acting   // in the order of the plan
	queue    []chunk
	size     int           // bytes in queue
	count    uint64        // chunks so far
	free     time.Duration // when the line has sent what it let through so far, for bandwidth; reading of mono.Now
	deadline time.Duration // the caller's; reading of mono.Now
	moving   bool          // a goroutine moves bytes between the queue and the inner connection
	felt     time.Duration // when the lane feels the last change of faults; reading of mono.Now
	closing  bool          // that goroutine closes the connection when it is done
	deaf     bool          // the end of the inner connection was swallowed
	shut     error         // nothing comes into the queue any more
	broken   error         // nothing goes out of it any more
	changed  chan struct{} // closed when any of this changes; nil if nobody waits for that
}

// acting is a fault that acts on a lane.
type acting struct {
	run    *run
	stream uint64 // of draws for this lane
	passed int64  // bytes that went on since it began
	lost   bool   // it has swallowed something

	left   int64         // bytes of the slice that is on its way, for Slicer; 0 between two of them
	slices uint64        // slices so far
	next   time.Duration // when the next one may begin; reading of mono.Now
}

// chunk is bytes that came in at once, or the end that comes after them.
type chunk struct {
	data   []byte
	end    error
	number uint64        // from 1
	at     time.Duration // when it came in; reading of mono.Now
}

// lagOf is how many nanoseconds after its time a connection feels a change of faults: a number of its own, up to a
// microsecond. What a change does to many connections does not happen in one instant then, and so in virtual time it
// happens in the same order in every run.
//
// A Write does not wait for that: it may hold a mutex of its caller, and in a bubble no time passes while others wait for
// that. Until then what it writes is lost, as what is sent to a peer that has crashed.
func lagOf(number uint64) time.Duration { return time.Duration((number - 1) % 1000) }

// pace is when many connections feel one change.
type pace uint8

const (
	scattered pace = iota // by their lags
	atOnce                // in one instant, for a Stop, after which nobody may wait for more time to pass
)

// act puts faults in force. It returns one that has swallowed something and does not act any more.
func (l *lane) act(runs []*run, p pace) (swallowed *run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := make([]acting, 0, len(runs))
	for _, r := range runs {
		now = append(now, acting{run: r, stream: draw(r.ofConn(l.number), l.side()), next: mono.Now()})
	}
	for _, before := range l.acting {
		i := slices.IndexFunc(now, func(a acting) bool { return a.run == before.run })
		switch {
		case i >= 0:
			now[i] = before
		case before.lost:
			swallowed = before.run
		}
	}
	if len(now)+len(l.acting) > 0 {
		l.felt = mono.Now()
		if p == scattered && !l.closing {
			l.felt += l.lag
		}
	}
	l.acting = now
	l.changedLocked()
	return swallowed
}

// side keeps the draws of the two directions apart.
func (l *lane) side() uint64 {
	if l.direction == Upstream {
		return 1
	}
	return 0
}

// breakOff ends the lane, for those who use it after a lag: what is in the queue is lost. It reports whether it was
// this call that did so.
func (l *lane) breakOff(err error, lag time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.broken == nil
	if first {
		if l.shut == nil {
			l.shut = err
		}
		l.broken, l.queue, l.size = err, nil, 0
	}
	l.felt = mono.Now() + lag
	l.changedLocked()
	return first
}

// isBroken reports whether the lane gives nothing any more.
func (l *lane) isBroken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken != nil
}

// isShut reports whether the lane takes nothing any more.
func (l *lane) isShut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shut != nil
}

// setDeadlineLocked keeps far enough from the ends of the number's range to reckon with it.
func (l *lane) setDeadlineLocked(t time.Time) {
	l.deadline = never
	if !t.IsZero() {
		l.deadline = mono.Now() + min(max(0, time.Until(t)), math.MaxInt64/4)
	}
	l.changedLocked()
}

// putLocked puts a chunk into the queue, unless a fault swallows it. An end is a chunk of its own.
func (l *lane) putLocked(c chunk) {
	if len(c.data) > 0 && c.end != nil {
		l.putLocked(chunk{data: c.data})
		c.data = nil
	}
	swallowed := false
	for i := range l.acting {
		a := &l.acting[i]
		if a.run.fault.holds(c) {
			a.run.hits.Add(1)
		}
		if a.run.fault.Kind == Timeout {
			a.lost, swallowed = true, true
		}
	}
	if swallowed {
		l.deaf = l.deaf || c.end != nil
		l.changedLocked()
		return
	}
	l.count++
	c.number, c.at = l.count, mono.Now()
	l.queue = append(l.queue, c)
	l.size += len(c.data)
	l.changedLocked()
}

// holds reports whether a chunk that comes in is a hit of the fault.
func (f Fault) holds(c chunk) bool {
	switch f.Kind {
	case ResetPeer, LimitData, HalfClose, Corrupt:
		return false // they count what they do
	case SlowClose:
		return c.end != nil
	case Timeout:
		return true
	}
	return len(c.data) > 0
}

// nextLocked returns when the next bytes may go on, and how many of at most so many. There is a first chunk.
func (l *lane) nextLocked(most int) (at time.Duration, n int) {
	first := l.queue[0]
	at, n = max(first.at, l.felt), min(most, len(first.data))
	rate, late := math.Inf(1), time.Duration(0)
	for i := range l.acting {
		a := &l.acting[i]
		switch f := a.run.fault; f.Kind {
		case Stall, Blackhole, Timeout:
			return never, 0
		case Latency:
			late += f.lateness(draw(a.run.ofConn(l.number), 2*first.number+l.side()))
		case Bandwidth:
			rate = min(rate, f.Rate*1000)
		case Slicer:
			if len(first.data) > 0 {
				n = int(min(int64(n), a.slice()))
				at = max(at, a.next)
			}
		case ResetPeer, LimitData, HalfClose:
			n = int(min(int64(n), f.Bytes-a.passed))
		case SlowClose:
			if first.end != nil {
				late += f.Delay
			}
		}
	}
	at = max(at, first.at+late)
	if !math.IsInf(rate, 1) && n > 0 {
		n = min(n, max(1, int(min(rate/slicesPerSecond, laneBuffer))))
		at = max(at, l.free) + time.Duration(float64(n)/rate*float64(time.Second))
	}
	return at, n
}

// slice returns how many bytes are left of the slice that goes on next.
func (a *acting) slice() int64 {
	f := a.run.fault
	if a.left > 0 || f.SizeVariation == 0 {
		return cmp.Or(a.left, f.AverageSize)
	}
	more := draw(a.stream, a.slices+1) % uint64(2*f.SizeVariation+1)
	return f.AverageSize - f.SizeVariation + int64(more)
}

// takeLocked takes what nextLocked has let go at a time. worn is the fault that ends the connection, or this direction of
// it, behind these bytes.
func (l *lane) takeLocked(at time.Duration, n int) (data []byte, worn *run, end error) {
	first := &l.queue[0]
	data, first.data = first.data[:n:n], first.data[n:]
	l.size -= n
	l.free = at
	for i := range l.acting {
		a := &l.acting[i]
		if a.take(data, at) && worn == nil {
			worn = a.run
		}
	}
	if len(first.data) == 0 {
		end = first.end
		l.queue[0] = chunk{}
		l.queue = l.queue[1:]
	}
	l.changedLocked()
	return data, worn, end
}

// take is told of bytes that go on at a time, and reports whether they are the last ones.
func (a *acting) take(data []byte, at time.Duration) (worn bool) {
	n := int64(len(data))
	switch f := a.run.fault; {
	case n == 0:
	case f.Kind == Slicer:
		if a.left == 0 {
			a.left = a.slice()
			a.slices++
		}
		if a.left -= n; a.left == 0 {
			a.next = at + f.Delay
		}
	case f.Kind == Corrupt:
		if a.run.damage(data, a.stream, uint64(a.passed)) {
			a.run.hits.Add(1)
		}
	}
	a.passed += n
	return a.run.fault.counts() && a.passed >= a.run.fault.Bytes
}

// counts reports whether the fault ends a connection, or a direction of it, behind its Bytes.
func (f Fault) counts() bool {
	return f.Kind == ResetPeer || f.Kind == LimitData || f.Kind == HalfClose
}

// changedLocked wakes all who wait, and settles how bytes go from now on.
func (l *lane) changedLocked() {
	l.busy.Store(len(l.acting)+len(l.queue) > 0 || l.moving || l.shut != nil)
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// waitLocked lets go of the lock until something changes, at most until a reading of mono.Now.
func (l *lane) waitLocked(until time.Duration) {
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	changed := l.changed
	l.mu.Unlock()
	defer l.mu.Lock()
	if until == never {
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
