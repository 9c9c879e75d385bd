package httpx

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/seawall-go/seawall"
)

// Degraded says whether a response tells that it was made of something else than a fresh answer.
type Degraded uint8

const (
	// DegradedUntold says nothing.
	DegradedUntold Degraded = iota
	// DegradedTold sends Seawall-Degraded with a response whose request has a copy or a fallback in its record
	// ([seawall.WithRecord]) when it begins: "stale;age=12" for a copy, with its age in seconds, or "fallback". What the
	// handler sends under that name stays. It costs two allocations for a request.
	DegradedTold
)

var degradedNames = [...]string{"untold", "told"}

// String returns "untold" or "told".
func (d Degraded) String() string {
	if int(d) < len(degradedNames) {
		return degradedNames[d]
	}
	return fmt.Sprintf("Degraded(%d)", uint8(d))
}

// MarshalText returns the form of String, for configuration files.
func (d Degraded) MarshalText() ([]byte, error) {
	if int(d) >= len(degradedNames) {
		return nil, fmt.Errorf("httpx: no such Degraded: %d", uint8(d))
	}
	return []byte(degradedNames[d]), nil
}

// UnmarshalText reads the form of String.
func (d *Degraded) UnmarshalText(text []byte) error {
	for i, name := range degradedNames {
		if string(text) == name {
			*d = Degraded(i)
			return nil
		}
	}
	return fmt.Errorf("httpx: no such Degraded: %q, want one of %v", text, degradedNames)
}

const fieldDegraded = "Seawall-Degraded"

// tellDegraded has responses tell what the record of their request holds, if they are to.
func (h *Handler) tellDegraded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if h.cfg.Load().Degraded != DegradedTold {
			next.ServeHTTP(rw, r)
			return
		}
		w, offered := share(rw)
		if w.record = seawall.RecordOf(r.Context()); w.record == nil {
			var ctx context.Context
			ctx, w.record = seawall.WithRecord(r.Context())
			outer := r
			r = r.WithContext(ctx)
			defer func() { outer.Pattern, outer.MultipartForm = r.Pattern, r.MultipartForm }() // the server looks at its own
		}
		next.ServeHTTP(offered, r)
		if !w.begun() {
			setDegraded(w.Header(), w.record.Facts())
		}
	})
}

// setDegraded tells in a header what a record holds. What the handler says itself stays.
func setDegraded(h http.Header, facts seawall.Facts) {
	if h[fieldDegraded] != nil {
		return
	}
	switch {
	case facts.Stale > 0:
		h[fieldDegraded] = []string{"stale;age=" + strconv.FormatInt(int64(facts.Stale/time.Second), 10)}
	case facts.Replaced:
		h[fieldDegraded] = []string{"fallback"}
	}
}
