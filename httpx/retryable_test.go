package httpx_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/seawall-go/seawall/httpx"
)

// script is a server that answers with one status after the other.
func script(t *testing.T, requests *atomic.Int64, bodies *[]string, statuses ...int) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := int(requests.Add(1))
		*bodies = append(*bodies, string(body))
		w.WriteHeader(statuses[min(n, len(statuses))-1])
		fmt.Fprintf(w, "answer %d", n)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestTheRetryableClientIsDrivenByThePolicies(t *testing.T) {
	for _, row := range []struct {
		name, method string
		statuses     []int
		set          func(*retryablehttp.Client)
		want         string
	}{
		{"recovers", "PUT", []int{503, 200}, nil, "200 answer 2 after 2"},
		{"exhausted: the response", "PUT", []int{503}, nil, "503 answer 3 after 3"},
		{"POST is sent once", "POST", []int{503}, nil, "503 answer 1 after 1"},
		{
			"an SDK that sets RetryMax changes nothing", "POST",
			[]int{503},
			func(c *retryablehttp.Client) { c.RetryMax = 7 }, "503 answer 1 after 1",
		},
		{
			"one that sets CheckRetry has its loop back", "POST",
			[]int{503, 503, 200},
			func(c *retryablehttp.Client) {
				c.RetryMax, c.CheckRetry, c.RetryWaitMin = 7, retryablehttp.DefaultRetryPolicy, time.Millisecond
				c.Backoff = func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return 0 }
			}, "200 answer 3 after 3",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			var requests atomic.Int64
			var bodies []string
			server := script(t, &requests, &bodies, row.statuses...)
			client := httpx.Retryable("sdk", quick())
			defer httpx.CloseIdle(client)
			if row.set != nil {
				row.set(client)
			}
			req, err := retryablehttp.NewRequestWithContext(t.Context(), row.method, server.URL, strings.NewReader("order"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if got := fmt.Sprintf("%d %s after %d", resp.StatusCode, text, requests.Load()); got != row.want || err != nil {
				t.Errorf("%s, %v; want %s", got, err, row.want)
			}
			for _, body := range bodies {
				if body != "order" {
					t.Errorf("sent %q", bodies)
				}
			}
		})
	}
}

func TestTheRetryableClientReturnsTheErrorAndKeepsTheIdleConnections(t *testing.T) {
	client := httpx.Retryable("sdk", quick())
	if _, ok := client.HTTPClient.Transport.(interface{ CloseIdleConnections() }); ok {
		t.Error("a failed call closes the idle connections of all others")
	}
	if client.RetryMax != 0 || client.Logger != nil {
		t.Errorf("%+v", client)
	}
	req, err := retryablehttp.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1:1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if resp != nil || err == nil || !strings.Contains(err.Error(), "3 attempts") {
		t.Errorf("%v, %v", resp, err)
	}
}

func TestImpossibleRetryableClientsAreRefused(t *testing.T) {
	defer func() {
		if got, _ := recover().(string); !strings.HasPrefix(got, "httpx: ClientConfig.Timeout") {
			t.Errorf("the panic is %q", got)
		}
	}()
	httpx.Retryable("sdk", httpx.ClientConfig{Timeout: -2})
}
