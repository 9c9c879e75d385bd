package httpx

import (
	"context"
	"errors"
	"net/http"

	"github.com/seawall-go/seawall/internal/hop"
	"github.com/seawall-go/seawall/retry"
)

// usedUp reports whether the error of a call says that it was repeated as often as may be, by this client, by one further
// in, or by a server on its way: the next layer is not to do it all over.
func usedUp(err error) bool {
	if e, ok := errors.AsType[*retry.Error](err); ok && e.UsedUp() {
		return true
	}
	if e, ok := errors.AsType[*StatusError](err); ok && e.final {
		return true
	}
	e, ok := errors.AsType[*transportError](err)
	return ok && e.final
}

// tellUsedUp says final with an answer that is no good, if a client that the handler has used for the request has used up
// its attempts.
func (w *writer) tellUsedUp(status int) {
	if w.repeats.UsedUp() && (asksForLess(status) || hasFailed(status)) {
		say(w.below.Header(), w.field, hop.Final)
	}
}

// noting returns a context in which clients find where to note that: ctx, if it is derived from one that the writer has
// made before.
func (w *writer) noting(ctx context.Context) context.Context {
	if w.repeats.Context != nil {
		return ctx
	}
	w.repeats.Context = ctx
	return &w.repeats
}

// noteUsedUp lets the clients of a handler without a limit of time find where to note that; with a limit they find it in
// the context that the limit makes.
func noteUsedUp(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w, offered := share(rw)
		if w.limits != nil {
			next.ServeHTTP(rw, r)
			return
		}
		req := r.WithContext(w.noting(r.Context()))
		defer func() { r.Pattern, r.MultipartForm = req.Pattern, req.MultipartForm }() // the server looks at its own
		next.ServeHTTP(offered, req)
	})
}
