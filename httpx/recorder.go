package httpx

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// recorder is an http.ResponseWriter that holds the answer back, up to a limit, so that something can be done before the
// client has it. An answer that is flushed, or that outgrows the limit, goes out as it is written from then on.
//
// It has no Unwrap: what is below must not be reached behind its back, and its connection cannot be hijacked.
type recorder struct {
	below  http.ResponseWriter
	before http.Header // of below, when the handler began
	header http.Header // the handler's
	limit  int         // of body, in bytes
	head   bool        // no body goes out, whatever is written

	status    int         // 0: none yet
	sent      http.Header // the handler's header as it was when the status was set
	length    int64       // of what the handler has written
	declared  int64       // the handler's Content-Length; -1: none
	body      []byte      // what was written, as long as it is within the limit
	dropped   bool        // it was not
	streaming bool        // the answer has begun to go out
	broken    bool        // not all of the stream could be written

	final atomic.Bool // the handler has said so
}

func newRecorder(below http.ResponseWriter, limit int) *recorder {
	return &recorder{
		below: below, before: below.Header().Clone(), header: below.Header().Clone(), limit: limit, declared: -1,
	}
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}

// WriteHeader notes the status. Informational ones go out at once.
func (r *recorder) WriteHeader(status int) {
	switch {
	case status < 100 || status > 999:
		panic(fmt.Sprintf("httpx: invalid status %d", status)) // as net/http does, which would do so too late
	case r.status != 0:
		return
	case status < 200 && status != http.StatusSwitchingProtocols:
		r.expose(r.header)
		r.below.WriteHeader(status)
		return
	}
	r.status, r.sent = status, r.Header().Clone()
	if n, err := strconv.ParseInt(r.sent.Get("Content-Length"), 10, 64); err == nil {
		r.declared = n
	}
}

// expose makes a header that of the answer below.
func (r *recorder) expose(h http.Header) {
	below := r.below.Header()
	clear(below)
	maps.Copy(below, h.Clone())
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	switch {
	case !bodyAllowed(r.status):
		return 0, http.ErrBodyNotAllowed
	case r.declared >= 0 && r.length+int64(len(p)) > r.declared:
		return 0, http.ErrContentLength
	}
	if fits := len(r.body)+len(p) <= r.limit; !r.streaming && !fits {
		r.stream()
	}
	n := len(p)
	var err error
	if r.streaming {
		n, err = r.below.Write(p)
		r.broken = r.broken || err != nil
	}
	r.length += int64(n)
	if r.dropped || len(r.body)+n > r.limit {
		r.body, r.dropped = nil, true
	} else {
		r.body = append(r.body, p[:n]...)
	}
	return n, err
}

// Flush sends what was written so far: from here on the answer is a stream.
func (r *recorder) Flush() { _ = r.FlushError() } // which has no way to say so

// FlushError is Flush for http.ResponseController.
func (r *recorder) FlushError() error {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	r.stream()
	err := http.NewResponseController(r.below).Flush()
	r.broken = r.broken || err != nil && !errors.Is(err, http.ErrNotSupported)
	return err
}

// SetReadDeadline, and the next two, are what http.ResponseController looks for.
func (r *recorder) SetReadDeadline(t time.Time) error {
	return http.NewResponseController(r.below).SetReadDeadline(t)
}

// SetWriteDeadline sets the deadline of the connection below.
func (r *recorder) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(r.below).SetWriteDeadline(t)
}

// EnableFullDuplex changes nothing: the body was read before.
func (r *recorder) EnableFullDuplex() error {
	return http.NewResponseController(r.below).EnableFullDuplex()
}

// stream sends header and body so far.
func (r *recorder) stream() {
	if r.streaming {
		return
	}
	r.streaming = true
	r.expose(r.sent)
	r.below.WriteHeader(r.status)
	r.push()
}

// push sends the body as far as it was held back.
func (r *recorder) push() {
	if len(r.body) > 0 {
		_, err := r.below.Write(r.body)
		r.broken = r.broken || err != nil
	}
}

// deliver sends what was not sent yet, when the handler has returned.
func (r *recorder) deliver() {
	if !r.streaming {
		r.streaming = true
		r.expose(r.sent)
		if h := r.below.Header(); r.declared < 0 && bodyAllowed(r.status) && (!r.head || r.length > 0) && h["Trailer"] == nil && h["Transfer-Encoding"] == nil {
			h.Set("Content-Length", strconv.FormatInt(r.length, 10))
		}
		r.below.WriteHeader(r.status)
		r.push()
	}
	below := r.below.Header()
	for name, values := range r.header {
		if strings.HasPrefix(name, http.TrailerPrefix) || listed(r.sent["Trailer"], name) {
			below[name] = values
		}
	}
}

// listed reports whether the lines of a field are a list that has a name.
func listed(lines []string, name string) bool {
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(member), name) {
				return true
			}
		}
	}
	return false
}

// perConnection are the fields that say nothing about another answer: those of one connection, those that net/http
// writes by itself, and trailers, which are not kept.
var perConnection = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Date",
}

// answer returns what is to be kept of an answer. truncated says that the handler was stopped while it wrote.
func (r *recorder) answer(truncated bool) StoredAnswer {
	a := StoredAnswer{Status: r.status, Header: http.Header{}, Body: r.body}
	for name, values := range r.sent {
		if !slices.Equal(values, r.before[name]) && !slices.Contains(perConnection, http.CanonicalHeaderKey(name)) &&
			!listed(r.sent["Connection"], name) && !strings.HasPrefix(name, http.TrailerPrefix) {
			a.Header[name] = slices.Clone(values)
		}
	}
	short := r.declared >= 0 && r.length != r.declared && bodyAllowed(r.status)
	if r.dropped || r.broken || short || r.streaming && truncated {
		a.Body, a.Dropped = nil, true
	}
	return a
}

// sendAgain sends an answer that was kept.
func sendAgain(w http.ResponseWriter, a StoredAnswer) {
	h := w.Header()
	for name, values := range a.Header {
		h[name] = slices.Clone(values)
	}
	if a.Dropped {
		forgetContent(h)
		h.Set(fieldBody, bodyDropped)
	}
	h.Set(fieldReplayed, "true")
	if bodyAllowed(a.Status) {
		h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	}
	w.WriteHeader(a.Status)
	if len(a.Body) > 0 {
		_, _ = w.Write(a.Body) // the client has left
	}
}

// bodyAllowed reports whether an answer with a status has a body at all.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
