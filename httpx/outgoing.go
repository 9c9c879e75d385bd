package httpx

import (
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/hop"
)

// fieldPushback is where a server says what it has not done, under its default name.
const fieldPushback = "Seawall-Pushback"

// wireMargin is how much less time than there is the server is told of: the answer has a way to go. It is a hundredth
// of what is left, at most this.
const wireMargin = 50 * time.Millisecond

// outgoing returns the header to send in an attempt: the caller's own if nothing is to be changed and no other attempt
// comes, else a copy. left is the time for the whole answer, if that is limited. What the caller's header has under a name
// that a server of ours would read goes: a proxy must not pass on what its client has claimed.
func (x *exchange) outgoing(s *scope, left time.Duration, limited bool) http.Header {
	f, given := &x.opts.Fields, x.req.Header
	says := !x.terms.trail.leaves(x.host)
	attempt, priority := seawall.Attempt(s.parent), seawall.PriorityOf(s.parent)
	clean := len(given) == 0 || !f.hasFacts(given)
	quiet := !says || !limited && attempt <= 1 && priority == seawall.Critical && x.terms.key == ""
	if given != nil && clean && quiet && x.mayLend() {
		return given
	}
	h := http.Header{}
	if len(given) > 0 { // a copy of an empty one would cost more
		h = maps.Clone(given)
		if !clean {
			f.remove(h)
		}
	}
	if !says {
		return h
	}
	if limited && f.Timeout != NoField { // the one that nearly all requests have
		s.left[0] = x.opts.t.millis.format(left - min(left/100, wireMargin))
		h[f.Timeout] = s.left[:]
	}
	if attempt > 1 {
		say(h, f.Attempt, strconv.Itoa(attempt))
	}
	if priority != seawall.Critical {
		say(h, f.Priority, priority.String())
	}
	if x.terms.key != "" {
		say(h, f.IdempotencyKey, x.terms.key)
	}
	return h
}

// mayLend reports whether an attempt may have the header of x.req as it is; see prepare.
func (x *exchange) mayLend() bool {
	return x.hedged || x.terms.most == 1 || x.opts.Retry.MaxAttempts == 1
}

// format writes the time that is left. Seconds are rounded down to hundredths, so that requests with the limit of the
// client have the same text.
func (m *millisText) format(left time.Duration) string {
	if left >= time.Second {
		left -= left % (10 * time.Millisecond)
	}
	millis := left.Milliseconds()
	if latest := m.latest.Load(); latest != nil && latest.millis == millis {
		return latest.text
	}
	next := &formatted{millis, hop.FormatMillis(left)}
	m.latest.Store(next)
	return next.text
}
