package httpx

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/internal/hop"
	"github.com/seawall-go/seawall/retry"
)

// Refuse answers a request that a gate has rejected, for a handler that has started nothing: with a 503, a Retry-After
// not before the one of err, Seawall-Pushback: refused and Cache-Control: no-store. A client of this package then knows
// that it may repeat even a POST. It is for a handler whose own dependency is behind an open breaker or a full bulkhead. If
// a client has used up its attempts for the request before, the answer says final instead. If err is that of a call of
// several attempts, of which only some were refused, as where a breaker opens between them, the others may have been
// carried out: then the answer does not say refused, and only what may be done twice is repeated.
//
//	if errors.Is(err, seawall.ErrRejected) {
//		httpx.Refuse(w, err)
//		return
//	}
//
// What was set in the header for another answer, such as an ETag, is removed. Refuse must come before anything is
// written.
func Refuse(w http.ResponseWriter, err error) {
	if !mayHaveBegun(err) {
		say(w.Header(), pushbackField(w), hop.Refused)
	}
	writeAnswer(w, http.StatusServiceUnavailable, retryAfterOf(err))
}

// mayHaveBegun reports whether an error has in its tree a call of several attempts of which one was not refused.
func mayHaveBegun(err error) bool {
	var several, whyFirst bool // Why, if there is one, is no attempt, and comes before them
	var inner []error
	switch e := err.(type) { //nolint:errorlint // the tree is walked, and each error in it asked for itself
	case *retry.Error:
		several, whyFirst, inner = e.Attempts > 1, e.Why != nil, e.Unwrap()
	case *hedge.Error:
		several, whyFirst, inner = e.Attempts > 1, e.Why != nil, e.Unwrap()
	case interface{ Unwrap() []error }:
		inner = e.Unwrap()
	case interface{ Unwrap() error }:
		inner = []error{e.Unwrap()}
	}
	for i, e := range inner {
		attempt := several && !(whyFirst && i == 0)
		if mayHaveBegun(e) || attempt && !errors.Is(e, seawall.ErrRejected) {
			return true
		}
	}
	return false
}

// pushbackField returns the name of the field in which an answer says what a repeat of its request would do: the one that
// [Inbound] was told of, or the default.
func pushbackField(rw http.ResponseWriter) string {
	if w := outerOf(rw); w != nil {
		return w.field
	}
	return fieldPushback
}

// say sets a field, unless its name is NoField.
func say(h http.Header, name, value string) {
	if name != NoField {
		h[name] = []string{value}
	}
}

// refuse answers a request for which no handler is started. The body is not read: after Expect: 100-continue not a byte
// of it is sent.
//
// It answers also when the request's context has ended while it waited: that may be the deadline that the peer gave,
// and then the peer is still there.
func (w *writer) refuse(status int, err error) {
	for gate := w; gate != nil; gate = gate.outer {
		gate.refusal = err
	}
	say(w.Header(), w.field, hop.Refused)
	writeAnswer(w, status, retryAfterOf(err))
}

func retryAfterOf(err error) time.Duration {
	if rejected, ok := errors.AsType[*seawall.RejectedError](err); ok {
		return rejected.RetryAfter()
	}
	return 0
}

// writeAnswer writes one of our own answers, in the place of what the handler may have begun to prepare. A 503 and a 429
// get a Retry-After.
func writeAnswer(w http.ResponseWriter, status int, after time.Duration) {
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.FormatInt(retrySeconds(after, int64N), 10))
	}
	writeText(w, status, http.StatusText(status))
}

// writeText is writeAnswer with a text of our own.
func writeText(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	forgetContent(h)
	delete(h, "Trailer")
	delete(h, "Transfer-Encoding")
	text += "\n"
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // to HEAD nothing is written
}

// contentFields are about a body, and wrong without it.
var contentFields = [...]string{
	"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Range", "Content-Disposition",
	"Content-Location", "Content-Digest", "Repr-Digest", "Digest", "Accept-Ranges", "Etag", "Last-Modified",
}

// forgetContent removes what is about a body that is not sent.
func forgetContent(h http.Header) {
	for _, about := range contentFields {
		delete(h, about)
	}
}

// retrySeconds returns a wait as a Retry-After: whole seconds, never less than asked for and at least 1, and up to a
// quarter more at random, so that those who are refused together do not come back together. random returns a number in [0, n).
func retrySeconds(after time.Duration, random func(int64) int64) int64 {
	after = min(after, hop.MaxHint) // far from an overflow
	s := max(1, int64((after+time.Second-1)/time.Second))
	return s + random(max(2, s/4+1))
}

func int64N(n int64) int64 { return int64(dice.Uint64N(uint64(n))) }
