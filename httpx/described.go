package httpx

import (
	"net/http"

	"github.com/seawall-go/seawall/telemetry/span"
)

// described describes the span of a request, if it has one that records, such as that of otelhttp around the Handler: by
// whom it was refused, and what the policies have done that were asked for it.
func described(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctx, recording := span.Begin(r.Context())
		if !recording {
			next.ServeHTTP(rw, r)
			return
		}
		w, offered := share(rw)
		req := r.WithContext(ctx)
		defer func() {
			r.Pattern, r.MultipartForm = req.Pattern, req.MultipartForm // the server looks at its own
			span.Describe(ctx, w.refusal)
		}()
		next.ServeHTTP(offered, req)
	})
}
