package httpx

import "net/http"

// NewClient makes an http.Client whose requests go through the policies of cfg, over a clone of http.DefaultTransport.
// It is what [NewTransport] with a nil base makes, in a client that is otherwise the zero one: follow its example for a
// client with a cookie jar, or with a transport of your own. NewClient panics if cfg is not valid.
//
// The client's own Timeout is not needed: ClientConfig.Timeout bounds the same, with an error that says so. Redirects
// are followed by the client: each hop is a request with limits and attempts of its own.
func NewClient(name string, cfg ClientConfig) *http.Client {
	return &http.Client{Transport: NewTransport(name, cfg, nil)}
}
