package httpx

import (
	"fmt"
	"net/http"
)

// ETagConfig sets [ETags]. A zero field is its default.
type ETagConfig struct {
	// MaxBody is how large an answer may be to be hashed, in bytes: so much is held back for each request. Default 64 KiB;
	// 1 to 16 MiB. Larger answers go out without a tag, as they are written.
	MaxBody int `json:"max_body" yaml:"max_body"`
	// Strength says what the tags promise. Default [ETagStrong].
	Strength ETagStrength `json:"strength" yaml:"strength"`
}

// ETagStrength says what an entity tag promises.
type ETagStrength uint8

const (
	// ETagStrong is for answers that go out byte by byte as the handler writes them. It is the default.
	ETagStrong ETagStrength = iota + 1
	// ETagWeak is for answers that a layer further out compresses or changes in another way.
	ETagWeak
)

func (c ETagConfig) withDefaults() ETagConfig {
	if c.MaxBody == 0 {
		c.MaxBody = 64 << 10
	}
	if c.Strength == 0 {
		c.Strength = ETagStrong
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c ETagConfig) Validate() error {
	switch c = c.withDefaults(); {
	case c.MaxBody < 1 || c.MaxBody > 16<<20:
		return fmt.Errorf("httpx: ETagConfig.MaxBody is %d, want 1 to 16777216", c.MaxBody)
	case c.Strength > ETagWeak:
		return fmt.Errorf("httpx: ETagConfig.Strength is %d, want ETagStrong or ETagWeak", c.Strength)
	}
	return nil
}

// ETags returns a middleware that gives small answers an entity tag, a hash of the body, and answers the conditions of
// the request, see [Preconditions]: a client that has the answer already gets a 304. It saves the way to the client, not
// the work of the handler.
//
// It looks at answers to GET and HEAD with the status 200 only. An ETag that the handler has set stays, and counts. An
// answer that is flushed is a stream, and passes as it is; so does what asks for an upgrade of the connection. A HEAD gets
// a tag only from a handler that writes the body all the same, as most do. ETags panics if cfg is not valid.
func ETags(cfg ETagConfig) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	cfg = cfg.withDefaults()
	return func(next http.Handler) http.Handler {
		need("ETags", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet && r.Method != http.MethodHead || r.Header["Upgrade"] != nil {
				next.ServeHTTP(w, r)
				return
			}
			rec := newRecorder(w, cfg.MaxBody)
			rec.head = r.Method == http.MethodHead
			next.ServeHTTP(rec, r)
			rec.tagged(r, cfg)
		})
	}
}

// tagged sends the answer of a handler that has returned, with a tag, or a 304 in its place.
func (r *recorder) tagged(req *http.Request, cfg ETagConfig) {
	if r.status == 0 {
		if req.Context().Err() != nil {
			return // the handler has left the answer to others
		}
		r.WriteHeader(http.StatusOK)
	}
	if r.streaming || r.status != http.StatusOK {
		r.deliver()
		return
	}
	if r.sent["Etag"] == nil && (!r.head || r.length > 0) && (r.declared < 0 || r.declared == r.length) {
		tag := ETag(r.body)
		if cfg.Strength == ETagWeak {
			tag = WeakETag(tag)
		}
		r.sent.Set("ETag", tag)
	}
	modified, _ := http.ParseTime(r.sent.Get("Last-Modified")) // zero if there is none
	r.expose(r.sent)
	if !Preconditions(r.below, req, r.sent.Get("ETag"), modified) {
		r.deliver()
	}
}
