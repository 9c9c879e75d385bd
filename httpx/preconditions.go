package httpx

import (
	"net/http"
	"time"
)

// Preconditions answers a request whose conditions say that the handler has nothing to do, and reports whether it has:
//
//	if httpx.Preconditions(w, r, doc.ETag, doc.Modified) {
//		return
//	}
//
// The tag and the time are those of what is there now; either may be missing: "" and the zero Time. Without both there
// is nothing there, as before a PUT that creates. Call it when the request would succeed without its conditions, as RFC
// 9110 wants it: not before a 404 or 403.
//
// The conditions are looked at in the order of RFC 9110, section 13.2.2. If-Match compares strongly, If-None-Match
// weakly, dates by the second; a date counts only if there is no tag to compare in its place, and what cannot be read does
// not count. A GET or HEAD for what the client has gets a 304, with the fields that a 304 carries; any other condition
// that does not hold a 412. CONNECT, OPTIONS and TRACE have no conditions. Of If-Match, If-None-Match and a list
// of tags that is malformed, the tags before the fault count.
//
// The ETag and Last-Modified of what is there go into the header for a GET or HEAD, unless the handler has set
// them. A tag that is not well-formed, with quotes, matches nothing and is not sent. For Range requests see [IfRange].
//
// Two requests at once both find their condition true: a handler that changes something compares again where it writes,
// in one step. This function spares it the work where that is in vain anyway.
func Preconditions(w http.ResponseWriter, r *http.Request, etag string, modified time.Time) (answered bool) {
	switch r.Method {
	case http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return false
	}
	tag, tagged := parseTag(etag)
	state := &representation{tag: tag, tagged: tagged, modified: modified, exists: tagged || !modified.IsZero()}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == ""
	if reads {
		state.describe(w.Header(), etag)
	}
	switch state.judge(r.Header, reads) {
	case notModified:
		writeNotModified(w)
		return true
	case failed:
		writeText(w, http.StatusPreconditionFailed, http.StatusText(http.StatusPreconditionFailed))
		return true
	}
	return false
}

// representation is what a request's conditions are about.
type representation struct {
	tag      entityTag
	tagged   bool
	modified time.Time
	exists   bool
}

type condition uint8

const (
	holds condition = iota
	notModified
	failed
)

// judge walks the steps of RFC 9110, section 13.2.2.
func (p *representation) judge(h http.Header, reads bool) condition {
	if lines := h["If-Match"]; len(lines) > 0 {
		if !p.matches(parseTags(lines)) {
			return failed
		}
	} else if date, ok := dateOf(h["If-Unmodified-Since"]); ok && !p.modified.IsZero() && p.seconds().After(date) {
		return failed
	}
	if lines := h["If-None-Match"]; len(lines) > 0 {
		list := parseTags(lines)
		if list.star && p.exists || p.tagged && list.weak(p.tag) {
			if reads {
				return notModified
			}
			return failed
		}
		return holds
	}
	if date, ok := dateOf(h["If-Modified-Since"]); reads && ok && !p.modified.IsZero() && !p.seconds().After(date) {
		return notModified
	}
	return holds
}

func (p *representation) matches(list tagList) bool {
	if list.any {
		return p.exists
	}
	return p.tagged && list.strong(p.tag)
}

// seconds is the time as far as HTTP can write it.
func (p *representation) seconds() time.Time { return p.modified.Truncate(time.Second) }

// describe writes the validators into a header that does not have them yet.
func (p *representation) describe(h http.Header, etag string) {
	if p.tagged && h["Etag"] == nil {
		h.Set("ETag", etag)
	}
	if !p.modified.IsZero() && h["Last-Modified"] == nil {
		h.Set("Last-Modified", p.modified.UTC().Format(http.TimeFormat))
	}
}

// dateOf reads a field that is one HTTP date. Several lines are none (RFC 9110, section 13.1.3).
func dateOf(lines []string) (time.Time, bool) {
	if len(lines) != 1 {
		return time.Time{}, false
	}
	date, err := http.ParseTime(lines[0])
	return date, err == nil
}

// writeNotModified sends a 304. Cache-Control, Content-Location, Date, ETag, Expires and Vary are the fields that it is
// to carry (RFC 9110, section 15.4.5); what describes a body goes, and Last-Modified as well where the tag does more.
func writeNotModified(w http.ResponseWriter) {
	h := w.Header()
	for _, about := range contentFields {
		switch about {
		case "Etag", "Content-Location", "Accept-Ranges":
		case "Last-Modified":
			if h["Etag"] != nil {
				delete(h, about)
			}
		default:
			delete(h, about)
		}
	}
	delete(h, "Trailer")
	w.WriteHeader(http.StatusNotModified)
}

// RequireIfMatch answers with 428 (RFC 6585) a request that would change something and does not say what it has seen, and
// reports whether it has. Then no client overwrites what it does not know of:
//
//	if httpx.RequireIfMatch(w, r) || httpx.Preconditions(w, r, doc.ETag, doc.Modified) {
//		return
//	}
//
// An If-Match will do, and an If-None-Match, by which a client says that it creates. Dates will not: two changes within
// a second have the same one. GET, HEAD, OPTIONS, TRACE and CONNECT pass.
func RequireIfMatch(w http.ResponseWriter, r *http.Request) (answered bool) {
	if !unsafeMethod(r.Method) || len(r.Header["If-Match"]) > 0 || len(r.Header["If-None-Match"]) > 0 {
		return false
	}
	writeText(w, http.StatusPreconditionRequired, "If-Match: missing")
	return true
}

// IfRange reports whether the Range of a GET may be answered with a part of what is there (RFC 9110, section 13.1.5): it
// has no If-Range, or that is the strong tag or the exact date of what is there now. Otherwise the handler answers as if
// there were no Range. http.ServeContent does all of this by itself, and takes a date for exact as this function does: only
// who knows that nothing changes twice within a second should send one without a tag.
func IfRange(r *http.Request, etag string, modified time.Time) bool {
	lines := r.Header["If-Range"]
	switch len(lines) {
	case 0:
		return true
	case 1:
	default:
		return false
	}
	if asked, ok := parseTag(lines[0]); ok {
		tag, ok := parseTag(etag)
		return ok && tagList{tags: []entityTag{asked}}.strong(tag)
	}
	date, ok := dateOf(lines)
	return ok && !modified.IsZero() && modified.Truncate(time.Second).Equal(date)
}
