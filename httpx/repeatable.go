package httpx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/hop"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

// mayRepeat reports whether a request may be carried out twice: by its method (RFC 9110, section 9.2.2), because it
// has an idempotency key, or because the context says so.
func (x *exchange) mayRepeat(says overrides) bool {
	switch x.req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return says.idempotent || x.terms.key != "" || x.opts.hasKey(x.req)
}

// judge returns what a response is to the policies: nil for an answer like any other. The body is not looked at.
func (x *exchange) judge(ctx context.Context, resp *http.Response) error {
	if resp.StatusCode < 400 {
		return nil
	}
	pushback, trusted := x.pushback(resp)
	v, again := byStatus(resp.StatusCode)
	switch code := resp.StatusCode; {
	case code == http.StatusConflict && x.started.Load() > 1 && (x.terms.key != "" || x.opts.hasKey(x.req)):
		v.Outcome, again = seawall.Overload, true // the first of the attempts is still at work
	case code == http.StatusMisdirectedRequest && x.canDial() && x.body.repeatable() && x.told.Or(misdirected)&misdirected == 0:
		return x.status(resp, seawall.Verdict{Outcome: seawall.Success, Repeat: seawall.RepeatAlways}, false)
	}
	switch {
	case again:
	case v.Outcome == seawall.Success:
		return nil
	default:
		return x.status(resp, v, false)
	}
	refused, final := pushback == hop.Refused, pushback == hop.Final || x.told.Load()&usedUpInside != 0
	if refused {
		v.Outcome = seawall.Overload
	}
	switch {
	case final:
	case refused && trusted && x.body.takeBack():
		v.Repeat = seawall.RepeatAlways
	case x.idempotent && x.body.repeatable():
		v.Repeat = seawall.RepeatIfIdempotent
	}
	if v.After = hint(resp.Header); v.After > 0 {
		seawall.RecordOf(ctx).Note(func(f *seawall.Facts) { f.ServerDelay = max(f.ServerDelay, v.After) })
	}
	return x.status(resp, v, final)
}

// pushback returns what a response says of repeating the request, and whether to believe it. Of a peer that is not
// trusted, only that the request must not be repeated stays in the response: a proxy would pass the rest on, to clients
// that trust the proxy.
func (x *exchange) pushback(resp *http.Response) (says string, trusted bool) {
	name := x.opts.Fields.Pushback
	all := values(resp.Header, name)
	if len(all) == 0 {
		return "", false
	}
	if says = all[0]; x.opts.TrustPeer(x.req) {
		return says, true
	}
	resp.Header = maps.Clone(resp.Header) // a base may have others that read it
	delete(resp.Header, name)
	if says == hop.Final {
		resp.Header[name] = []string{hop.Final}
	}
	return says, false
}

func (x *exchange) status(resp *http.Response, v seawall.Verdict, final bool) error {
	return &StatusError{
		Method: x.method, Host: x.req.URL.Host, Code: resp.StatusCode,
		verdict: v, final: final,
	}
}

// transportError is an attempt without a response.
type transportError struct {
	method, host string
	err          error
	verdict      seawall.Verdict
	final        bool // a client further in has used up its attempts
}

// Error returns such as: GET api.example: connection refused. Where err is the error of a client of its own, its URL is
// left out, because that may hold a secret, and so is what net/http quotes of an answer that is malformed.
func (e *transportError) Error() string {
	err := e.err
	for inner, ok := errors.AsType[*url.Error](err); ok; inner, ok = errors.AsType[*url.Error](err) {
		err = inner.Err
	}
	return fmt.Sprintf("%s %s: %s", e.method, e.host, unquoted(err.Error()))
}

// unquoted is a text up to what it quotes of an answer that is malformed. That may stand anywhere in the text.
func unquoted(text string) string {
	for _, of := range [...]string{malformedAnswer, "malformed MIME header", "bad Content-Length"} {
		if i := strings.Index(text, of); i >= 0 {
			before, _, _ := strings.Cut(text[i:], `"`)
			text = text[:i] + strings.TrimRight(before, ": ")
		}
	}
	return text
}

// malformedAnswer is how the text of net/http's error begins for an answer that is not HTTP/1, or not a valid one. The
// error has no type to know it by.
const malformedAnswer = "malformed HTTP "

// notHTTP2 is the text of net/http's error for a frame that no peer may send: what speaks something else, HTTP/1 mostly, is
// taken for one. The error has no type either.
const notHTTP2 = "http2: frame too large"

func (e *transportError) Unwrap() error { return e.err }

// Verdict says what the error means.
func (e *transportError) Verdict() seawall.Verdict { return e.verdict }

// Timeout says whether the attempt ended by a limit of time.
func (e *transportError) Timeout() bool {
	t, ok := errors.AsType[timeouter](e.err)
	return ok && t.Timeout()
}

// timeouter is what an error is asked by url.Error, and so by whoever has an http.Client.
type timeouter interface {
	error
	Timeout() bool
}

// markTimeout makes the error of a call say whether it is a timeout: how the last attempt ended, or the wait after it.
func markTimeout(err error) error {
	call, ok := errors.AsType[*retry.Error](err)
	if !ok {
		return err
	}
	t, ok := call.Why.(timeouter) //nolint:errorlint // an attempt's error further down does not count
	if !ok {
		t, ok = call.Last.(timeouter) //nolint:errorlint // ours
	}
	if !ok || !t.Timeout() {
		return err
	}
	return &timedOut{err}
}

// overLimit is the error of a call that a total limit has ended which is not the client's own. It reads as that of the
// client's own limit.
type overLimit struct {
	limit *timeout.ExceededError
	err   error
}

// Error returns such as: timeout "catalog.total": limit of 100ms exceeded: GET api.example: no response in time.
func (e *overLimit) Error() string   { return fmt.Sprintf("%v: %v", e.limit, e.err) }
func (e *overLimit) Unwrap() []error { return []error{e.limit, e.err} }

// Timeout is true.
func (*overLimit) Timeout() bool { return true }

type timedOut struct{ error }

func (e *timedOut) Unwrap() error { return e.error }

// Timeout is true.
func (*timedOut) Timeout() bool { return true }

// errUnasked ends an attempt instead of a response that nobody expects to hold an open connection: httputil.ReverseProxy,
// for one, refuses to pass it on, and does not close it.
var errUnasked = errors.New("answered with 101 Switching Protocols, for which the request did not ask")

// hopeless reports whether the next attempt would end in the same way: the two sides do not speak the same protocol, or
// do not accept each other.
func hopeless(err error) bool {
	if errors.Is(err, errUnasked) || errors.Is(err, http.ErrSchemeMismatch) || is[textproto.ProtocolError](err) {
		return true
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		if text := inner.Error(); strings.HasPrefix(text, malformedAnswer) || text == notHTTP2 {
			return true
		}
	}
	// The alerts of TLS have no type of their own: they are operations of a connection.
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "remote error" || op.Op == "local error") {
		return true
	}
	return is[*tls.CertificateVerificationError](err) ||
		is[tls.RecordHeaderError](err) ||
		is[x509.UnknownAuthorityError](err) ||
		is[x509.HostnameError](err) ||
		is[x509.CertificateInvalidError](err) ||
		is[x509.SystemRootsError](err)
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// streamError has the fields of the error of an HTTP/2 stream, which net/http offers to errors.As for just this
// purpose.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return fmt.Sprintf("stream error: code %d", e.Code) }

const refusedStream = 7 // REFUSED_STREAM: the peer has done nothing (RFC 9113, section 8.7)

func streamRefused(err error) bool {
	e, ok := errors.AsType[streamError](err)
	return ok && e.Code == refusedStream
}
