package httpx_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

// T21: what can only be streamed is kept while it is sent, if one says so, and never read ahead.
func TestAStreamedBodyIsKeptWhileItIsSentIfOneSaysSo(t *testing.T) {
	for _, row := range []struct {
		name   string
		keep   int
		body   string
		read   int // bytes by the first attempt; -1 for all
		want   string
		status int
	}{
		{"off", 0, "hello", -1, "hello", 503},
		{"read whole", 5, "hello", -1, "hello|hello", 200},
		{"read in part", 5, "hello", 2, "he|hello", 200},
		{"unread", 5, "hello", 0, "|hello", 200},
		{"one byte too long", 4, "hello", -1, "hello", 503},
		{"too long, but not yet", 4, "hello", 4, "hell|hello", 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := quick()
			cfg.ReplayBuffer = row.keep
			body := newCountedBody(row.body)
			var sent []string
			tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
				from := io.Reader(r.Body)
				if len(sent) == 0 && row.read >= 0 {
					from = io.LimitReader(r.Body, int64(row.read))
				}
				text, err := io.ReadAll(from)
				sent = append(sent, string(text))
				if err != nil {
					t.Error(err)
				}
				if len(sent) == 1 {
					return response(503, ""), nil
				}
				return response(200, ""), nil
			}))
			req := newRequest(t, "PUT", "")
			req.Body, req.GetBody, req.ContentLength = body, nil, -1
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := strings.Join(sent, "|"); got != row.want || resp.StatusCode != row.status {
				t.Errorf("sent %q, status %d; want %q, %d", got, resp.StatusCode, row.want, row.status)
			}
			if body.closes.Load() != 1 {
				t.Errorf("closed %d times", body.closes.Load())
			}
		})
	}
}

// A length that is known to be too long is not kept for a start.
func TestABodyThatIsSaidToBeTooLongIsNotKept(t *testing.T) {
	req := newRequest(t, "PUT", "")
	req.Body, req.GetBody, req.ContentLength = newCountedBody("hello"), nil, 5
	if httpx.NewReplay(req, 4).Repeatable() || !httpx.NewReplay(req, 5).Repeatable() {
		t.Error("the length is not looked at")
	}
}

// An attempt that was given up reads on: what it gets is the next one's all the same, and nothing is lost or doubled.
func TestAnAttemptThatWasGivenUpTakesNothingFromTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick()
		cfg.ReplayBuffer, cfg.AttemptTimeout = 100, time.Second
		from, into := io.Pipe()
		go func() {
			for _, part := range []string{"he", "l", "lo"} {
				time.Sleep(700 * time.Millisecond)
				_, _ = io.WriteString(into, part)
			}
			into.Close()
		}()
		var sent []string
		var base roundTripperFunc = func(r *http.Request) (*http.Response, error) {
			read := make(chan string, 1)
			go func() { // as net/http does, which does not wait for it
				text, _ := io.ReadAll(r.Body)
				r.Body.Close()
				read <- string(text)
			}()
			select {
			case text := <-read:
				sent = append(sent, text)
				return response(200, ""), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}
		tr := httpx.NewTransport("test", cfg, base)
		req := newRequest(t, "PUT", "")
		req.Body, req.GetBody, req.ContentLength = from, nil, -1
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if strings.Join(sent, "|") != "hello" {
			t.Errorf("sent %q", sent)
		}
	})
}

// FuzzReplay lets attempts read a body in pieces of any size, and give it back at any time: each sees the body from its
// beginning, in order, or an error.
func FuzzReplay(f *testing.F) {
	f.Add(uint8(5), []byte{1, 2, 200, 9})
	f.Add(uint8(0), []byte{1, 200, 1})
	f.Add(uint8(20), []byte{255, 200, 255, 200, 255})
	f.Fuzz(func(t *testing.T, keep uint8, ops []byte) {
		const text = "0123456789"
		req := &http.Request{Body: newCountedBody(text), ContentLength: -1}
		original := req.Body.(*countedBody)
		b := httpx.NewReplay(req, int(keep))
		lease, err := b.Lend(req)
		if err != nil {
			t.Fatal(err)
		}
		seen, most := 0, 0
		for _, op := range ops {
			if op == 200 { // the attempt came to nothing
				back := b.TakeBack()
				if fits := most <= int(keep); fits != back && most > 0 {
					t.Fatalf("%d bytes of %d were read, taken back: %v", most, keep, back)
				}
				if !back {
					continue
				}
				if stale, err := lease.Read(make([]byte, 1)); stale != 0 || !errors.Is(err, httpx.ErrTakenBack) {
					t.Fatalf("a stale lease read %d bytes, %v", stale, err)
				}
				if lease, err = b.Lend(req); err != nil {
					t.Fatal(err)
				}
				seen = 0
				continue
			}
			p := make([]byte, op%12)
			n, err := lease.Read(p)
			if string(p[:n]) != text[seen:seen+n] || err != nil && err != io.EOF {
				t.Fatalf("read %q at %d, %v", p[:n], seen, err)
			}
			seen += n
			most = max(most, seen)
		}
		_ = lease.Close()
		b.Finish()
		if n := original.closes.Load(); n != 1 {
			t.Fatalf("closed %d times", n)
		}
	})
}
