package httpx

import (
	"fmt"
	"net/http"

	"github.com/seawall-go/seawall"
)

// StatusError is an answer that is no good, in the eyes of the policies: it is what the Classify and the OnRetry of
// [ClientConfig.Retry] get for a status of 400 and above that the package's table has as a failure or an overload. Who
// calls gets the response and no error; only where an attempt without a response followed, it is in the tree of that
// error.
//
//	cfg.Retry.Classify = func(err error) seawall.Verdict {
//		v := seawall.Classify(err)
//		if e, ok := errors.AsType[*httpx.StatusError](err); ok && e.Code == http.StatusInternalServerError {
//			v.Repeat = seawall.RepeatNever
//		}
//		return v
//	}
type StatusError struct {
	Method string // of the request, such as GET
	Host   string // of its URL
	Code   int    // the status, such as 503

	verdict seawall.Verdict
	final   bool // the server, or a client further in, says that the request is not to be repeated
}

// Error returns such as: GET api.example: 503 Service Unavailable.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s: %d %s", e.Method, e.Host, e.Code, http.StatusText(e.Code))
}

// Verdict says what the status means, with what the server says beside it, and whether the request may be repeated.
func (e *StatusError) Verdict() seawall.Verdict { return e.verdict }

// StatusCode returns Code. By it events have the type "status" for the error.
func (e *StatusError) StatusCode() int { return e.Code }

// asksForLess reports whether a status says that the client should ask for less.
func asksForLess(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return false
}

// hasFailed reports whether a status says that the server has failed, in a way that another attempt may not meet.
func hasFailed(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}
