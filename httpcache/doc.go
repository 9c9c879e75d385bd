// Package httpcache is an HTTP cache by RFC 9111, as an http.RoundTripper:
//
//	client := &http.Client{Transport: httpcache.New("catalog", httpcache.Config{}, nil)}
//
// It stands outside of everything that makes requests robust, so that a hit costs no attempt, token or slot, and a
// refresh gets all of that:
//
//	httpcache.New("catalog", httpcache.Config{}, httpx.NewTransport("catalog", httpx.ClientConfig{}, nil))
//
// Behind a httputil.ReverseProxy it is the Transport, mostly as a shared cache:
//
//	proxy.Transport = httpcache.New("edge", httpcache.Config{Shared: true}, nil)
//
// # Whose answers
//
// A private cache may keep what is for one user only. A Go program serves many, so their answers are kept apart: by a hash
// of the Authorization and Cookie fields and of the user in the URL, or by what [Config.Partition] says. Requests
// without any of these are one user, nobody in particular, whose answers are not stored if they set cookies. A
// shared cache keeps nothing that is private. If an API tells users apart by anything else and does not say so by
// Vary, only Partition can know. A cache does not see what transports inside of it add to a request: one that adds the
// token of whoever asks belongs outside, or needs Partition.
//
// # Stale answers
//
// stale-while-revalidate gives the stale answer now and refreshes it in the background: once for all who ask meanwhile,
// within [Config.RefreshTimeout], and after a failure not again within [Config.RetryEvery]. [Cache.Close] ends that.
//
// stale-if-error (RFC 5861) gives the stale answer in the place of a network error, a refusal by one of our own
// policies such as an open breaker, and of 500, 502, 503 and 504. Its time counts from when the answer became stale, and
// it is that of the stored answer, or of the request, not that of the error. must-revalidate and no-cache forbid it, in
// a shared cache also proxy-revalidate and s-maxage. [Config.StaleIfError] and, where there is no answer at all,
// [Config.StaleWhenDisconnected] allow it without the directive.
//
// Whoever gets a stale answer can tell by Cache-Status, by Age, and by the record of the call:
//
//	ctx, record := seawall.WithRecord(ctx)
//	resp, err := client.Do(req.WithContext(ctx))
//	record.Facts().Stale // its age
//
// # Requests that are not made
//
// Of several requests at the same time that may get the same answer one is sent. The others wait for its headers, and
// get what the store could have given them: an answer for the same user, that Vary matches, that may be stored, that
// sets no cookie, and whose body is within [Config.MaxObject]. Else each is sent, and those for this URI do not wait for
// each other for half a minute. Who waits leaves by its own context; the request goes on as long as anybody waits.
//
// # Bodies
//
// The caller reads while the body comes in. It is stored at a clean end of the right length; one that is too large, is cut,
// or has trailers is passed on and not stored. Nobody can change what is stored.
//
// # What is not done
//
// Range requests, requests with a body, conditions on the origin's state (If-Match), upgrades and all methods but GET and
// HEAD pass by. Partial answers are not stored. A successful request by a method that is not known to be safe drops what
// is stored for its URI, and what Location and Content-Location name on the same origin, for all users and variants.
package httpcache
