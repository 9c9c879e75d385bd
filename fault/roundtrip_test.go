package fault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
)

// base is a transport that answers by itself.
type base func(*http.Request) (*http.Response, error)

func (b base) RoundTrip(req *http.Request) (*http.Response, error) { return b(req) }

// tracked is the body of a request, or of an answer, that knows whether it was closed.
type tracked struct {
	io.Reader
	closed int
}

func (b *tracked) Close() error { b.closed++; return nil }

func newRequest(t *testing.T, method, path string, body io.ReadCloser) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://shop.test"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Body = body
	return req
}

// answers returns a base that answers each request with a body, and counts them.
func answers(text string, calls *int) base {
	return func(req *http.Request) (*http.Response, error) {
		*calls++
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return &http.Response{
			StatusCode: 200, Header: http.Header{}, ContentLength: int64(len(text)),
			Body: io.NopCloser(strings.NewReader(text)), Request: req,
		}, nil
	}
}

func TestInjectedAnswerIsLikeARealOne(t *testing.T) {
	for _, test := range []struct {
		name, method string
		change       func(*fault.Fault)
		status, body string
		header       http.Header
		length       int64
	}{
		{
			"text", "POST",
			func(f *fault.Fault) { f.Status, f.Body, f.RetryAfter = 503, "come back", 1500*time.Millisecond },
			"503 Service Unavailable", "come back",
			http.Header{
				"Retry-After": {"2"}, "Content-Length": {"9"}, "Content-Type": {"text/plain; charset=utf-8"},
				"X-Content-Type-Options": {"nosniff"},
			},
			9,
		},
		{
			"no text", "GET", func(f *fault.Fault) { f.Status = 429 }, "429 Too Many Requests", "",
			http.Header{
				"Content-Length": {"0"}, "Content-Type": {"text/plain; charset=utf-8"}, "X-Content-Type-Options": {"nosniff"},
			},
			0,
		},
		{
			"HEAD", "HEAD", func(f *fault.Fault) { f.Status, f.Body = 500, "text" }, "500 Internal Server Error", "",
			http.Header{
				"Content-Length": {"4"}, "Content-Type": {"text/plain; charset=utf-8"}, "X-Content-Type-Options": {"nosniff"},
			},
			4,
		},
		{"no content", "GET", func(f *fault.Fault) { f.Status = 204 }, "204 No Content", "", http.Header{}, 0},
		{"by code", "GET", func(f *fault.Fault) { f.Code = "NOT_FOUND" }, "404 Not Found", "", nil, 0},
	} {
		calls, body := 0, &tracked{Reader: strings.NewReader("order")}
		i := started(t, call(fault.StatusCode, test.change))
		req := newRequest(t, test.method, "/", body)
		res, err := i.Point("a").RoundTripper(answers("real", &calls)).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err != nil || res.Body.Close() != nil || string(text) != test.body || res.Status != test.status ||
			res.ContentLength != test.length || res.Request != req || res.ProtoMajor != 1 {
			t.Errorf("%s: %q, %v, %+v", test.name, text, err, res)
		}
		if test.header != nil && !equalHeaders(res.Header, test.header) {
			t.Errorf("%s: %v", test.name, res.Header)
		}
		if calls != 0 || body.closed != 1 {
			t.Errorf("%s: %d calls, request body closed %d times", test.name, calls, body.closed)
		}
	}
}

func equalHeaders(a, b http.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for name, values := range a {
		if !slices.Equal(values, b[name]) {
			return false
		}
	}
	return true
}

func TestFailedRequestsHaveTheErrorsOfRealOnes(t *testing.T) {
	for _, test := range []struct {
		fault fault.Fault
		reset bool
		calls int
	}{
		{call(fault.Error, func(f *fault.Fault) { f.Rate = 1 }), false, 0},
		{call(fault.ResetPeer, nil), true, 0},
		{call(fault.AckLost, nil), true, 1},
	} {
		calls, body, answer := 0, &tracked{Reader: strings.NewReader("order")}, &tracked{Reader: strings.NewReader("real")}
		client := &http.Client{Transport: started(t, test.fault).Point("a").RoundTripper(
			base(func(req *http.Request) (*http.Response, error) {
				calls++
				return &http.Response{StatusCode: 200, Body: answer, Request: req}, req.Body.Close()
			}))}
		res, err := client.Do(newRequest(t, "POST", "/", body))
		if err == nil {
			_ = res.Body.Close()
		}
		if !errors.Is(err, fault.ErrInjected) || errors.Is(err, syscall.ECONNRESET) != test.reset {
			t.Errorf("%s: %v", test.fault.Kind, err)
		}
		if v := seawall.Classify(err); v.Outcome != seawall.Failure || v.Repeat != seawall.RepeatIfIdempotent {
			t.Errorf("%s: %+v", test.fault.Kind, v)
		}
		if calls != test.calls || body.closed != 1 || answer.closed != test.calls {
			t.Errorf("%s: %d calls, bodies closed %d and %d times", test.fault.Kind, calls, body.closed, answer.closed)
		}
	}
}

// T45: a delay obeys the request's context, and the request's body is closed all the same.
func TestRequestLeavesADelayWithItsContext(t *testing.T) {
	for _, f := range []fault.Fault{
		call(fault.Latency, func(f *fault.Fault) { f.Latency = time.Minute }), call(fault.Timeout, nil),
	} {
		synctest.Test(t, func(t *testing.T) {
			calls, body, gone := 0, &tracked{}, errors.New("gone")
			rt := started(t, f).Point("a").RoundTripper(answers("", &calls))
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(gone) })
			start := time.Now()
			res, err := rt.RoundTrip(newRequest(t, "POST", "/", body).WithContext(ctx))
			if err == nil {
				_ = res.Body.Close()
			}
			if !errors.Is(err, gone) || time.Since(start) != time.Second || calls != 0 || body.closed != 1 {
				t.Errorf("%v after %v, %d calls, closed %d times", err, time.Since(start), calls, body.closed)
			}
		})
	}
}

func TestRequestIsDelayedBeforeItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, sent := time.Now(), time.Duration(0)
		f := call(fault.Latency, func(f *fault.Fault) { f.Latency, f.Route = time.Second, "/slow/" })
		rt := started(t, f).Point("a").RoundTripper(base(func(*http.Request) (*http.Response, error) {
			sent = time.Since(start)
			return nil, errors.New("down")
		}))
		for path, want := range map[string]time.Duration{"/slow/1": time.Second, "/fast": 0} {
			start = time.Now()
			if res, err := rt.RoundTrip(newRequest(t, "GET", path, nil)); err == nil {
				_ = res.Body.Close()
			}
			if sent != want {
				t.Errorf("%s was sent after %v", path, sent)
			}
		}
	})
}

// spoiled reads an answer of a real server through faults, in the way that a client of net/http does.
func spoiled(t *testing.T, text string, flush bool, faults ...fault.Fault) (got []byte, i *fault.Injector, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, text)
		if flush {
			w.(http.Flusher).Flush() // so there is no Content-Length
		}
	}))
	t.Cleanup(server.Close)
	i = started(t, faults...)
	client := &http.Client{Transport: i.Point("a").RoundTripper(server.Client().Transport)}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	got, err = io.ReadAll(res.Body)
	return got, i, err
}

func TestAnswersAreCutAsByAServerThatHasCrashed(t *testing.T) {
	for _, test := range []struct {
		kind  fault.Kind
		bytes int64
		text  string
		cut   bool
		err   error
	}{
		{fault.Truncate, 0, "0123456789", true, io.ErrUnexpectedEOF},
		{fault.Truncate, 4, "0123456789", true, io.ErrUnexpectedEOF},
		{fault.ResetPeer, 9, "0123456789", true, syscall.ECONNRESET},
		{fault.Truncate, 10, "0123456789", false, nil},
		{fault.ResetPeer, 11, "0123456789", false, nil},
		{fault.Truncate, 0, "", false, nil},
		{fault.Truncate, 100_000, strings.Repeat("x", 300_000), true, io.ErrUnexpectedEOF},
	} {
		for _, flush := range []bool{false, true} {
			f := call(test.kind, func(f *fault.Fault) { f.Bytes = test.bytes })
			later := call(fault.Truncate, func(f *fault.Fault) { f.Bytes = test.bytes + 3 })
			streams := call(fault.Truncate, func(f *fault.Fault) { f.Messages = 1 })
			got, i, err := spoiled(t, test.text, flush, later, streams, f)
			want, hits := test.text, uint64(0)
			if test.cut {
				want, hits = test.text[:test.bytes], 1
			}
			if string(got) != want || !errors.Is(err, test.err) {
				t.Errorf("%s after %d, flush %v: %d bytes, %v", test.kind, test.bytes, flush, len(got), err)
			}
			if s := i.Stats().Faults; s[0].Hits != 0 || s[1].Hits != 0 || s[2].Hits != hits {
				t.Errorf("%s after %d: %d, %d and %d hits", test.kind, test.bytes, s[0].Hits, s[1].Hits, s[2].Hits)
			}
		}
	}
}

// T45: the same seed changes the same bytes of the same call, however they are read.
func TestAnswersAreChangedBySeed(t *testing.T) {
	text := strings.Repeat("seawall ", 10_000)
	f := call(fault.Corrupt, func(f *fault.Fault) { f.Rate = 0.01 })
	first, i, err := spoiled(t, text, false, f)
	if err != nil || len(first) != len(text) || string(first) == text {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	again, _, _ := spoiled(t, text, true, f)
	if !bytes.Equal(first, again) || i.Stats().Faults[0].Hits != 1 {
		t.Errorf("the same seed changes other bytes, or %d hits", i.Stats().Faults[0].Hits)
	}
}

// T45: the pieces in which an answer is read make no difference, and one that is cut is closed below.
func TestAnswersDoNotDependOnHowTheyAreRead(t *testing.T) {
	text := strings.Repeat("seawall ", 1000)
	f := call(fault.Corrupt, func(f *fault.Fault) { f.Rate = 0.05 })
	cut := call(fault.Truncate, func(f *fault.Fault) { f.Bytes = 5000 })
	read := func(pieces int) (got []byte) {
		inner := &tracked{Reader: strings.NewReader(text)}
		rt := started(t, f, cut).Point("a").RoundTripper(base(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: inner, ContentLength: -1}, nil
		}))
		res, err := rt.RoundTrip(newRequest(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, pieces)
		for err == nil {
			var n int
			n, err = res.Body.Read(buf)
			got = append(got, buf[:n]...)
		}
		if inner.closed != 1 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("closed %d times, %v", inner.closed, err)
		}
		if n, again := res.Body.Read(buf); n != 0 || again != err { //nolint:errorlint // it is the same
			t.Errorf("then %d bytes, %v", n, again)
		}
		_ = res.Body.Close()
		return got
	}
	whole := read(8000)
	if len(whole) != 5000 || string(whole) == text[:5000] {
		t.Errorf("%d bytes, or not changed", len(whole))
	}
	for _, pieces := range []int{1, 7} {
		if !bytes.Equal(read(pieces), whole) {
			t.Errorf("in pieces of %d it is another", pieces)
		}
	}
}

// A connection whose answer was cut is not used for the next request: what is left of the answer is still in it.
func TestCutAnswerDoesNotReachTheNextRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	}))
	t.Cleanup(server.Close)
	f := call(fault.Truncate, func(f *fault.Fault) { f.Bytes = 10 })
	client := &http.Client{Transport: started(t, f).Point("a").RoundTripper(server.Client().Transport)}
	for range 3 {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
			if c.Reused {
				t.Error("the connection is used again")
			}
		}})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if string(got) != "xxxxxxxxxx" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		_ = res.Body.Close()
	}
}

// An upgraded connection must stay an io.ReadWriteCloser, and an answer without a body http.NoBody.
func TestAnswersWithoutABodyAreLeftAlone(t *testing.T) {
	i := started(t, call(fault.Truncate, nil), call(fault.Corrupt, func(f *fault.Fault) { f.Rate = 1 }))
	upgraded := struct {
		io.ReadCloser
		io.Writer
	}{}
	for name, test := range map[string]struct {
		status int
		method string
		body   io.ReadCloser
	}{
		"101": {101, "GET", upgraded}, "204": {204, "GET", http.NoBody}, "HEAD": {200, "HEAD", http.NoBody},
	} {
		rt := i.Point("a").RoundTripper(base(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: test.status, Body: test.body}, nil
		}))
		res, err := rt.RoundTrip(newRequest(t, test.method, "/", nil))
		if err != nil || res.Body != test.body {
			t.Errorf("%s: %v, %T", name, err, res.Body)
		}
		if res.Body == http.NoBody {
			_ = res.Body.Close()
		}
	}
}

// T73: through what is off, at probability 0 or aimed elsewhere, the answer is base's own, in the same time and without
// an allocation.
func TestTransportThatIsOffIsNotThere(t *testing.T) {
	res := &http.Response{StatusCode: 200, Body: http.NoBody}
	rt := base(func(*http.Request) (*http.Response, error) { return res, nil })
	for name, i := range offInjectors(t) {
		req, through := newRequest(t, "GET", "/", nil), i.Point("a").RoundTripper(rt)
		before := *req
		got, err := through.RoundTrip(req)
		if err != nil || got != res || req.URL != before.URL || req.Body != before.Body {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if raceEnabled {
			continue
		}
		if n := testing.AllocsPerRun(200, func() { _, _ = through.RoundTrip(req) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if (*fault.Point)(nil).RoundTripper(nil) != http.DefaultTransport {
		t.Error("no point and no base is not the default transport")
	}
}

// offInjectors returns injectors whose target "a" has faults of all kinds for calls, none of which acts.
func offInjectors(t *testing.T) map[string]*fault.Injector {
	t.Helper()
	all := func(change func(*fault.Fault)) (faults []fault.Fault) {
		for _, f := range []fault.Fault{
			{Kind: fault.Error, Rate: 1},
			{Kind: fault.StatusCode, Status: 503},
			{Kind: fault.AckLost},
			{Kind: fault.Truncate},
			{Kind: fault.Latency, Seam: fault.OnCall, Latency: time.Hour},
			{Kind: fault.Timeout, Seam: fault.OnCall},
			{Kind: fault.ResetPeer, Seam: fault.OnCall},
			{Kind: fault.Corrupt, Seam: fault.OnCall, Rate: 1},
		} {
			f.For, f.Target = time.Hour, "a"
			change(&f)
			faults = append(faults, f)
		}
		return faults
	}
	ended := started(t, all(func(*fault.Fault) {})...)
	ended.Stop()
	return map[string]*fault.Injector{
		"nil":       nil,
		"waiting":   newInjector(all(func(*fault.Fault) {})...),
		"later":     started(t, all(func(f *fault.Fault) { f.At = time.Hour })...),
		"ended":     ended,
		"elsewhere": started(t, all(func(f *fault.Fault) { f.Target = "b" })...),
		"never": started(t, all(func(f *fault.Fault) {
			f.Toxicity = fault.Never
			if f.Kind == fault.Error {
				f.Rate, f.Toxicity = 0, 0
			}
		})...),
	}
}

// The two seams of a client do not act twice: a kind acts where its Seam says.
func TestTransportAndConnectionsShareAPoint(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	i := started(t, call(fault.ResetPeer, func(f *fault.Fault) { f.Method = "PUT" }), on(fault.Down, 0, time.Hour, "other"))
	dialer := server.Client().Transport.(*http.Transport).Clone() //nolint:forcetypeassert // httptest's
	t.Cleanup(dialer.CloseIdleConnections)
	client := &http.Client{Transport: i.Point("a").RoundTripper(dialer)}
	for method, fails := range map[string]bool{"GET": false, "PUT": true} {
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		if (err != nil) != fails {
			t.Errorf("%s: %v", method, err)
		}
	}
}
