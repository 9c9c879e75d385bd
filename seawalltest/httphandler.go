package seawalltest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/seawall-go/seawall"
)

// What a server says that has refused a request before it did anything, as package httpx has it.
const (
	pushbackField   = "Seawall-Pushback"
	pushbackRefused = "refused"
)

// dependencyHandler serves requests as the dependency does.
func dependencyHandler(request func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := request(r.Context())
		rejected, ok := errors.AsType[*seawall.RejectedError](err)
		switch {
		case err == nil:
			_, _ = io.WriteString(w, "ok")
		case ok:
			// No scatter, which httpx has, because scenarios have their own randomness.
			w.Header().Set("Retry-After", retryAfter(rejected.RetryAfter()))
			w.Header().Set(pushbackField, pushbackRefused)
			w.WriteHeader(http.StatusServiceUnavailable)
		case errors.Is(err, ErrQueueFull):
			w.WriteHeader(http.StatusServiceUnavailable)
		default: // also when the client has gone, who does not see it
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
}

// retryAfter is a time in whole seconds, rounded up, and at least one.
func retryAfter(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}
