package httpx

import (
	"errors"
	"net"
	"net/http"
)

// send sends an attempt. There is a response or an error, not both, and the request's body is somebody's to close.
func (x *exchange) send(s *scope, req *http.Request, first bool) (resp *http.Response, err error) {
	sent := false
	defer func() {
		if !sent && req.Body != nil { // a panic or a Goexit of the base, which may not have come to close it
			_ = req.Body.Close()
		}
	}()
	resp, err = x.over(s, req, first)
	sent = true
	if err != nil && resp != nil && resp.Body != nil { // against the contract, but seen
		_ = resp.Body.Close()
	}
	if err == nil && resp == nil {
		err = errNoResponse
	}
	return resp, err
}

// over sends an attempt through the base, or over a connection of its own: a hedge that is to have one, and what comes
// after a 421.
func (x *exchange) over(s *scope, req *http.Request, first bool) (*http.Response, error) {
	own := x.told.Load()&misdirected != 0 || !first && x.opts.HedgeOtherConn
	if !own || !x.canDial() {
		return x.opts.t.base.RoundTrip(req)
	}
	to := x.host.Value()
	conn, err := x.opts.t.std.NewClientConn(s, to.scheme, to.address())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, &dialError{err}
	}
	s.sent().conn = conn
	return conn.RoundTrip(req)
}

// dialerOf returns a base that can make connections of their own for attempts, or nil: only net/http's own transport can,
// and not with MaxConnsPerHost. Such a connection is not counted there when it is made, but is when it ends, and where the
// count falls below 0 net/http panics, on a goroutine of its own.
func dialerOf(base http.RoundTripper) *http.Transport {
	if std, ok := base.(*http.Transport); ok && std.MaxConnsPerHost <= 0 {
		return std
	}
	return nil
}

// canDial reports whether an attempt can have a connection of its own.
func (x *exchange) canDial() bool {
	if x.opts.t.std == nil {
		return false
	}
	scheme := x.host.Value().scheme
	return scheme == "http" || scheme == "https"
}

// address returns host and port.
func (o origin) address() string {
	host, port, err := net.SplitHostPort(o.host)
	if err != nil {
		host, port = o.host, "80"
		if o.scheme == "https" {
			port = "443"
		}
		if len(host) > 1 && host[0] == '[' {
			host = host[1 : len(host)-1]
		}
	}
	return net.JoinHostPort(host, port)
}

// dialError is that no connection of its own was there for an attempt: nothing was sent.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

func isDial(err error) bool {
	_, ok := errors.AsType[*dialError](err)
	return ok
}
