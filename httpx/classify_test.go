package httpx_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/timeout"
)

// throttled is a Classify for an API that says in the body of a 400 that it is overloaded, as some do.
func throttled(resp *http.Response, v seawall.Verdict) seawall.Verdict {
	if resp.StatusCode != http.StatusBadRequest {
		return v
	}
	text, _ := io.ReadAll(resp.Body)
	if strings.Contains(string(text), "ThrottlingException") {
		return seawall.Verdict{Outcome: seawall.Overload, Repeat: seawall.RepeatIfIdempotent, After: time.Millisecond}
	}
	return v
}

// T63
func TestAClassifierThatReadsTheBodyTakesNothingOfItFromTheCaller(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, 4097, 1 << 16} {
		text := strings.Repeat("x", size)
		var seen int
		cfg := quick()
		cfg.Classify = func(resp *http.Response, v seawall.Verdict) seawall.Verdict {
			b, err := io.ReadAll(resp.Body)
			if err != nil || resp.Body.Close() != nil {
				t.Error(err)
			}
			seen = len(b)
			return v
		}
		tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
			return response(400, text), nil
		}))
		resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != text || seen != min(size, 4096) {
			t.Errorf("of %d bytes the classifier saw %d and the caller got %d, %v", size, seen, len(got), err)
		}
		if resp.Body.Close() != nil || inUse(tr) != 0 {
			t.Errorf("%d slots in use", inUse(tr))
		}
	}
}

// T23: nobody need close what has no body, also if the classifier has looked for one. With that the attempt was not over.
func TestAClassifierThatFindsNoBodyLeavesNoneToClose(t *testing.T) {
	for _, status := range []int{200, 204, 400, 503} {
		cfg := quick()
		cfg.Classify = func(resp *http.Response, v seawall.Verdict) seawall.Verdict {
			if text, err := io.ReadAll(resp.Body); len(text) > 0 || err != nil {
				t.Errorf("%d: read %q, %v", status, text, err)
			}
			return v
		}
		tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
			return response(status, ""), nil
		}))
		resp, err := tr.RoundTrip(newRequest(t, "GET", ""))
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body != http.NoBody || inUse(tr) != 0 || len(tr.OpenBodies()) != 0 {
			t.Errorf("%d: the body is %T, %d slots in use, open: %+v", status, resp.Body, inUse(tr), tr.OpenBodies())
		}
	}
}

// T63
func TestAnOverloadThatOnlyTheBodyTellsOfIsRepeatedAsOne(t *testing.T) {
	for _, row := range []struct {
		method, text string
		attempts     int
	}{
		{"GET", `{"__type":"ThrottlingException"}`, 3},
		{"POST", `{"__type":"ThrottlingException"}`, 1},
		{"GET", `{"__type":"ValidationException"}`, 1},
	} {
		cfg := quick()
		cfg.Classify = throttled
		n, stats, resp, err := tried(t, cfg, func(*http.Request) (*http.Response, error) {
			return response(400, row.text), nil
		}, newRequest(t, row.method, "q"))
		if err != nil || resp.StatusCode != 400 || n != row.attempts {
			t.Errorf("%s %s: %d attempts, want %d; %v", row.method, row.text, n, row.attempts, err)
		}
		want := seawall.Success
		if strings.Contains(row.text, "Throttling") {
			want = seawall.Overload
		}
		checkOutcome(t, stats, want, row.attempts)
	}
}

func TestAClassifierCannotRepeatWhatCannotBeSentAgain(t *testing.T) {
	always := func(*http.Response, seawall.Verdict) seawall.Verdict {
		return seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatAlways, After: -time.Hour}
	}
	for _, row := range []struct {
		name     string
		prepare  func(*http.Request, http.Header)
		attempts int
	}{
		{"a POST, of which it knows better", func(*http.Request, http.Header) {}, 3},
		{"a body that is a stream", func(r *http.Request, _ http.Header) { r.GetBody = nil }, 1},
		{"final", func(_ *http.Request, h http.Header) { h.Set("Seawall-Pushback", "final") }, 1},
	} {
		cfg := quick()
		cfg.Classify = always
		req := newRequest(t, "POST", "q")
		fields := http.Header{}
		row.prepare(req, fields)
		n, stats, _, err := tried(t, cfg, func(r *http.Request) (*http.Response, error) {
			_, _ = io.Copy(io.Discard, r.Body)
			resp := response(503, "")
			resp.Header = fields
			return resp, nil
		}, req)
		if err != nil || n != row.attempts {
			t.Errorf("%s: %d attempts, want %d; %v", row.name, n, row.attempts, err)
		}
		checkOutcome(t, stats, seawall.Failure, row.attempts)
	}
}

// A good answer to net/http that is none to the API goes to the caller as it is in the end.
func TestAGoodStatusThatIsNoGoodAnswerIsRepeatedAndReturned(t *testing.T) {
	cfg := quick()
	cfg.Classify = func(_ *http.Response, _ seawall.Verdict) seawall.Verdict {
		return seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatIfIdempotent}
	}
	var told error
	cfg.Retry.Classify = func(err error) seawall.Verdict {
		told = err
		return seawall.Classify(err)
	}
	n, _, resp, err := tried(t, cfg, func(*http.Request) (*http.Response, error) { return response(200, "partial"), nil }, newRequest(t, "GET", ""))
	if err != nil || n != 3 || resp.StatusCode != 200 {
		t.Errorf("%d attempts, %v", n, err)
	}
	e, ok := errors.AsType[*httpx.StatusError](told)
	if want := "GET a.example: 200 OK, which Classify finds no good"; !ok || e.Error() != want {
		t.Errorf("the retry is told %v, want %s", told, want)
	}
}

// T23: the wait for what a classifier reads is in the attempt's time.
func TestABodyThatAClassifierWaitsForEndsWithTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick()
		cfg.Retry.MaxAttempts = 1
		cfg.AttemptTimeout = time.Second
		cfg.Classify = throttled
		pipe, w := io.Pipe()
		tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
			go func() {
				<-r.Context().Done()
				w.CloseWithError(r.Context().Err())
			}()
			resp := response(400, "")
			resp.Body, resp.ContentLength = pipe, -1
			return resp, nil
		}))
		began := time.Now()
		_, err := tr.RoundTrip(newRequest(t, "GET", ""))
		if !errors.Is(err, timeout.ErrExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if inUse(tr) != 0 {
			t.Errorf("%d slots in use", inUse(tr))
		}
		synctest.Wait()
	})
}

type countingCloser struct {
	io.Reader
	closes int
}

func (c *countingCloser) Close() error { c.closes++; return nil }

// T2
func TestAClassifierThatPanicsHoldsNeitherSlotNorBody(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		body := &countingCloser{Reader: strings.NewReader("x")}
		cfg := quick()
		cfg.Classify = func(*http.Response, seawall.Verdict) seawall.Verdict { end(); return seawall.Verdict{} }
		tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
			resp := response(200, "")
			resp.Body, resp.ContentLength = body, -1
			return resp, nil
		}))
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			_, _ = tr.RoundTrip(newRequest(t, "GET", ""))
		}()
		if v := <-done; (v != nil) != (name == "panic") {
			t.Errorf("%s: recovered %v", name, v)
		}
		if inUse(tr) != 0 || body.closes != 1 {
			t.Errorf("%s: %d slots in use, the body was closed %d times", name, inUse(tr), body.closes)
		}
	}
}

// An API that answers 400 when it is overloaded, and says so in the body.
func ExampleClientConfig_classify() {
	attempts := 0
	base := roundTripper(func(*http.Request) (*http.Response, error) {
		if attempts++; attempts == 1 {
			return response(http.StatusBadRequest, `{"__type":"ThrottlingException"}`), nil
		}
		return response(http.StatusOK, "[]"), nil
	})
	client := &http.Client{Transport: httpx.NewTransport("tables", httpx.ClientConfig{
		Classify: func(resp *http.Response, v seawall.Verdict) seawall.Verdict {
			if resp.StatusCode == http.StatusBadRequest {
				text, err := io.ReadAll(resp.Body) // of the first 4 KiB
				if err == nil && strings.Contains(string(text), "ThrottlingException") {
					return seawall.Verdict{Outcome: seawall.Overload, Repeat: seawall.RepeatIfIdempotent}
				}
			}
			return v
		},
	}, base)}
	resp, err := client.Get("http://tables.example/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode, attempts)
	// Output: 200 2
}
