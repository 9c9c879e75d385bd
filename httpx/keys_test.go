package httpx_test

import (
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpx"
)

// T24
func TestAGeneratedKeyIsTheSameForAllAttemptsAndNewForTheNextCall(t *testing.T) {
	quoted, bare := regexp.MustCompile(`^"[0-9a-f]{32}"$`), regexp.MustCompile(`^[0-9a-f]{32}$`)
	for _, row := range []struct {
		name, method string
		keys         httpx.Keys
		own          []string // the caller's
		fields       httpx.Fields
		field        string
		want         *regexp.Regexp // of what is sent; nil for nothing
		attempts     int
	}{
		{"POST", "POST", httpx.QuotedKeys, nil, httpx.Fields{}, "Idempotency-Key", quoted, 3},
		{"PATCH", "PATCH", httpx.QuotedKeys, nil, httpx.Fields{}, "Idempotency-Key", quoted, 3},
		{"bare", "POST", httpx.BareKeys, nil, httpx.Fields{}, "Idempotency-Key", bare, 3},
		{"off", "POST", httpx.NoKeys, nil, httpx.Fields{}, "Idempotency-Key", nil, 1},
		{"GET needs none", "GET", httpx.QuotedKeys, nil, httpx.Fields{}, "Idempotency-Key", nil, 3},
		{"the caller's own", "POST", httpx.QuotedKeys, []string{"mine"}, httpx.Fields{}, "Idempotency-Key", regexp.MustCompile("^mine$"), 3},
		{"an empty one is none", "POST", httpx.NoKeys, []string{`""`}, httpx.Fields{}, "Idempotency-Key", regexp.MustCompile(`^""$`), 1},
		{"another name", "POST", httpx.QuotedKeys, nil, httpx.Fields{IdempotencyKey: "x-request-key"}, "X-Request-Key", quoted, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := quick()
			cfg.Keys, cfg.Fields = row.keys, row.fields
			var sent []string
			tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
				sent = append(sent, strings.Join(r.Header[row.field], ","))
				return response(503, ""), nil
			}))
			var calls []string
			for range 2 {
				sent = nil
				req := newRequest(t, row.method, "order")
				if row.own != nil {
					req.Header["Idempotency-Key"] = row.own
				}
				if _, err := tr.RoundTrip(req); err != nil {
					t.Fatal(err)
				}
				if len(sent) != row.attempts {
					t.Errorf("%d attempts, want %d", len(sent), row.attempts)
				}
				for _, key := range sent {
					if key != sent[0] || row.want != nil && !row.want.MatchString(key) || row.want == nil && key != "" {
						t.Errorf("sent %q", sent)
					}
				}
				if row.own == nil && len(req.Header) != 0 {
					t.Errorf("the caller's header is %v", req.Header)
				}
				calls = append(calls, sent[0])
			}
			if row.want != nil && row.own == nil && calls[0] == calls[1] {
				t.Error("two calls have one key")
			}
		})
	}
}

// A 409 to a repeat says that the first is still at work.
func TestAConflictOfARepeatIsWaitedFor(t *testing.T) {
	for _, row := range []struct {
		name, method string
		key          bool
		statuses     []int
		want         int
		attempts     int
		judged       string
	}{
		{"with a key, to a repeat", "POST", true, []int{503, 409, 409, 201}, 201, 4, "1 1 2 0 0"},
		{"with a key, to the first", "POST", true, []int{409}, 409, 1, "1 0 0 0 0"},
		{"without a key", "PUT", false, []int{503, 409}, 409, 2, "1 1 0 0 0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := quick()
				cfg.Retry.MaxAttempts = 5
				attempts := 0
				tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
					attempts++
					resp := response(row.statuses[min(attempts, len(row.statuses))-1], "")
					resp.Header.Set("Retry-After", "1")
					return resp, nil
				}))
				req := newRequest(t, row.method, "order")
				if row.key {
					req.Header.Set("Idempotency-Key", `"k"`)
				}
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != row.want || attempts != row.attempts || judged(tr) != row.judged {
					t.Errorf("%d after %d attempts, judged %s", resp.StatusCode, attempts, judged(tr))
				}
			})
		})
	}
}

func TestAConflictNeverWinsARace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := hedged()
		cfg.Keys = httpx.QuotedKeys
		base := &race{run: []func(*http.Request) (*http.Response, error){
			after(3*time.Second, 201, true), after(time.Millisecond, 409, true),
		}}
		tr := httpx.NewTransport("test", cfg, base)
		resp, err := tr.RoundTrip(newRequest(t, "POST", "order"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 201 || len(base.lanes) != 2 {
			t.Errorf("%d after %d attempts", resp.StatusCode, len(base.lanes))
		}
	})
}

// RFC 9110, section 15.5.20: not a failure, and any request that can be sent again is, once.
func TestAMisdirectedRequestIsSentOnceMoreOnAConnectionOfItsOwn(t *testing.T) {
	for _, p := range []protocol{http1, http2} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(string(p)+" "+method, func(t *testing.T) {
				var peers []string
				s := newSite(t, p, quick(), func(w http.ResponseWriter, r *http.Request) {
					peers = append(peers, r.RemoteAddr)
					if len(peers) == 1 || peers[len(peers)-1] == peers[0] || r.Header.Get("Always") != "" {
						w.WriteHeader(http.StatusMisdirectedRequest)
					}
				})
				defer s.rest(t)
				tr := httpx.NewTransport("test", quick(), s.base)
				send := func(always string) int {
					t.Helper()
					req, err := http.NewRequestWithContext(t.Context(), method, s.URL, strings.NewReader("order"))
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set("Always", always)
					resp, err := tr.RoundTrip(req)
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
					return resp.StatusCode
				}
				if code := send(""); code != 200 || len(peers) != 2 {
					t.Errorf("%d after %q", code, peers)
				}
				if code := send("yes"); code != 421 || len(peers) != 4 {
					t.Errorf("%d after %q", code, peers)
				}
				if judged(tr) != "4 0 0 0 0" {
					t.Errorf("judged %s", judged(tr))
				}
			})
		}
	}
}

// Over the same connection the answer would be the same.
func TestAMisdirectedRequestIsNotRepeatedWithoutAConnectionOfItsOwn(t *testing.T) {
	var asked atomic.Int64
	s := newSite(t, http1, quick(), func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusMisdirectedRequest)
	})
	defer s.rest(t)
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.tr.RoundTrip(req) // its base is not net/http's own
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 421 || asked.Load() != 1 {
		t.Errorf("%d after %d requests", resp.StatusCode, asked.Load())
	}
}

// With MaxConnsPerHost net/http panics at the end of a connection that is not of its pool, on a goroutine of its own: one
// answer with a 421 ended the program.
func TestAMisdirectedRequestDoesNotEndTheProgramOfAClientWithMaxConnsPerHost(t *testing.T) {
	var asked atomic.Int64
	s := newSite(t, http1, quick(), func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Connection", "close") // the one of the pool is gone then, and its count is 0
		w.WriteHeader(http.StatusMisdirectedRequest)
	})
	defer s.rest(t)
	base := s.base.Clone()
	defer base.CloseIdleConnections()
	base.MaxConnsPerHost = 1
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := httpx.NewTransport("test", quick(), base).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 421 || asked.Load() != 1 {
		t.Errorf("%d after %d requests", resp.StatusCode, asked.Load())
	}
}

func TestTheRecordHasTheDelayOfAnAnswerThatIsNotRepeated(t *testing.T) {
	ctx, record := seawall.WithRecord(t.Context())
	n, _, _, err := tried(t, quick(), func(*http.Request) (*http.Response, error) {
		resp := response(429, "")
		resp.Header.Set("Retry-After", "7")
		return resp, nil
	}, newRequest(t, "POST", "").WithContext(ctx))
	if n != 1 || err != nil || record.Facts().ServerDelay != 7*time.Second {
		t.Errorf("%d attempts, %v, %+v", n, err, record.Facts())
	}
}
