package fault

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// RoundTripper returns a transport whose requests go through the point before they go through base; a nil base is
// http.DefaultTransport. It feels the kinds for calls: a request waits, fails with an [InjectedError], is answered with a
// status, is reset, or loses its answer; the body of an answer is cut, or changed on its way.
//
// The path of the URL is what Route is matched with. The waits obey the request's context. A request that does not reach
// base has its body closed, as every transport does. Errors that stand for a connection that was reset match
// syscall.ECONNRESET as well. A body that is cut ends with io.ErrUnexpectedEOF, or with that reset; the connection
// below is not used again. What has no body, or is an upgraded connection (101), is not cut or changed.
//
// While nothing acts a request costs one atomic load more, and its answer is base's own.
func (p *Point) RoundTripper(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	if p == nil {
		return base
	}
	return &transport{base, p}
}

type transport struct {
	base  http.RoundTripper
	point *Point
}

// RoundTrip is base's, and what the faults make of it.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	e := t.point.load()
	if e == nil || len(e.calls) == 0 {
		return t.base.RoundTrip(req)
	}
	in := e.draw(req.Context(), callOf(req), wholeAnswers)
	if in == nil {
		return t.base.RoundTrip(req)
	}
	if err := in.Wait(req.Context()); err != nil {
		closeBody(req)
		return nil, err
	}
	switch e := in.Err; {
	case e == nil:
	case in.Lost:
		res, err := t.base.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		_ = res.Body.Close()
		return nil, in.Err.reset("read")
	case e.Kind == StatusCode:
		closeBody(req)
		return e.response(req), nil
	case e.Kind == ResetPeer:
		closeBody(req)
		return nil, e.reset("read")
	default:
		closeBody(req)
		return nil, e
	}
	res, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	in.spoil(req, res)
	return res, nil
}

// CloseIdleConnections closes base's.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// callOf describes a request.
func callOf(req *http.Request) *Call {
	return &Call{Method: methodOf(req), Route: req.URL.Path, Header: req.Header.Values}
}

func methodOf(req *http.Request) string {
	if req.Method == "" {
		return http.MethodGet
	}
	return req.Method
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// reset is the error of a connection that was reset.
func (e *InjectedError) reset(op string) error {
	return &net.OpError{Op: op, Net: "tcp", Err: &wireError{e, syscall.ECONNRESET, false}}
}

// response is the answer of a fault of [StatusCode].
func (e *InjectedError) response(req *http.Request) *http.Response {
	res := &http.Response{
		Status:     fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status)),
		StatusCode: e.Status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{},
		Body:    http.NoBody,
		Request: req,
	}
	e.describe(res.Header)
	if !bodyAllowed(e.Status) {
		return res
	}
	res.ContentLength = int64(len(e.Body))
	if e.Body != "" && req.Method != http.MethodHead {
		res.Body = io.NopCloser(strings.NewReader(e.Body))
	}
	return res
}

// describe sets the fields of an answer.
func (e *InjectedError) describe(h http.Header) {
	if e.RetryAfter > 0 {
		seconds := (e.RetryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if !bodyAllowed(e.Status) {
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(e.Body)))
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
}

// bodyAllowed reports whether an answer with a status may have a body: RFC 9110, section 6.4.1.
func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}
