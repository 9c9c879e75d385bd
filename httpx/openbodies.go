package httpx

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// OpenBody is the body of a response that was returned, neither closed nor read to its end, and that no limit of the client
// ends: with Timeout and IdleTimeout Off, and no AttemptSpan to its end, or of a base that does not look at the context of
// its requests. By default each body over a network ends by the total limit, and so none is listed: bodies that are not
// closed show there as slots that are in use for as long, in the Stats of [Transport.Bulkheads].
type OpenBody struct {
	Method string
	Host   string    // scheme, host and port
	Since  time.Time // when the attempt began
}

// openBodies are those that no limit of ours ends, or none that the base would notice. Most bodies are read at once, so
// coming and going is one atomic operation each, at a place that seldom two ask for; whoever finds it taken goes into a
// map.
type openBodies struct {
	_      [64]byte // what every call writes, off the lines of what every call reads
	places [64]atomic.Pointer[scope]
	_      [64]byte

	mu     sync.Mutex // guards others
	others map[*scope]struct{}
}

// placeOf returns where a scope goes, by when it began.
func (o *openBodies) placeOf(s *scope) *atomic.Pointer[scope] {
	// The multiplication brings the last bits of the clock to the top: Knuth, The Art of Computer Programming, 6.4.
	return &o.places[uint64(s.since)*0x9e3779b97f4a7c15>>58]
}

func (o *openBodies) add(s *scope) {
	if o.placeOf(s).CompareAndSwap(nil, s) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.others == nil {
		o.others = map[*scope]struct{}{}
	}
	o.others[s] = struct{}{}
}

func (o *openBodies) remove(s *scope) {
	if o.placeOf(s).CompareAndSwap(s, nil) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.others, s)
}

// list returns the bodies, the oldest first. One that comes or goes meanwhile may be in it or not.
func (o *openBodies) list() (list []OpenBody) {
	note := func(s *scope) {
		since := time.Now().Add(s.since - mono.Now())
		list = append(list, OpenBody{s.x.method, s.x.host.String(), since})
	}
	for i := range o.places {
		if s := o.places[i].Load(); s != nil {
			note(s)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for s := range o.others {
		note(s)
	}
	slices.SortFunc(list, func(a, b OpenBody) int { return a.Since.Compare(b.Since) })
	return list
}

// of counts those of one host that hold a slot.
func (o *openBodies) of(k hostKey) (n int) {
	for i := range o.places {
		if s := o.places[i].Load(); s != nil && s.holdsSlotOf(k) {
			n++
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for s := range o.others {
		if s.holdsSlotOf(k) {
			n++
		}
	}
	return n
}

// holdsSlotOf reports whether an attempt with an open body holds a slot of a host.
func (s *scope) holdsSlotOf(k hostKey) bool { return s.x.host == k && s.x.opts.Settle == AtEnd }

// explain adds to an error that is a rejection for want of a slot how many slots are held by bodies that nobody has closed.
// It looks at each body on the list, at those in the map under its lock. By default there are none, see OpenBody.
func (o *openBodies) explain(k hostKey, err error) error {
	rejected, ok := errors.AsType[*seawall.RejectedError](err)
	if !ok {
		return err
	}
	switch rejected.Reason {
	case seawall.ReasonFull, seawall.ReasonQueueFull, seawall.ReasonQueueTimeout:
		if n := o.of(k); n > 0 {
			return &heldError{err, n}
		}
	}
	return err
}

// heldError is a rejection while response bodies hold slots.
type heldError struct {
	error
	open int
}

// Error returns such as: bulkhead "api[https://api.example]": full; response bodies open: 3, see Transport.OpenBodies.
func (e *heldError) Error() string {
	return fmt.Sprintf("%v; response bodies open: %d, see Transport.OpenBodies", e.error, e.open)
}

func (e *heldError) Unwrap() error { return e.error }
