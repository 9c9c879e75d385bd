package httpx

import (
	"net/http"
	"time"

	"github.com/seawall-go/seawall/timeout"
)

// terms are those of one call: the client's, unless its request or its context says otherwise.
type terms struct {
	attempt    time.Duration
	attemptErr *timeout.ExceededError
	total      *timeout.ExceededError // of the limit that the policies' context has; see Transport.call
	most       int                    // attempts; 0 for no bound of our own
	key        string                 // that was made for the call; empty if there is none
	trail      *trail                 // what the redirect that led here says; nil if there was none
}

// agree works out the terms of an exchange.
func (x *exchange) agree(says overrides) {
	x.terms = &x.opts.terms
	key, trail := "", trailOf(x.req)
	switch {
	case trail == nil:
		key = x.opts.newKey(x.req)
	case x.req.Method == http.MethodPost || x.req.Method == http.MethodPatch:
		key = trail.key
	}
	if key != "" || trail != nil {
		of := x.own()
		of.key, of.trail = key, trail
	}
	if d := says.attemptTimeout; d != 0 {
		of := x.own()
		of.attempt, of.attemptErr = d, &timeout.ExceededError{Name: x.opts.t.name + ".attempt", Limit: d}
	}
	if says.attempts > 0 {
		x.own().most = says.attempts
	}
	switch d := says.timeout; {
	case trail != nil:
		if trail.total != nil {
			x.own().total = trail.total
		}
	case d != 0 && d != Off:
		x.own().total = &timeout.ExceededError{Name: x.opts.t.name + ".total", Limit: d}
	}
}

// own returns the terms of an exchange, to be changed.
func (x *exchange) own() *terms {
	if x.terms == &x.opts.terms {
		of := x.opts.terms
		x.terms = &of
	}
	return x.terms
}
