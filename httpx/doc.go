// Package httpx puts the policies of this module around net/http, on both sides.
//
// A client is safe by default:
//
//	client := httpx.NewClient("catalog", httpx.ClientConfig{})
//	resp, err := client.Get(url)
//
// It is a plain *http.Client, whose Transport is a [Transport]: give one around your own transport to a client by
// [NewTransport], or an SDK that asks for a go-retryablehttp client one by [Retryable]. Around each request there are a
// total limit, retries and hedges with one budget for the client, and for each host a circuit breaker and a limit of
// concurrent requests; around each attempt, until its response headers are there, an attempt limit. A cache goes outside
// of it, so that a hit costs nothing here; what traces attempts goes inside, as the base.
//
// # What is repeated
//
// A request is idempotent if its method is GET, HEAD, OPTIONS, TRACE, PUT or DELETE, if it has an idempotency key, its
// own or one that was made, see [Keys], or if its context says so, see [Idempotent]. A body can be sent again if the
// request has a GetBody, as http.NewRequest makes for bytes and strings, or fits the ReplayBuffer.
//
//	what happened                                      outcome     repeated
//	nothing was sent: DNS, dial, no connection in time failure     any request whose body can be sent or is unread
//	HTTP/2 REFUSED_STREAM, GOAWAY with a lower stream  failure     the same; see below
//	the connection was lost, or our attempt limit      failure     idempotent requests
//	500, 502, 503, 504                                 failure     idempotent requests
//	408, 425, 429                                      overload    idempotent requests, never before the hint
//	409 to a repeat of a request with a key            overload    the same: the first is still at work
//	one of these with Seawall-Pushback: refused        overload    the same; from a trusted peer any request
//	one of these with Seawall-Pushback: final          as it is    no
//	421                                                success     any request whose body can be sent, once, on a
//	                                                               connection of its own
//	other statuses from 500 on                         failure     no
//	certificates, TLS, an answer that is not HTTP      failure     no
//	101 to a request without an Upgrade                failure     no
//	the response breaks off behind its headers         failure     no
//	the caller's deadline has passed                   failure     no
//	the caller has left, or a policy has refused       ignored     no
//	the base refuses to send: scheme, method, field    ignored     no
//	other statuses                                     success     –
//
// Streams that the peer has not begun are sent again by net/http itself, with pauses, inside of one attempt, if the body
// can be sent again. If it cannot, and after a GOAWAY with an error code to the first request of a connection, net/http
// tells no difference from a connection that was lost, and so that is how they count. A connection of its own is made
// where the base is an *http.Transport without MaxConnsPerHost: inside of another base a 421 is an answer, and a hedge has
// the pool's connections.
//
// The hint is Retry-After, or else the t of a RateLimit whose r is 0; ClientConfig.Retry caps it. When no attempt is left,
// the last answer is returned as it is: the response with its body unread and no error, or the error with the earlier
// ones in its tree. A rejection by a policy matches seawall.ErrRejected. A chain of one's own around a plain http.Client
// judges answers by the same table with [CheckStatus].
//
// Layers do not multiply attempts: only the client next to the failure repeats a request, until it has no more attempts or
// no more budget. A Transport around it does not begin again; that goes by the context of the request, so what is between
// the two may wrap the response, and must keep the context. Nor does a client of the service: where a client has used up
// its attempts for a request of a [Handler], and so with its context, an answer of 408, 425, 429, 500, 502, 503 or 504 to
// that request says Seawall-Pushback: final. A fallback says nothing of the kind. A client with one attempt, or without a
// budget, leaves the repeating to those above.
//
// # Limits
//
// The attempt limit ends when the response headers are there, unless AttemptSpan says otherwise. The total limit goes
// on: a body that is read past it fails with timeout.ErrExceeded. The response body must be closed or read to its end, as
// always; either gives everything back, and tells the policies of the host how it ended. A response with status 101 is
// left alone by the limits. Our limits never make an error that matches context.DeadlineExceeded: only the caller's own
// deadline does. Redirects that an http.Client follows are requests of their own, with the total limit of the first.
//
// # The fields that are sent
//
// X-Request-Timeout-Ms says how much time is left for the whole answer, less a hundredth, at most 50 ms, and from a second
// on rounded down to hundredths of one; Seawall-Attempt the number of the attempt, from the second on, and
// Seawall-Priority the priority, if it is not critical; see [Fields]. They take the place of what the request has under
// these names, so that a proxy does not pass on what its client claimed, and do not follow a redirect to another host.
//
// # The server
//
// [NewHandler] puts recovery from panics, quotas, admission and a time limit around an http.Handler, and believes the
// fields of peers that it is told to trust. Each of them is there as a middleware of its own: [Recover], [Inbound],
// [Quota], [Admit] and [TimeLimit]; the middlewares of one request share one writer. A middleware panics if it is given a
// nil handler.
//
//	what happened                                  the client gets       the admission learns
//	the client is above its quota                  429, refused          nothing
//	too many requests, or no time left             503, refused          nothing
//	the server drains                              503, refused          nothing
//	the handler said nothing in time               503                   a failure, and that it was slow
//	the handler began, and a limit came            a broken answer       a failure, and that it was slow
//	a panic, nothing written                       500                   a failure
//	a panic, or http.ErrAbortHandler, later        a broken answer       a failure
//	a status from 500 on                           what the handler says a failure
//	the client has left                            –                     nothing
//
// Every 429 and 503 has a Retry-After in whole seconds, at least 1 and spread upwards at random, and Cache-Control:
// no-store. "Refused" is Seawall-Pushback: refused, which says that nothing was started. A broken answer is a reset stream
// in HTTP/2, and a closed connection in HTTP/1. An answer that is no good after a client of the handler has used up its
// attempts says final, see above.
//
// What goes between it and a handler, for some routes or for all: [Idempotency] answers repeats of a request by its
// Idempotency-Key; [ETags], [Preconditions] and [RequireIfMatch] answer conditions; [CachePolicy] tells browsers and CDNs
// what they may keep.
package httpx
