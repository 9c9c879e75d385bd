package httpx

import (
	"fmt"
	"net/http"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/hop"
)

// StatusError is an answer with a status of 400 or above, which [CheckStatus] makes one of, or an answer that
// [ClientConfig.Classify] finds no good. The Classify and the OnRetry of [ClientConfig.Retry] get one where that, or the
// package's table, has the answer as a failure or an overload: there who calls gets the response and no error, and only
// where an attempt without a response followed, it is in the tree of that error.
//
//	cfg.Retry.Classify = func(err error) seawall.Verdict {
//		v := seawall.Classify(err)
//		if e, ok := errors.AsType[*httpx.StatusError](err); ok && e.Code == http.StatusInternalServerError {
//			v.Repeat = seawall.RepeatNever
//		}
//		return v
//	}
type StatusError struct {
	Method string // of the request, such as GET; empty if the response does not say which
	Host   string // of its URL
	Code   int    // the status, such as 503

	verdict seawall.Verdict
	final   bool // the server, or a client further in, says that the request is not to be repeated
}

// CheckStatus returns the error that an answer is to a chain of one's own around an http.Client without policies, where a
// chain sees only that there was no error: nil for a status below 400, and else a [*StatusError], by which the chain judges
// as a client of this package does. 404 is an error that is a success to a breaker and is not repeated; 503 is a failure
// that is, not before its Retry-After; 429 is an overload, and so on, as the package's table says, with what an answer from
// an untrusted peer says of repeating it. Which request may be carried out twice, the chain decides: see
// [seawall.NotIdempotent]. A 409 and a 421 are like any 4xx.
//
// The response stays as it is. Its body is neither read nor closed: the caller closes it, with an error as without. A client
// of this package repeats by itself; in a chain with a retry around it, its requests would be repeated by both.
func CheckStatus(resp *http.Response) error {
	if resp.StatusCode < 400 {
		return nil
	}
	e := &StatusError{Code: resp.StatusCode}
	if req := resp.Request; req != nil && req.URL != nil {
		e.Method, e.Host = method(req), req.URL.Host
	}
	v, again := byStatus(e.Code)
	if again {
		v.Repeat, v.After = seawall.RepeatIfIdempotent, hint(resp.Header)
		switch resp.Header.Get(fieldPushback) {
		case hop.Final:
			v.Repeat, e.final = seawall.RepeatNever, true
		case hop.Refused:
			v.Outcome = seawall.Overload
		}
	}
	e.verdict = v
	return e
}

// Error returns such as: GET api.example: 503 Service Unavailable.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("%d %s", e.Code, http.StatusText(e.Code))
	if e.Method != "" {
		text = fmt.Sprintf("%s %s: %s", e.Method, e.Host, text)
	}
	if e.Code < 400 {
		text += ", which Classify finds no good"
	}
	return text
}

// Verdict says what the status means, with what the server says beside it, and whether the request may be repeated.
func (e *StatusError) Verdict() seawall.Verdict { return e.verdict }

// StatusCode returns Code. By it events have the type "status" for the error.
func (e *StatusError) StatusCode() int { return e.Code }

// byStatus is the table of the package for a status of 400 or above, by itself: the outcome, and whether another attempt may
// meet a better one.
func byStatus(status int) (v seawall.Verdict, again bool) {
	switch {
	case asksForLess(status):
		return seawall.Verdict{Outcome: seawall.Overload}, true
	case status >= 500:
		return seawall.Verdict{Outcome: seawall.Failure}, hasFailed(status)
	}
	return seawall.Verdict{Outcome: seawall.Success}, false
}

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
