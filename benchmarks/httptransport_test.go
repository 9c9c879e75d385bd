package benchmarks_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	failsafebulkhead "github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	failsafetimeout "github.com/failsafe-go/failsafe-go/timeout"
	"github.com/hashicorp/go-retryablehttp"
	"resty.dev/v3"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
)

// attemptLimit is the limit of time for one attempt that all have which offer one, and the caller's deadline where a
// limit is to be compared with none.
const attemptLimit = 10 * time.Second

// noNetwork is a transport that answers at once. watched is whether it looks if its request's context has ended, as
// all do that go over a network.
type noNetwork struct {
	watched bool
	asked   *atomic.Int64 // nil in benchmarks
	status  int
}

func (t noNetwork) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.asked != nil {
		t.asked.Add(1)
	}
	if t.watched {
		select {
		case <-req.Context().Done():
			return nil, req.Context().Err()
		default:
		}
	}
	return &http.Response{
		StatusCode: t.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Request: req,
		Body: io.NopCloser(strings.NewReader("ok")), ContentLength: 2,
	}, nil
}

// httpClient is one library's client over a transport. get sends a request, and reads the answer to its end.
type httpClient struct {
	library string
	build   func(base http.RoundTripper, url string) (get func() error)
}

// httpClients have three attempts with jittered waits, and, where they offer them, a breaker, a bulkhead and a limit for
// each attempt.
var httpClients = []httpClient{
	{"bare", func(base http.RoundTripper, url string) func() error { return overTransport(base, url) }},
	{"seawall", func(base http.RoundTripper, url string) func() error {
		return overTransport(httpx.NewTransport("benchmark", httpx.ClientConfig{
			Timeout:        httpx.Off, // the peers limit attempts only, and tell the server of no limit
			AttemptTimeout: attemptLimit,
			Retry:          unfundedRetry(),
			Breaker: breaker.Config{
				FailureRate: failureRate, MinCalls: minCalls, Window: breaker.Window{Time: windowTime},
				Slow: breaker.SlowCalls{Over: breaker.NoSlowCalls},
			},
			Bulkhead: bulkhead.Config{Limit: slots, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}},
			Registry: registry(),
		}, base), url)
	}},
	{"seawalldefault", func(base http.RoundTripper, url string) func() error {
		return overTransport(httpx.NewTransport("benchmark", httpx.ClientConfig{Registry: registry()}, base), url)
	}},
	{"failsafe", func(base http.RoundTripper, url string) func() error {
		return overTransport(failsafehttp.NewRoundTripper(base,
			failsafehttp.NewRetryPolicyBuilder().WithMaxAttempts(attempts).WithBackoff(baseDelay, maxDelay).
				WithJitterFactor(0.5).Build(),
			circuitbreaker.NewBuilder[*http.Response]().
				HandleIf(func(r *http.Response, err error) bool { return err != nil || r.StatusCode >= 500 }).
				WithFailureRateThreshold(failureRate, minCalls, windowTime).Build(),
			failsafebulkhead.New[*http.Response](slots),
			failsafetimeout.New[*http.Response](attemptLimit),
		), url)
	}},
	{"retryablehttp", func(base http.RoundTripper, url string) func() error {
		client := retryablehttp.NewClient()
		client.HTTPClient, client.Logger = &http.Client{Transport: base}, nil
		client.RetryMax, client.RetryWaitMin, client.RetryWaitMax = attempts-1, baseDelay, maxDelay
		return func() error {
			req, err := retryablehttp.NewRequest(http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			resp, err := client.Do(req)
			return drain(resp, err)
		}
	}},
	{"resty", func(base http.RoundTripper, url string) func() error {
		client := resty.NewWithClient(&http.Client{Transport: base}).
			SetRetryCount(attempts - 1).SetRetryWaitTime(baseDelay).SetRetryMaxWaitTime(maxDelay).
			AddRetryConditions(func(r *resty.Response, _ error) bool { return r.StatusCode() >= 500 }).
			SetTimeout(attemptLimit).
			SetCircuitBreaker(resty.NewCircuitBreakerRatio(failureRate, minCalls, windowTime, resty.CircuitBreaker5xxPolicy))
		return func() error {
			resp, err := client.R().Get(url)
			if err == nil && resp.StatusCode() != http.StatusOK {
				err = errors.New(resp.Status())
			}
			return err
		}
	}},
}

// overTransport sends the same request each time, made once.
func overTransport(rt http.RoundTripper, url string) func() error {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		panic(err)
	}
	return func() error {
		resp, err := rt.RoundTrip(req)
		return drain(resp, err)
	}
}

func drain(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

func benchmarkClients(b *testing.B, base http.RoundTripper) {
	b.Helper()
	for _, c := range httpClients {
		b.Run(c.library, func(b *testing.B) {
			get := c.build(base, "http://a.example/")
			b.Run("serial", func(b *testing.B) { serial(b, get) })
			b.Run("parallel", func(b *testing.B) { parallel(b, get) })
		})
	}
}

// BenchmarkHTTPTransport is what a client costs beside the network.
func BenchmarkHTTPTransport(b *testing.B) { benchmarkClients(b, noNetwork{status: http.StatusOK}) }

// BenchmarkHTTPTransportWatched is that with a transport that looks at the context, which must then exist.
func BenchmarkHTTPTransportWatched(b *testing.B) {
	benchmarkClients(b, noNetwork{status: http.StatusOK, watched: true})
}

// BenchmarkHTTPLoopback is a request over a kept connection to this machine. All have a limit of time: the bare
// transport, and the client that offers none for an attempt, a deadline of the caller's.
func BenchmarkHTTPLoopback(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok")
	}))
	defer server.Close()
	for _, c := range httpClients {
		if c.library == "resty" || c.library == "seawalldefault" {
			continue
		}
		b.Run(c.library, func(b *testing.B) {
			base := &http.Transport{MaxIdleConnsPerHost: 64}
			defer base.CloseIdleConnections()
			var rt http.RoundTripper = base
			if c.library == "bare" || c.library == "retryablehttp" {
				rt = withDeadline{base}
			}
			get := c.build(rt, server.URL)
			b.Run("serial", func(b *testing.B) { serial(b, get) })
			b.Run("parallel", func(b *testing.B) { parallel(b, get) })
		})
	}
}

func TestBenchmarkedClientsAreNotEmptyPaths(t *testing.T) {
	for _, c := range httpClients {
		var asked atomic.Int64
		base := noNetwork{asked: &asked, status: http.StatusServiceUnavailable}
		want := int64(attempts)
		if c.library == "bare" {
			want = 1
		}
		if err := c.build(base, "http://a.example/")(); err == nil || asked.Load() != want {
			t.Errorf("%s: %d requests for a call that fails, %v", c.library, asked.Load(), err)
		}
		base.status = http.StatusOK
		asked.Store(0)
		if err := c.build(base, "http://a.example/")(); err != nil || asked.Load() != 1 {
			t.Errorf("%s: %d requests for a call that succeeds, %v", c.library, asked.Load(), err)
		}
	}
}

// withDeadline is a transport with a limit of time, which ends with the body.
type withDeadline struct{ base http.RoundTripper }

func (d withDeadline) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), attemptLimit)
	resp, err := d.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = limitedBody{resp.Body, cancel}
	return resp, nil
}

type limitedBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b limitedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
