package httpcache

import (
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// What things cost in memory beside their bytes, as measured and rounded up: a string header with its share of a slice,
// a field in a map, an entry with its place in the store.
const (
	stringOverhead = 16
	fieldOverhead  = 80
	entryOverhead  = 640
)

// entry is one stored answer. It does not change, but for holdOff, so that any number of readers may share it.
type entry struct {
	meta
	body []byte

	holdOff atomic.Int64 // reading of mono.Now until which no refresh begins, after one that failed; 0 is none
}

// meta is an answer without its body.
type meta struct {
	status       int
	statusText   string
	proto        string
	major, minor int
	unpacked     bool        // the transport took the content coding away
	header       http.Header // the fields that are stored

	selector selector
	rules    rules
	aged     time.Duration // when it was received
	life     time.Duration // from its generation on
	moment
}

// moment says which request got an answer, and when.
type moment struct {
	key            key
	sent, received time.Time
	birth          uint64 // when the request was sent, on the clock of invalidations
}

// age returns the age at an instant.
func (e *entry) age(now time.Time) time.Duration { return e.aged + max(0, now.Sub(e.received)) }

// staleness returns for how long the entry has been stale; it is negative while it is fresh.
func (e *entry) staleness(now time.Time) time.Duration { return e.age(now) - e.life }

// size returns the bytes that the entry takes.
func (e *entry) size() int64 {
	n := entryOverhead + len(e.key.store) + len(e.statusText) + len(e.body) + e.selector.size()
	for name, values := range e.header {
		n += fieldOverhead + len(name)
		for _, value := range values {
			n += stringOverhead + len(value)
		}
	}
	return int64(n)
}

// etag returns the entity tag, or "".
func (e *entry) etag() string { return e.header.Get("Etag") }

// validators are the conditions that ask whether the entry is still good. Both are sent where there are both: an
// origin that knows entity tags ignores the date.
func (e *entry) validators() http.Header {
	h := http.Header{}
	if tag := e.etag(); tag != "" {
		h["If-None-Match"] = []string{tag}
	}
	if modified := e.header["Last-Modified"]; len(modified) == 1 && modified[0] != "" {
		h["If-Modified-Since"] = modified
	}
	return h
}

// answer makes a response of the entry, for one reader, which may do with it what it likes.
func (e *entry) answer(req *http.Request, now time.Time) *http.Response {
	return e.answerWith(req, &storedBody{left: e.body}, len(e.body), now)
}

// answerWith is answer with a body that is not, or not yet, the entry's.
func (e *entry) answerWith(req *http.Request, body io.ReadCloser, length int, now time.Time) *http.Response {
	h := e.header.Clone()
	h["Age"] = []string{strconv.FormatInt(int64(e.age(now)/time.Second), 10)}
	resp := &http.Response{
		Status: e.statusText, StatusCode: e.status, Proto: e.proto, ProtoMajor: e.major, ProtoMinor: e.minor,
		Header: h, Body: http.NoBody, ContentLength: int64(length), Uncompressed: e.unpacked, Request: req,
	}
	switch {
	case !bodyAllowed(e.status):
		delete(h, "Content-Length")
		resp.ContentLength = 0
	case req.Method == http.MethodHead:
	default:
		h["Content-Length"] = []string{strconv.Itoa(length)}
		if length > 0 {
			resp.Body = body
		}
	}
	return resp
}

// notModified makes of an answer the 304 that a caller's own validator asks for. It has the fields that such an answer
// must have (RFC 9110, section 15.4.5), and no body.
func notModified(resp *http.Response) {
	resp.Status, resp.StatusCode = "304 "+http.StatusText(http.StatusNotModified), http.StatusNotModified
	resp.Body, resp.ContentLength, resp.Uncompressed = http.NoBody, 0, false
	for name := range resp.Header {
		switch name {
		case "Age", "Cache-Control", "Content-Location", "Date", "Etag", "Expires", "Last-Modified", "Vary", cacheStatus:
		default:
			delete(resp.Header, name)
		}
	}
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// satisfies reports whether the caller of req has the stored representation already, by its own validators (RFC 9111,
// section 4.3.2).
func (e *entry) satisfies(req *http.Request) bool {
	if e.status != http.StatusOK {
		return false
	}
	if tags, given := req.Header["If-None-Match"]; given {
		return hasTag(tags, e.etag())
	}
	since, ok := dateOf(req.Header, "If-Modified-Since", e.received)
	if !ok {
		return false
	}
	modified, ok := dateOf(e.header, "Last-Modified", e.received)
	if !ok {
		return false
	}
	return !modified.After(since)
}

// hasTag reports whether a list of entity tags holds one, by the weak comparison.
func hasTag(lines []string, tag string) bool {
	for _, line := range lines {
		if strings.Trim(line, " \t") == "*" {
			return true
		}
		for member := range members(line) {
			if tag != "" && sameTag(strings.Trim(member, " \t"), tag) {
				return true
			}
		}
	}
	return false
}

// sameTag is the weak comparison (RFC 9110, section 8.8.3.2).
func sameTag(a, b string) bool { return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/") }

// unstored are the fields that concern one connection or one exchange with a proxy only (RFC 9111, section 3.1).
var unstored = []string{
	"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Connection",
}

// bodily are the fields that describe the bytes of a body, and stay with those when a 304 comes.
var bodily = []string{
	"Content-Encoding", "Content-Length", "Content-Range", "Content-Type", "Content-Md5", "Content-Digest", "Repr-Digest", "Digest",
}

// storedFields returns a copy of the fields that may be stored. It shares nothing with h.
func storedFields(h http.Header, r *rules) http.Header {
	kept := h.Clone()
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			delete(kept, http.CanonicalHeaderKey(textproto.TrimString(name)))
		}
	}
	for _, name := range unstored {
		delete(kept, name)
	}
	for _, name := range r.withheld {
		delete(kept, name)
	}
	return kept
}

// freshened returns the fields of the entry as a 304 has updated them (RFC 9111, section 3.2).
func (e *entry) freshened(update http.Header) http.Header {
	h := e.header.Clone()
	delete(h, "Age") // of the answer before
	for name, values := range update {
		if !slices.Contains(bodily, name) {
			h[name] = slices.Clone(values)
		}
	}
	return h
}
