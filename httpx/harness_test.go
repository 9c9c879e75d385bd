package httpx_test

import (
	"io"
	"log"
	"net/http"
	"strings"
	"sync/atomic"
)

// roundTripper is an in-memory base. It keeps the contract of http.RoundTripper for the function: the request body is
// closed in any case.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	return f(r)
}

// response makes a response whose body is empty for "", as net/http's own are.
func response(status int, body string) *http.Response {
	resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, ContentLength: int64(len(body))}
	if body != "" {
		resp.Body = io.NopCloser(strings.NewReader(body))
	}
	return resp
}

// countedBody counts what is done to it.
type countedBody struct {
	io.Reader
	reads, closes atomic.Int64
}

func newCountedBody(s string) *countedBody { return &countedBody{Reader: strings.NewReader(s)} }

func (b *countedBody) Read(p []byte) (int, error) {
	b.reads.Add(1)
	return b.Reader.Read(p)
}

func (b *countedBody) Close() error {
	b.closes.Add(1)
	return nil
}

var discardLog = log.New(io.Discard, "", 0)

func newLog(w io.Writer) *log.Logger { return log.New(w, "", 0) }
