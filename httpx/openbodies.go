package httpx

import (
	"slices"
	"sync"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// OpenBody is the body of a response that was returned, and neither closed nor read to its end.
type OpenBody struct {
	Method string
	Host   string    // scheme, host and port
	Since  time.Time // when the attempt began
}

// openBodies are those that no limit of ours ends: a list of scopes, so that coming and going costs a few words.
type openBodies struct {
	mu    sync.Mutex // guards the fields below, and the links of scopes
	first *scope
}

// links are a scope's place among the open bodies.
type links struct {
	next, previous *scope
	since          time.Duration // reading of mono.Now when the attempt began
}

func (o *openBodies) add(s *scope) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.links.next = o.first; o.first != nil {
		o.first.links.previous = s
	}
	o.first = s
}

func (o *openBodies) remove(s *scope) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.links.next != nil {
		s.links.next.links.previous = s.links.previous
	}
	if s.links.previous != nil {
		s.links.previous.links.next = s.links.next
	} else {
		o.first = s.links.next
	}
	s.links.next, s.links.previous = nil, nil
}

// list returns the bodies, the oldest first.
func (o *openBodies) list() (list []OpenBody) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for s := o.first; s != nil; s = s.links.next {
		since := time.Now().Add(s.links.since - mono.Now())
		list = append(list, OpenBody{method(s.x.req), s.x.host.String(), since})
	}
	slices.SortFunc(list, func(a, b OpenBody) int { return a.Since.Compare(b.Since) })
	return list
}
