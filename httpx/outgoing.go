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

// outgoing returns the header to send in an attempt: the caller's own if nothing is to be changed, else a copy. left is
// the time for the whole answer, if that is limited. What the caller's header has under our names goes: a proxy must not
// pass on what its client has claimed.
func (x *exchange) outgoing(s *scope, left time.Duration, limited bool) http.Header {
	f, h := &x.opts.Fields, x.req.Header
	values := s.field[:0]
	var names [len(s.field)]string
	say := func(name, value string) {
		if name != NoField {
			names[len(values)] = name
			values = append(values, value)
		}
	}
	if !x.trail.leaves(x.host) {
		attempt, priority := seawall.Attempt(s.parent), seawall.PriorityOf(s.parent)
		if limited {
			say(f.Timeout, x.t.millis.format(left-min(left/100, wireMargin)))
		}
		if attempt > 1 {
			say(f.Attempt, strconv.Itoa(attempt))
		}
		if priority != seawall.Critical {
			say(f.Priority, priority.String())
		}
		if x.key != "" {
			say(f.IdempotencyKey, x.key)
		}
	}
	if len(values) == 0 && h != nil && h[f.Timeout] == nil && h[f.Attempt] == nil && h[f.Priority] == nil {
		return h
	}
	if h == nil {
		h = make(http.Header, len(values))
	} else {
		h = maps.Clone(h)
	}
	delete(h, f.Timeout)
	delete(h, f.Attempt)
	delete(h, f.Priority)
	for i, name := range names[:len(values)] {
		h[name] = s.field[i : i+1 : i+1]
	}
	return h
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
