package httpx

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/internal/hop"
)

// refuse answers a request that was not admitted. The body is not read: after Expect: 100-continue not a byte of it is
// sent.
//
// It answers also when the request's context has ended while it waited: that may be the deadline that the peer gave,
// and then the peer is still there.
func refuse(w http.ResponseWriter, err error) {
	var after time.Duration
	if rejected, ok := errors.AsType[*seawall.RejectedError](err); ok {
		after = rejected.RetryAfter()
	}
	w.Header().Set(fieldPushback, hop.Refused)
	answer(w, http.StatusServiceUnavailable, after)
}

// answer writes one of our own answers, in the place of what the handler may have begun to prepare. A 503 gets a
// Retry-After.
func answer(w http.ResponseWriter, status int, after time.Duration) {
	h := w.Header()
	for _, about := range [...]string{"Content-Range", "Etag", "Last-Modified", "Accept-Ranges"} {
		h.Del(about) // a body that is not sent
	}
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.FormatInt(retrySeconds(after, int64N), 10))
	}
	h.Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(status), status)
}

// retrySeconds returns a wait as a Retry-After: whole seconds, never less than asked for and at least 1, and up to a
// quarter more at random, so that those who are refused together do not come back together. random returns a number in [0, n).
func retrySeconds(after time.Duration, random func(int64) int64) int64 {
	s := max(1, int64((after+time.Second-1)/time.Second))
	return s + random(max(2, s/4+1))
}

func int64N(n int64) int64 { return int64(dice.Uint64N(uint64(n))) }
