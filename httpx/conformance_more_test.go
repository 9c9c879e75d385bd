package httpx_test

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seawall-go/seawall/httpcache"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
)

// each runs a test over both protocols, with a server that does what is told in the script.
func each(t *testing.T, cfg httpx.ClientConfig, check func(t *testing.T, s *site), script ...act) {
	for _, p := range []protocol{http1, http2} {
		t.Run(string(p), func(t *testing.T) {
			cfg := cfg
			cfg.Registry = quiet()
			s := newSite(t, p, cfg, script...)
			defer s.rest(t)
			check(t, s)
		})
	}
}

func (s *site) ask(t *testing.T, rt http.RoundTripper, method string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return rt.RoundTrip(req)
}

// T23: over HTTP/2 such an answer held its slot until somebody closed a body that does not exist.
func TestAnAnswerWithoutABodyHoldsNothingThoughNobodyClosesIt(t *testing.T) {
	for _, row := range []struct {
		name, method string
		answer       act
	}{
		{"HEAD", "HEAD", status(200)},
		{"no content", "GET", status(204)},
		{"not modified", "GET", status(304)},
		{"of no length", "GET", hinted(200, "Content-Length", "0")},
	} {
		t.Run(row.name, func(t *testing.T) {
			each(t, quick(), func(t *testing.T, s *site) {
				resp, err := s.ask(t, s.tr, row.method)
				if err != nil {
					t.Fatal(err)
				}
				if resp.Body != http.NoBody || inUse(s.tr) != 0 || judged(s.tr) != "1 0 0 0 0" {
					t.Errorf("the body is %T, %d slots are in use, judged %s", resp.Body, inUse(s.tr), judged(s.tr))
				}
			}, row.answer)
		})
	}
}

// Who reads in pieces of a size may get the end with the last of them, and asks once more.
func TestTheEndOfABodyIsToldAsOftenAsItIsAskedFor(t *testing.T) {
	each(t, quick(), func(t *testing.T, s *site) {
		resp, err := s.ask(t, s.tr, "GET")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadFull(resp.Body, make([]byte, len("status 200"))); err != nil {
			t.Error(err)
		}
		for range 3 {
			if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("behind the end: %d, %v", n, err)
			}
		}
	}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "status 200")
	})
}

func TestInformationalAnswersReachTheTraceOfTheCaller(t *testing.T) {
	each(t, quick(), func(t *testing.T, s *site) {
		var links []string
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				if code == http.StatusEarlyHints {
					links = append(links, h.Get("Link"))
				}
				return nil
			},
		}), "GET", s.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := strings.Join(links, "|"); got != "</style.css>|</style.css>" || resp.StatusCode != 200 {
			t.Errorf("%d, and of two attempts the caller's trace saw %q", resp.StatusCode, got)
		}
	}, early(503), early(200))
}

func early(code int) act {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		status(code)(w, r)
	}
}

// T20: the connection of a call that fails may go, and those of others stay.
func TestAFailedCallLeavesTheConnectionsOfOthersAlone(t *testing.T) {
	cfg := quick()
	cfg.AttemptTimeout, cfg.Retry.MaxAttempts = short, 1
	var both sync.WaitGroup
	both.Add(2)
	meet := func(w http.ResponseWriter, r *http.Request) { // two at once, so that there are two connections over HTTP/1
		both.Done()
		both.Wait()
		status(200)(w, r)
	}
	script := []act{meet, meet, hang, status(200)}
	for _, p := range []protocol{http1, http2} {
		t.Run(string(p), func(t *testing.T) {
			both = sync.WaitGroup{}
			both.Add(2)
			cfg.Registry = quiet()
			s := newSite(t, p, cfg, script...)
			defer s.rest(t)
			get := func() error {
				resp, err := s.ask(t, s.tr, "GET")
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				return err
			}
			var first sync.WaitGroup
			for range 2 {
				first.Go(func() {
					if err := get(); err != nil {
						t.Error(err)
					}
				})
			}
			first.Wait()
			before := s.dials.Load()
			if get() == nil {
				t.Error("the call did not fail")
			}
			if err := get(); err != nil || s.dials.Load() != before {
				t.Errorf("%v; after a failed call there are %d connections more", err, s.dials.Load()-before)
			}
		})
	}
}

// A connection that has died since it was last used is net/http's affair: it sends the request again by itself, and to the
// policies that is one attempt. The server counts what has come.
func TestWhatNetHTTPSendsAgainOnADeadConnectionIsOneAttempt(t *testing.T) {
	var requests atomic.Int64
	dies := func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}
	answers := func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		status(200)(w, r)
	}
	s := newSite(t, http1, quick(), answers, dies, answers)
	defer s.rest(t)
	for range 2 {
		resp, err := s.ask(t, s.tr, "GET")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if n := s.tr.Retry().Stats().Attempts; requests.Load() != 3 || n != 2 || s.dials.Load() != 2 || judged(s.tr) != "2 0 0 0 0" {
		t.Errorf("%d requests on %d connections in %d attempts, judged %s", requests.Load(), s.dials.Load(), n, judged(s.tr))
	}
}

// With the cache outside, what it has costs no token, no slot and no attempt.
func TestAHitOfACacheAroundTheClientCostsNothing(t *testing.T) {
	cfg := quick()
	cfg.RateLimit = &ratelimit.Config{Rate: 0.001, Burst: 1}
	each(t, cfg, func(t *testing.T, s *site) {
		cache := httpcache.New("test", httpcache.Config{Registry: quiet()}, s.tr)
		defer cache.Close()
		for range 5 {
			resp, err := s.ask(t, cache, "GET")
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(resp.Body); string(text) != "fresh" || err != nil {
				t.Errorf("%q, %v", text, err)
			}
			resp.Body.Close()
		}
		if n := s.tr.Retry().Stats().Attempts; n != 1 || judged(s.tr) != "1 0 0 0 0" {
			t.Errorf("%d attempts, judged %s", n, judged(s.tr))
		}
	}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		_, _ = io.WriteString(w, "fresh")
	})
}
