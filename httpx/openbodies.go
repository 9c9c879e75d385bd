package httpx

import (
	"slices"
	"sync"
	"time"
)

// OpenBody is the body of a response that was returned, and neither closed nor read to its end.
type OpenBody struct {
	Method string
	Host   string // scheme, host and port
	Status int
	Since  time.Time // when the response headers came
}

// openBodies are those that no limit of ours ends.
type openBodies struct {
	mu  sync.Mutex // guards all
	all map[*scope]OpenBody
}

func (o *openBodies) add(s *scope) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil {
		o.all = map[*scope]OpenBody{}
	}
	host, _ := keyOf(s.resp.Request.URL)
	o.all[s] = OpenBody{method(s.resp.Request), host.String(), s.resp.StatusCode, time.Now()}
}

func (o *openBodies) remove(s *scope) {
	if !s.endless {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.all, s)
}

// list returns the bodies, the oldest first.
func (o *openBodies) list() []OpenBody {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := make([]OpenBody, 0, len(o.all))
	for _, b := range o.all {
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b OpenBody) int { return a.Since.Compare(b.Since) })
	return list
}
