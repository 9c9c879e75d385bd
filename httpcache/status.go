package httpcache

import (
	"net/http"
	"strconv"
	"time"

	"github.com/dunglas/httpsfv"
)

// cacheStatus is the field that says what caches did (RFC 9211), in canonical form.
const cacheStatus = "Cache-Status"

// forward is why a request went to the origin.
type forward uint8

const (
	nowhere forward = iota // it was answered from the store
	uriMiss
	varyMiss
	stale
	request
	bypass
	method
	refused // it was neither forwarded nor answered from the store
)

func (f forward) String() string {
	return [...]string{"", "uri-miss", "vary-miss", "stale", "request", "bypass", "method", ""}[f]
}

// told is what the cache says of one answer.
type told struct {
	fwd       forward
	status    int // of the origin's answer, if it is not the one that is given; 0 else
	ttl       time.Duration
	timed     bool // ttl is known
	stored    bool
	collapsed bool
	detail    string // a token
}

// memberName makes of the cache's name what stands at the front: a token if it can be one.
func memberName(name string) string {
	if text, err := httpsfv.Marshal(httpsfv.NewItem(httpsfv.Token(name))); err == nil {
		return text
	}
	if text, err := httpsfv.Marshal(httpsfv.NewItem(name)); err == nil {
		return text
	}
	return kind // a name that is no text
}

// tell appends the cache's member to what caches nearer to the origin have said. Its parameters are tokens and numbers
// only, so it is put together by hand: it is written for each hit.
func (c *Cache) tell(h http.Header, t told) {
	text := make([]byte, 0, 96)
	text = append(text, c.member...)
	switch t.fwd {
	case nowhere:
		text = append(text, "; hit"...)
	case refused:
	default:
		text = append(append(text, "; fwd="...), t.fwd.String()...)
	}
	if t.status != 0 {
		text = strconv.AppendInt(append(text, "; fwd-status="...), int64(t.status), 10)
	}
	if t.timed {
		text = strconv.AppendInt(append(text, "; ttl="...), wholeSeconds(t.ttl), 10)
	}
	if t.stored {
		text = append(text, "; stored"...)
	}
	if t.collapsed {
		text = append(text, "; collapsed"...)
	}
	if t.detail != "" {
		text = append(append(text, "; detail="...), t.detail...)
	}
	h[cacheStatus] = append(h[cacheStatus], string(text))
}

// wholeSeconds rounds towards what is worse: less time left, or longer expired.
func wholeSeconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d < 0 && d%time.Second != 0 {
		s--
	}
	return s
}
