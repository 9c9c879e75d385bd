package httpx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seawall-go/seawall"
)

// exchange is one call of RoundTrip: a request, and its attempts one after the other.
type exchange struct {
	t          *Transport
	req        *http.Request // the caller's, never written to
	idempotent bool
	body       requestBody
	first      scope // of the first attempt, which is the only one of most calls
}

var errNoResponse = errors.New("httpx: the base returned neither response nor error")

// attempt sends the request once. Its results are what the policies see: an error for a status that is no good, with
// which the response comes all the same.
//
// ctx is the policies' own. It says when the total limit ends, and which attempt this is.
func (x *exchange) attempt(ctx context.Context) (*scope, error) {
	s := &x.first
	if s.cancel != nil {
		s = new(scope)
	}
	req, err := x.prepare(ctx, s)
	if err != nil {
		return nil, err
	}
	returned := false
	defer func() {
		if !returned { // a panic or a Goexit of the base, which may not have come to close the body
			s.release()
			if req.Body != nil {
				_ = req.Body.Close()
			}
		}
	}()
	resp, err := x.t.base.RoundTrip(req)
	returned = true
	if err == nil && resp == nil {
		err = errNoResponse
	}
	if err != nil {
		if resp != nil && resp.Body != nil { // against the contract, but seen
			_ = resp.Body.Close()
		}
		return nil, x.fail(s, err)
	}
	resp.Request = x.req
	if !s.answered(resp) {
		s.expire() // the timer's own goroutine may not have come to it yet
		_ = s.body.Close()
		return nil, x.fail(s, s.limit)
	}
	trusted := func() bool { return x.t.cfg.TrustPeer(x.req) }
	if v, bad := judgeStatus(resp, x.idempotent, x.body.repeatable(), trusted); bad {
		return s, &statusError{method(x.req), x.req.URL.Host, resp.StatusCode, v}
	}
	return s, nil
}

// prepare makes the scope of an attempt, and the request that goes out.
func (x *exchange) prepare(ctx context.Context, s *scope) (*http.Request, error) {
	body, err := x.body.lend(x.req)
	if err != nil { // of GetBody
		return nil, x.fault(err, seawall.Verdict{Outcome: seawall.Ignored})
	}
	parent := x.req.Context()
	if n := seawall.Attempt(ctx); n != seawall.Attempt(parent) {
		parent = seawall.WithAttempt(parent, n)
	}
	end, limited := ctx.Deadline()
	var left time.Duration
	if limited {
		left = time.Until(end)
		if callers, ok := parent.Deadline(); !ok || end.Before(callers) {
			s.end, s.total = end, x.t.totalLimit
		}
	}
	s.Context, s.cancel = context.WithCancelCause(parent)
	s.arm(x.t.cfg.AttemptTimeout, x.t.attemptLimit, left)

	req := x.req.WithContext(s.trace(s))
	req.Header = outgoing(parent, x.req.Header, left, limited)
	req.Body = body
	return req, nil
}

// fail ends the scope of an attempt that has no response, and returns its error with the verdict on it.
func (x *exchange) fail(s *scope, err error) error {
	defer s.release()
	caller, limit := x.req.Context(), s.exceeded()
	v := x.verdict(s, limit, err)
	switch {
	// What the base made of its canceled context is left out: it may match an error of the caller's context.
	case limit != nil && limit == x.t.totalLimit: //nolint:errorlint // which one, not of what kind
		err = &noResponse{limit}
	case limit != nil:
		err = limit
	case caller.Err() != nil:
		if cause := context.Cause(caller); !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
	}
	return x.fault(err, v)
}

// noResponse is what an attempt has to say when the total limit ends it; the limit speaks for itself, further out.
type noResponse struct{ limit error }

func (*noResponse) Error() string   { return "no response in time" }
func (e *noResponse) Unwrap() error { return e.limit }

// verdict judges an attempt without a response. limit is the limit of ours that ended it, if one did.
func (x *exchange) verdict(s *scope, limit, err error) seawall.Verdict {
	v := seawall.Verdict{Outcome: seawall.Failure}
	switch {
	case x.req.Context().Err() != nil, limit != nil && limit == x.t.totalLimit: //nolint:errorlint // see fail
		return v
	case x.t.plain && s.Err() == nil && !s.asked.Load() && !s.connected.Load():
		// Refused by net/http before it turned to the network, for a field or a scheme that it does not send.
		v.Outcome = seawall.Ignored
	case limit == nil && hopeless(err):
	case limit == nil && streamRefused(err):
		if x.body.repeatable() {
			v.Repeat = seawall.RepeatAlways
		}
	case s.unsent() && x.body.takeBack():
		v.Repeat = seawall.RepeatAlways
	case x.idempotent && x.body.takeBack():
		v.Repeat = seawall.RepeatIfIdempotent
	}
	return v
}

func (x *exchange) fault(err error, v seawall.Verdict) error {
	return &transportError{method(x.req), x.req.URL.Host, err, v}
}

func method(req *http.Request) string {
	if req.Method == "" {
		return http.MethodGet
	}
	return req.Method
}
