package httpx

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/hop"
)

// The one door to the inside.

const (
	MaxHint        = hop.MaxHint
	MaxPeerTimeout = hop.MaxTimeout
	MaxPeerAttempt = hop.MaxAttempt
	DrainBytes     = drainBytes
	DrainTime      = drainTime
)

var (
	ParseDigits  = hop.ParseDigits
	ParseMillis  = hop.ParseMillis
	RetrySeconds = retrySeconds
	ErrTakenBack = errTakenBack
	ParseKey     = parseKey
)

func ParseRetryAfter(value, date string, now time.Time) time.Duration {
	d, _ := parseRetryAfter(value, date, now)
	return d
}

func Key(u *url.URL) (string, error) {
	o, err := originOf(u)
	return o.scheme + "://" + o.host, err
}

func Outgoing(ctx context.Context, h http.Header, left time.Duration, limited bool) http.Header {
	t := &Transport{}
	req := (&http.Request{Header: h}).WithContext(ctx)
	x := &exchange{opts: newSettings(t, ClientConfig{}.withDefaults()), req: req}
	x.terms = &x.opts.terms
	return x.outgoing(&scope{parent: ctx}, left, limited)
}

func Incoming(h http.Header) (timeout time.Duration, attempt int, priority seawall.Priority) {
	return IncomingBy(Fields{}, h)
}

func IncomingBy(fields Fields, h http.Header) (timeout time.Duration, attempt int, priority seawall.Priority) {
	fields = fields.withDefaults()
	f := fields.incoming(h)
	return f.timeout, f.attempt, f.priority
}

func NewLimitContext(request context.Context, d time.Duration, cause error) (
	ctx context.Context, lift, release func(), timing func() bool,
) {
	c := &limitContext{}
	c.begin(request, d)
	timer := time.AfterFunc(d, func() { c.expire(cause) })
	lift = func() { timer.Stop(); c.lift(0) }
	release = func() { timer.Stop(); c.release() }
	return c, lift, release, timer.Stop
}

func Wrap(w http.ResponseWriter) (offered http.ResponseWriter, begun func() bool) {
	inner, offered := wrap(w)
	return offered, inner.begun
}

// RequestBody is the body of one request, as attempts get it.
type RequestBody struct{ b *requestBody }

func NewRequestBody(req *http.Request) *RequestBody {
	return &RequestBody{newRequestBody(req, 0)}
}

func (x *RequestBody) Lend(req *http.Request) (io.ReadCloser, error) { return x.b.lend(req) }
func (x *RequestBody) TakeBack() bool                                { return x.b.takeBack() }
func (x *RequestBody) Finish()                                       { x.b.finish() }

// Base returns what the requests go to in the end.
func (t *Transport) Base() http.RoundTripper { return t.base }

// Hosts returns how many hosts are remembered.
func (t *Transport) Hosts() int { return t.hosts.breakers.Len() }

// ParseTags returns whether a list is *, and the tags that it has, as they are written.
func ParseTags(lines []string) (any bool, tags []string) {
	l := parseTags(lines)
	for _, tag := range l.tags {
		if tag.weak {
			tag.opaque = WeakETag(tag.opaque)
		}
		tags = append(tags, tag.opaque)
	}
	return l.any, tags
}

func ParseRateLimit(values []string) time.Duration { return parseRateLimit(values) }

func Hint(h http.Header) time.Duration { return hint(h) }

// NewReplay is the body of a request of which most bytes are kept.
func NewReplay(req *http.Request, most int) *RequestBody {
	return &RequestBody{newRequestBody(req, most)}
}

func (x *RequestBody) Repeatable() bool { return x.b.repeatable() }

// CloseIdle closes what a client of Retryable keeps open, which itself cannot.
func CloseIdle(c *retryablehttp.Client) {
	c.HTTPClient.Transport.(onlyRoundTrip).transport.CloseIdleConnections()
}

// SlowOver is from when on a call is slow to the breakers.
func SlowOver(c ClientConfig) time.Duration {
	c = c.withDefaults()
	return c.breakers().Breaker.Slow.Over
}
