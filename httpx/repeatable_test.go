package httpx_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// quick is a configuration whose retries wait for a millisecond, and have all the budget they want.
func quick() httpx.ClientConfig {
	return httpx.ClientConfig{
		Retry: retry.Config{
			Backoff:       retry.Backoff{Kind: retry.Constant, Base: time.Millisecond},
			OverloadDelay: retry.NoDelay,
			Funding:       retry.NoBudget,
		},
		Breaker:  breaker.Config{MinCalls: 1_000_000},
		Registry: quiet(),
	}
}

// quiet is a registry of its own that does not log.
func quiet() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

// tried sends req through a Transport around base, and returns how often the base was asked, with the breaker's counts.
func tried(t *testing.T, cfg httpx.ClientConfig, base roundTripper, req *http.Request) (
	attempts int, stats breaker.Stats, resp *http.Response, err error,
) {
	t.Helper()
	tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
		attempts++
		return base(r)
	}))
	resp, err = tr.RoundTrip(req)
	if resp != nil {
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Errorf("the body of what was returned: %v", err)
		}
		resp.Body.Close()
	}
	for _, b := range tr.Breakers() {
		stats = b.Stats()
	}
	return attempts, stats, resp, err
}

func newRequest(t *testing.T, method, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://a.example/x", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// T24, T63, T72: status × method × key, against the table of the package's documentation, written down once more.
func TestStatusAndMethodDecideOutcomeAndRepeat(t *testing.T) {
	const attempts = 3
	failures := []int{500, 502, 503, 504}
	overloads := []int{408, 425, 429}
	finalFailures := []int{501, 505, 506, 507, 508, 510, 511, 599}
	answers := []int{
		200, 201, 204, 301, 302, 304, 307, 400, 401, 403, 404, 405, 409, 410, 412, 413, 418, 421, 422, 451, 499,
	}
	outcome := map[int]seawall.Outcome{}
	again := map[int]bool{}
	for _, s := range failures {
		outcome[s], again[s] = seawall.Failure, true
	}
	for _, s := range overloads {
		outcome[s], again[s] = seawall.Overload, true
	}
	for _, s := range finalFailures {
		outcome[s] = seawall.Failure
	}
	for _, s := range answers {
		outcome[s] = seawall.Success
	}
	idempotent := map[string]bool{
		"GET": true, "HEAD": true, "OPTIONS": true, "TRACE": true, "PUT": true, "DELETE": true,
		"POST": false, "PATCH": false, "PROPFIND": false, "": true,
	}
	for status := range outcome {
		for method := range idempotent {
			for _, key := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d %s key=%v", status, method, key), func(t *testing.T) {
					req := newRequest(t, "GET", "body")
					req.Method = method
					if key {
						req.Header.Set("Idempotency-Key", `"k"`)
					}
					n, stats, resp, err := tried(t, quick(), func(*http.Request) (*http.Response, error) {
						return response(status, "text"), nil
					}, req)
					if err != nil || resp.StatusCode != status {
						t.Fatalf("ended with %v, %v; want the response", resp, err)
					}
					want := 1 // also for 421, since this base makes no second connection
					if again[status] && (idempotent[method] || key) {
						want = attempts
					}
					if n != want {
						t.Errorf("%d attempts, want %d", n, want)
					}
					checkOutcome(t, stats, outcome[status], want)
				})
			}
		}
	}
}

// checkOutcome checks that a breaker has counted n ends with one outcome, and no others.
func checkOutcome(t *testing.T, got breaker.Stats, outcome seawall.Outcome, n int) {
	t.Helper()
	want := map[seawall.Outcome]int64{outcome: int64(n)}
	have := map[seawall.Outcome]int64{
		seawall.Success: got.Calls.Successes, seawall.Failure: got.Calls.Failures,
		seawall.Overload: got.Overloads, seawall.Ignored: got.Ignored,
	}
	for o, n := range have {
		if n != want[o] {
			t.Errorf("the breaker counted %d as %v, want %d", n, o, want[o])
		}
	}
}

func TestPushbackIsObeyedAndBelievedFromTrustedPeersOnly(t *testing.T) {
	for _, row := range []struct {
		name, method, pushback string
		status                 int
		trust                  func(*http.Request) bool
		attempts               int
		outcome                seawall.Outcome
	}{
		{"refused, no peer trusted, POST", "POST", "refused", 503, nil, 1, seawall.Overload},
		{"refused, no peer trusted, GET", "GET", "refused", 503, nil, 3, seawall.Overload},
		{"refused, trusted, POST", "POST", "refused", 503, httpx.TrustAll, 3, seawall.Overload},
		{"refused, trusted, POST, unread", "POST unread", "refused", 503, httpx.TrustAll, 3, seawall.Overload},
		{"refused, no peer trusted, POST, unread", "POST unread", "refused", 503, nil, 1, seawall.Overload},
		{"refused, trusted, 429, POST", "POST", "refused", 429, httpx.TrustAll, 3, seawall.Overload},
		{"refused, another one trusted", "POST", "refused", 503, httpx.TrustLoopback, 1, seawall.Overload},
		{"not refused, trusted, POST", "POST", "", 503, httpx.TrustAll, 1, seawall.Failure},
		{"unknown word, trusted, POST", "POST", "Refused!", 503, httpx.TrustAll, 1, seawall.Failure},
		{"refused with a status that is an answer", "POST", "refused", 404, httpx.TrustAll, 1, seawall.Success},
		{"refused with a status that is never repeated", "GET", "refused", 501, httpx.TrustAll, 1, seawall.Failure},
		{"final, GET", "GET", "final", 503, nil, 1, seawall.Failure},
		{"final, GET, 429", "GET", "final", 429, nil, 1, seawall.Overload},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := quick()
			cfg.TrustPeer = row.trust
			method, unread := strings.CutSuffix(row.method, " unread")
			req := newRequest(t, method, "body")
			if unread {
				req.GetBody = nil
			}
			n, stats, resp, err := tried(t, cfg, func(*http.Request) (*http.Response, error) {
				resp := response(row.status, "")
				if row.pushback != "" {
					resp.Header.Set("Seawall-Pushback", row.pushback)
				}
				return resp, nil
			}, req)
			if err != nil || resp.StatusCode != row.status || n != row.attempts {
				t.Errorf("%d attempts, %v, %v; want %d and the response", n, resp, err, row.attempts)
			}
			checkOutcome(t, stats, row.outcome, row.attempts)
		})
	}
}

func TestTheContextCanAllowARepeatAndForbidIt(t *testing.T) {
	unavailable := func(*http.Request) (*http.Response, error) { return response(503, ""), nil }
	for _, row := range []struct {
		name, method string
		ctx          func(context.Context) context.Context
		attempts     int
	}{
		{"a POST that may be repeated", "POST", httpx.Idempotent, 3},
		{"a GET that must not be", "GET", seawall.NotIdempotent, 1},
		{"both were said", "POST", func(ctx context.Context) context.Context {
			return seawall.NotIdempotent(httpx.Idempotent(ctx))
		}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			req := newRequest(t, row.method, "body")
			n, _, _, _ := tried(t, quick(), unavailable, req.WithContext(row.ctx(t.Context())))
			if n != row.attempts {
				t.Errorf("%d attempts, want %d", n, row.attempts)
			}
		})
	}
}

// likeHTTP2 is an error with the method As of net/http's own HTTP/2 errors.
type likeHTTP2 struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e likeHTTP2) Error() string { return "stream error" }

func (e likeHTTP2) As(target any) bool {
	dst, src := reflect.ValueOf(target).Elem(), reflect.ValueOf(e)
	if dst.Kind() != reflect.Struct || dst.NumField() != src.NumField() {
		return false
	}
	for i := range src.NumField() {
		if dst.Type().Field(i).Name != src.Type().Field(i).Name {
			return false
		}
	}
	for i := range src.NumField() {
		dst.Field(i).Set(src.Field(i).Convert(dst.Field(i).Type()))
	}
	return true
}

// ways in which a base can fail, told by the hooks of httptrace or by the error.
func unsent(err error) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		httptrace.ContextClientTrace(r.Context()).GetConn("a.example:80")
		return nil, err
	}
}

func sent(err error) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		trace := httptrace.ContextClientTrace(r.Context())
		trace.GetConn("a.example:80")
		trace.GotConn(httptrace.GotConnInfo{})
		return nil, err
	}
}

func untraced(err error) roundTripper {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func TestWhatWasSentDecidesWhetherAnErrorIsRepeated(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	alert := &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}
	reset := &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}
	for _, row := range []struct {
		name, method string
		base         roundTripper
		attempts     int
		outcome      seawall.Outcome
	}{
		{"not sent, GET", "GET", unsent(refused), 3, seawall.Failure},
		{"not sent, POST", "POST", unsent(refused), 3, seawall.Failure},
		{"sent, GET", "GET", sent(reset), 3, seawall.Failure},
		{"sent, POST", "POST", sent(reset), 1, seawall.Failure},
		{"sent, and the error says dial", "POST", sent(refused), 1, seawall.Failure},
		{"a base that does not trace, GET", "GET", untraced(refused), 3, seawall.Failure},
		{"a base that does not trace, POST", "POST", untraced(refused), 1, seawall.Failure},
		{"refused stream, POST", "POST", sent(fmt.Errorf("h2: %w", likeHTTP2{Code: 7})), 3, seawall.Failure},
		{"refused stream, POST, unread", "POST unread", sent(likeHTTP2{Code: 7}), 3, seawall.Failure},
		{"canceled stream, POST, unread", "POST unread", sent(likeHTTP2{Code: 8}), 1, seawall.Failure},
		{"canceled stream, POST", "POST", sent(likeHTTP2{Code: 8}), 1, seawall.Failure},
		{"certificate not verified", "GET", unsent(&tls.CertificateVerificationError{Err: alert.Err}), 1, seawall.Failure},
		{"unknown authority", "GET", unsent(x509.UnknownAuthorityError{}), 1, seawall.Failure},
		{"wrong host name", "GET", unsent(x509.HostnameError{Certificate: &x509.Certificate{}}), 1, seawall.Failure},
		{"TLS alert", "GET", unsent(alert), 1, seawall.Failure},
		{"HTTP answer to HTTPS", "GET", unsent(fmt.Errorf("get: %w", http.ErrSchemeMismatch)), 1, seawall.Failure},
		{"neither response nor error", "GET", untraced(nil), 3, seawall.Failure},
		{"neither response nor error, POST", "POST", untraced(nil), 1, seawall.Failure},
	} {
		t.Run(row.name, func(t *testing.T) {
			method, unread := strings.CutSuffix(row.method, " unread")
			req := newRequest(t, method, "body")
			if unread {
				req.GetBody = nil
			}
			n, stats, resp, err := tried(t, quick(), row.base, req)
			if n != row.attempts || resp != nil || err == nil {
				t.Errorf("%d attempts, %v, %v; want %d and an error", n, resp, err, row.attempts)
			}
			checkOutcome(t, stats, row.outcome, row.attempts)
		})
	}
}

// What net/http refuses to send is the caller's mistake: it must not open the breaker for everybody else.
func TestARequestThatCannotBeSentIsNoFailureOfTheServer(t *testing.T) {
	t.Run("net/http's own transport", func(t *testing.T) { cannotBeSent(t, nil) })
	t.Run("the same inside of another", func(t *testing.T) { cannotBeSent(t, wrapped{&http.Transport{}}) })
}

func cannotBeSent(t *testing.T, base http.RoundTripper) {
	for _, row := range []struct {
		name  string
		spoil func(*http.Request)
	}{
		{"a line break in a field", func(r *http.Request) { r.Header.Set("X-Secret", "s3cret\r\n") }},
		{"a method with a space", func(r *http.Request) { r.Method = "GET IT" }},
		{"a scheme that nobody knows", func(r *http.Request) { r.URL.Scheme = "gopher" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			tr := httpx.NewTransport("test", quick(), base)
			req := newRequest(t, "GET", "")
			row.spoil(req)
			body := newCountedBody("body")
			req.Body, req.GetBody = body, func() (io.ReadCloser, error) { return newCountedBody("body"), nil }
			resp, err := tr.RoundTrip(req)
			if err == nil {
				resp.Body.Close()
				t.Fatal("it was sent")
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error tells the field's value: %v", err)
			}
			for _, b := range tr.Breakers() {
				checkOutcome(t, b.Stats(), seawall.Ignored, 1)
			}
			if body.closes.Load() != 1 {
				t.Errorf("the body was closed %d times", body.closes.Load())
			}
		})
	}
}

func TestAURLThatLeadsNowhereIsRefusedAtOnceAndItsBodyClosed(t *testing.T) {
	base := func(*http.Request) (*http.Response, error) { return response(200, ""), nil }
	for _, u := range []*url.URL{nil, {}, {Scheme: "http"}, {Host: "a.example"}} {
		req, body := newRequest(t, "POST", ""), newCountedBody("body")
		req.URL, req.Body, req.GetBody = u, body, nil
		n, _, resp, err := tried(t, quick(), base, req)
		if n != 0 || resp != nil || err == nil || body.closes.Load() != 1 {
			t.Errorf("%v: %d attempts, %v, %v, body closed %d times", u, n, resp, err, body.closes.Load())
		}
	}
}

// No text of ours tells what may be secret.
func TestErrorsTellMethodAndHostAndNoSecret(t *testing.T) {
	const secret = "s3cret"
	req, err := http.NewRequestWithContext(t.Context(), "POST",
		"http://user:"+secret+"@a.example/x?token="+secret, strings.NewReader(secret))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", secret)
	req.Header.Set("Idempotency-Key", secret)
	inner := &url.Error{Op: "Post", URL: req.URL.String(), Err: errors.New("connection reset")}
	n, _, _, err := tried(t, quick(), untraced(fmt.Errorf("base: %w", inner)), req)
	if n != 3 || err == nil {
		t.Fatalf("%d attempts, %v", n, err)
	}
	want := "POST a.example: connection reset"
	if got := err.Error(); !strings.Contains(got, want) || strings.Contains(got, secret) {
		t.Errorf("the error is %q, want %q in it and no secret", got, want)
	}
	if !errors.Is(err, inner) {
		t.Error("the base's error is not in the tree")
	}

	n, _, _, err = tried(t, quick(), func(*http.Request) (*http.Response, error) {
		if n++; n == 1 {
			resp := response(503, secret)
			resp.Header.Set("Set-Cookie", secret)
			return resp, nil
		}
		return nil, x509.UnknownAuthorityError{}
	}, req)
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("the error is %v", err)
	}
}

// The tree of the final error holds those of all attempts.
func TestTheLastErrorComesWithItsHistory(t *testing.T) {
	first, last := errors.New("first"), errors.New("last")
	attempt := 0
	_, _, _, err := tried(t, quick(), func(*http.Request) (*http.Response, error) {
		if attempt++; attempt == 1 {
			return nil, first
		}
		return nil, last
	}, newRequest(t, "GET", ""))
	if !errors.Is(err, first) || !errors.Is(err, last) || !errors.Is(err, retry.ErrExhausted) {
		t.Errorf("the error %v does not match all of first, last and ErrExhausted", err)
	}
}
