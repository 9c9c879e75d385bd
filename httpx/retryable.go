package httpx

import (
	"context"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"
)

// Retryable makes a client of go-retryablehttp for programs and SDKs that ask for one. The policies are those of
// [NewTransport], and they alone decide about repeats: the client's own loop is off, its RetryMax changes nothing, and it
// logs nothing. An answer that stays bad comes back as the response with a nil error, as everywhere here.
//
// Who sets the client's CheckRetry has its own loop back, around all of the policies. A request that go-retryablehttp makes
// has a GetBody, so it can be sent again; but it reads bodies of types that it does not know into memory first.
//
// To close idle connections, make the transport with [NewTransport], and call it there: go-retryablehttp does so after
// each failed call, so the client has no way to it.
func Retryable(name string, cfg ClientConfig) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: onlyRoundTrip{NewTransport(name, cfg, nil)}},
		CheckRetry:   func(context.Context, *http.Response, error) (bool, error) { return false, nil },
		Backoff:      retryablehttp.DefaultBackoff,
		ErrorHandler: func(resp *http.Response, err error, _ int) (*http.Response, error) { return resp, err },
	}
}

// onlyRoundTrip hides what else a transport can do.
type onlyRoundTrip struct{ transport *Transport }

func (o onlyRoundTrip) RoundTrip(req *http.Request) (*http.Response, error) {
	return o.transport.RoundTrip(req)
}
