package httpx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// exchange is one call of RoundTrip: a request, and its attempts.
type exchange struct {
	opts   *settings
	req    *http.Request // the caller's, or a copy where attempts may be left behind; never written to
	given  *http.Request // the caller's, which is his again when he has closed the response's body
	method string
	host   hostKey
	terms  *terms
	body   *requestBody // nil if there is none

	idempotent bool
	hedged     bool

	started atomic.Int32
	running atomic.Int32
	told    atomic.Uint32 // misdirected, usedUpInside, noSlot
	first   scope         // of the first attempt, which is the only one of most calls
}

// What an exchange was told by the server, by a client that is part of the base, or by a gate.
const (
	misdirected  uint32 = 1 << iota // by a 421: from then on attempts have connections of their own
	usedUpInside                    // the base has repeated the request as often as may be
	noSlot                          // the limit of the host let no attempt in
)

// detach makes a copy of the request for attempts that run side by side: those that have lost their race may look at it
// when the caller has it back.
func (x *exchange) detach() {
	req, url := x.given.WithContext(x.given.Context()), *x.given.URL
	req.URL, req.Header = &url, maps.Clone(req.Header)
	x.req = req
}

// NoteUsedUp is how a client in the base says so; see hop.NoteUsedUp.
func (x *exchange) NoteUsedUp() { x.told.Or(usedUpInside) }

var errNoResponse = errors.New("httpx: the base returned neither response nor error")

// Call sends the request once. Its results are what the policies see: an error for a status that is no good, with
// which the response comes all the same.
//
// ctx is the policies' own. It says when the total limit ends, which attempt this is, and whether it has lost a race.
func (x *exchange) Call(ctx context.Context) (*scope, error) {
	number := x.started.Add(1)
	if most := x.terms.most; most > 0 && int(number) > most {
		return nil, seawall.Reject("httpx", x.opts.t.name, seawall.ReasonBudget, seawall.ErrRejected, 0)
	}
	s := &x.first
	if number > 1 {
		s = new(scope)
	}
	s.x, s.parent = x, x.req.Context()
	end := seawall.ErrAborted // until the base returns
	defer func() {
		if end != nil { // also after a panic or a Goexit of the base
			s.release(end)
		}
	}()
	verdict, err := x.try(ctx, s)
	if err != nil {
		end = seawall.Settle(ctx, err)
		return nil, err
	}
	end = nil
	s.attend()
	x.leadOn(s)
	return s, verdict
}

// Discard lets go of an attempt whose response is not returned.
func (x *exchange) Discard(s *scope) { s.discard() }

// try passes the gates, and goes up to the response. The verdict is nil for a good one; the error is that there is none.
func (x *exchange) try(ctx context.Context, s *scope) (verdict, err error) {
	first := true
	if x.hedged {
		first = x.running.Add(1) == 1
		defer x.running.Add(-1)
	}
	if err := x.opts.t.hosts.enter(ctx, x.host, s, first); err != nil {
		return nil, err
	}
	req, err := x.prepare(ctx, s)
	if err != nil {
		return nil, err
	}
	if x.hedged {
		leave := context.AfterFunc(ctx, func() {
			if errors.Is(context.Cause(ctx), seawall.ErrLost) {
				s.lose()
			}
		})
		defer leave()
	}
	resp, err := x.send(s, req, first)
	if err != nil {
		return nil, x.fail(s, err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols && x.req.Header.Get("Upgrade") == "" {
		if resp.Body != nil {
			_ = resp.Body.Close()
		}
		return nil, x.fail(s, errUnasked)
	}
	switch {
	case resp.Body == nil:
		resp.Body = http.NoBody
	case isEmpty(x.req, resp):
		_ = resp.Body.Close() // there is nothing of which an error could tell
		resp.Body = http.NoBody
	}
	resp.Request = x.given
	verdict = x.judge(ctx, resp)
	if x.opts.Classify != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		verdict = x.classify(resp, verdict)
	}
	if !s.answer(resp, verdict) {
		_ = s.shut()
		return nil, x.fail(s, s.exceeded())
	}
	return verdict, nil
}

// prepare makes the request that goes out in an attempt, whose context the scope is.
func (x *exchange) prepare(ctx context.Context, s *scope) (*http.Request, error) {
	body, err := x.body.lend(x.req)
	if err != nil { // of GetBody
		return nil, x.fault(err, seawall.Verdict{Outcome: seawall.Ignored})
	}
	if x.started.Load() > 1 {
		if n := seawall.Attempt(ctx); n != seawall.Attempt(s.parent) {
			s.parent = seawall.WithAttempt(s.parent, n)
		}
	}
	now, left := mono.Now(), time.Duration(0)
	end, limited := ctx.Deadline()
	if limited {
		left = mono.Of(end) - now
		if callers, ok := s.parent.Deadline(); !ok || end.Before(callers) {
			s.bounded, s.totalEnd = true, mono.Of(end)
		}
	}
	s.since = now

	// A base may go on reading what it was given after its RoundTrip has returned, such as at the end of our limit. The
	// next attempt may have an answer by then, and the caller his request back.
	req := x.req.WithContext(s)
	s.url = *x.req.URL
	req.URL = &s.url
	req.Header = x.outgoing(s, left, limited)
	req.Body = body
	if x.body.rewinds() {
		s.rewinds = &rewinds{body: x.body}
		req.GetBody = s.rewinds.GetBody
	}
	return req, nil
}

// fail returns the error of an attempt that has no response, with the verdict on it.
func (x *exchange) fail(s *scope, err error) error {
	caller, why := x.req.Context(), s.exceeded()
	v := x.verdict(s, why, err)
	final := x.told.Load()&usedUpInside != 0 || usedUp(err)
	if final {
		v.Repeat = seawall.RepeatNever
	}
	switch {
	// What the base made of its canceled context is left out: it may match an error of the caller's context.
	case why == x.terms.total: //nolint:errorlint // which one, not of what kind
		err = &noResponse{why}
	case why != nil:
		err = why
	case caller.Err() != nil:
		if cause := context.Cause(caller); !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
	}
	return &transportError{x.method, x.req.URL.Host, err, v, final}
}

// noResponse is what an attempt has to say when the total limit ends it; the limit speaks for itself, further out.
type noResponse struct{ limit error }

func (*noResponse) Error() string   { return "no response in time" }
func (e *noResponse) Unwrap() error { return e.limit }

// verdict judges an attempt without a response. why is what of ours ended it, if that is why.
func (x *exchange) verdict(s *scope, why, err error) seawall.Verdict {
	v := seawall.Verdict{Outcome: seawall.Failure}
	switch {
	case why == seawall.ErrLost: //nolint:errorlint // it is told bare
		v.Outcome = seawall.Ignored
	case x.req.Context().Err() != nil, why == x.terms.total: //nolint:errorlint // see fail
	case s.Err() == nil && s.unasked() && !isDial(err):
		// Refused by net/http before it turned to the network, for a field or a scheme that it does not send: the caller's
		// own mistake.
		v.Outcome = seawall.Ignored
	case why == nil && hopeless(err):
	case (why == nil && streamRefused(err) || s.unsent() || isDial(err)) && x.body.takeBack():
		v.Repeat = seawall.RepeatAlways
	case x.idempotent && x.body.takeBack():
		v.Repeat = seawall.RepeatIfIdempotent
	}
	return v
}

func (x *exchange) fault(err error, v seawall.Verdict) error {
	return &transportError{x.method, x.req.URL.Host, err, v, false}
}

func method(req *http.Request) string {
	if req.Method == "" {
		return http.MethodGet
	}
	return req.Method
}
