package httpx

import (
	"context"
	"net/http"
	"time"

	"github.com/seawall-go/seawall/timeout"
)

// trail is what a request that follows a redirect shares with the first one of its call. An http.Client makes such a request
// anew, with the response that it follows: that is where the next RoundTrip finds it.
type trail struct {
	first hostKey
	total *timeout.ExceededError // the total limit that goes on; nil if there is none
	end   time.Time              // of that
	key   string                 // that was made for the call
}

type trailKey struct{}

// trailOf returns what a request follows, or nil.
func trailOf(req *http.Request) *trail {
	if req.Response == nil || req.Response.Request == nil {
		return nil
	}
	h, _ := req.Response.Request.Context().Value(trailKey{}).(*trail)
	return h
}

// leaves reports whether a request goes to another host than the first one of its call did: our fields and our key are
// not for that.
func (h *trail) leaves(to hostKey) bool { return h != nil && h.first != to }

// leadOn notes on a redirect what the request that follows is to share.
func (x *exchange) leadOn(s *scope) {
	switch s.resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
	default:
		return
	}
	next := x.terms.trail
	if next == nil {
		next = &trail{first: x.host, key: x.terms.key}
		if s.bounded {
			next.total = x.terms.total
			next.end, _ = s.Deadline()
		}
	}
	s.resp.Request = x.req.WithContext(context.WithValue(x.req.Context(), trailKey{}, next))
}
