package main

import (
	"strings"
	"testing"
)

const want = `a report: 503, refused, with a Retry-After: true
the one that is served: 200
a checkout: 200
a prefetch: 200
an order with the key "k1": 201 order 1, replayed: false
an order with the key "k1": 201 order 1, replayed: true
an order with the key "k2": 201 order 2, replayed: false
an order with the key : 400 Idempotency-Key: missing, replayed: false
an order with the key "k3": 201 order 3, replayed: false
an order with the key "k4": 429 Too Many Requests, replayed: false
another customer with the key "k1": 201 order 4
`

func TestProgramShowsWhatItSays(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
