package httpcache_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/seawall-go/seawall/httpcache"
)

func TestHitCostsFewAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c := newCache(t, httpcache.Config{}, &origin{handle: answers("hello", "Cache-Control: max-age=3600", `ETag: "a"`)})
	get(t, c, here)
	req, buf := request(t.Context(), http.MethodGet, here), make([]byte, 512)
	n := testing.AllocsPerRun(500, func() {
		resp, err := c.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = resp.Body.Read(buf)
		}
		if err != io.EOF { //nolint:errorlint // the end is never wrapped
			t.Fatal(err)
		}
	})
	if n > 18 {
		t.Errorf("a hit allocates %v times", n)
	}
}
