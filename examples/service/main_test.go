package main

import (
	"strings"
	"testing"
)

var want = []string{
	`GET  /products/mug : 200 a mug, stale: false`,
	`GET  /products/mug : 200 a mug, stale: false`,
	`POST /orders/mug "k1": 201 order 1 for 995 cents`,
	`POST /orders/mug "k1": 201 order 1 for 995 cents`,
	`requests: catalog 1, prices 1`,
	`both are down`,
	`GET  /products/mug : 200 a mug, stale: true`,
	`POST /orders/mug "k2": 503 Service Unavailable`,
	`POST /orders/mug "k2": 503 Service Unavailable`,
	`POST /orders/mug "k1": 201 order 1 for 995 cents`,
	`GET  /readyz : 200 {"status":`, // warn, as soon as health has heard of the open breaker
	`the end: cut off: 0`,
}

func TestProgramShowsWhatItSays(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, line := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], line) {
			t.Fatalf("line %d is not %q in\n%s", i, line, out.String())
		}
	}
}
