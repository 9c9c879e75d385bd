package httpx_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

// laggard is a base whose first attempt fails, or hangs, and looks at its request long after that, as net/http does where a
// connection is stuck. The others succeed.
func laggard(t *testing.T, hangs bool) roundTripper {
	var asked atomic.Int64
	return func(r *http.Request) (*http.Response, error) {
		if asked.Add(1) > 1 {
			return response(200, "good"), nil
		}
		look := func() {
			time.Sleep(time.Minute)
			if got := r.Method + " " + r.URL.String() + " " + r.Header.Get("X-Page"); got != "GET http://api.example/orders?page=1 1" {
				t.Errorf("the first attempt is sent as %q", got)
			}
		}
		if hangs {
			look()
		} else {
			go look()
		}
		return nil, errors.New("connection lost")
	}
}

// A caller may change a request and send it again when he has closed the body of the response, as programs do that ask for
// one page after the other. An attempt that was given up may be sent still.
func TestARequestIsTheCallersAgainWhileAnAttemptIsLeftBehind(t *testing.T) {
	for name, cfg := range map[string]httpx.ClientConfig{"retry": quick(), "hedge": hedged()} {
		for limit, d := range map[string]time.Duration{"limited": 0, "unlimited": httpx.Off} {
			t.Run(name+" "+limit, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cfg := cfg
					cfg.Timeout, cfg.AttemptTimeout = d, httpx.Off
					tr := httpx.NewTransport("test", cfg, laggard(t, cfg.Hedge != nil))
					req := newRequest(t, "GET", "")
					req.Body = nil
					req.URL.Host, req.URL.Path, req.URL.RawQuery = "api.example", "/orders", "page=1"
					req.Header.Set("X-Page", "1")
					for _, page := range []string{"2", "3"} {
						resp, err := tr.RoundTrip(req)
						if err != nil || resp.StatusCode != 200 || resp.Request != req {
							t.Fatalf("%v, %v", resp, err)
						}
						resp.Body.Close()
						req.Method, req.URL.RawQuery, req.URL.Path = "HEAD", "page="+page, "/"+page
						req.Header.Set("X-Page", page)
						req.Header.Set("X-More", page)
					}
					time.Sleep(2 * time.Minute)
				})
			})
		}
	}
}
