package httpx_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/seawall-go/seawall/httpx"
)

func TestNoHostIsTakenForTheOneThatWasAskedLast(t *testing.T) {
	answer := func(*http.Request) (*http.Response, error) { return response(200, ""), nil }
	tr := httpx.NewTransport("test", httpx.ClientConfig{Registry: quiet()}, roundTripper(answer))
	spellings := map[string][]string{
		"http://a.example":    {"http://a.example/1", "HTTP://A.example:80/2", "http://a.EXAMPLE:/3"},
		"http://a.example:81": {"http://a.example:81/"},
		"https://a.example":   {"https://a.example/", "https://a.example:443/"},
		"http://b.example":    {"http://b.example/"},
	}
	const each = 200
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			for range each { // often enough that each of them is the one that is remembered
				for _, urls := range spellings {
					for _, url := range urls {
						req, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
						if resp, err := tr.RoundTrip(req); err != nil {
							t.Error(err)
						} else {
							resp.Body.Close()
						}
					}
				}
			}
		})
	}
	clients.Wait()
	got := map[string]int64{}
	for host, b := range tr.Breakers() {
		got[host] = b.Stats().Calls.Successes
	}
	want := map[string]int64{}
	for host, urls := range spellings {
		want[host] = int64(2 * each * len(urls))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the breakers saw %v, want %v", got, want)
	}
}
