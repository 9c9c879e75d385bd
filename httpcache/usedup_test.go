package httpcache_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpcache"
	"github.com/seawall-go/seawall/internal/hop"
)

// tired is an origin behind a client that has repeated each request as often as may be, when it is let.
func tired(status int, fields ...string) *held {
	return newHeld(func(w http.ResponseWriter, r *http.Request) {
		hop.NoteUsedUp(r.Context())
		setFields(w.Header(), fields)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "down")
	})
}

// T25, T71: who waits for the request of another gets its answer, and with it the word that it was repeated enough: else the
// layers above all of them but the first would begin anew.
func TestThoseWhoShareAnAnswerShareTheNoteThatItsAttemptsAreUsedUp(t *testing.T) {
	for name, fields := range map[string][]string{
		"with a length":    {"Cache-Control: max-age=60"},
		"without a length": {"Cache-Control: max-age=60", "Content-Length: unknown"},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := tired(http.StatusServiceUnavailable, fields...)
			c := newCache(t, httpcache.Config{}, o)
			callers := make([]hop.Repeating, 20)
			results, wait := together(t, c, len(callers), func(i int) *http.Request {
				callers[i].Context = t.Context()
				return request(&callers[i], http.MethodGet, here)
			})
			close(o.let)
			wait()
			for i, r := range results {
				if r.err != nil || r.status != http.StatusServiceUnavailable {
					t.Fatalf("%s: caller %d got %+v", name, i, r)
				}
				if !callers[i].UsedUp() {
					t.Errorf("%s: caller %d is not told", name, i)
				}
			}
			if n := o.calls.Load(); n != 1 {
				t.Errorf("%s: %d requests to the origin, want 1", name, n)
			}
			var hit hop.Repeating // a stored answer has cost no attempts
			hit.Context = t.Context()
			if r := do(c, request(&hit, http.MethodGet, here)); r.status != http.StatusServiceUnavailable || hit.UsedUp() {
				t.Errorf("%s: a hit is %+v, told: %t", name, r, hit.UsedUp())
			}
		})
	}
}

// Who then asks alone is told by what becomes of that.
func TestWhoAsksAloneIsNotToldOfTheAttemptsOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		o := newHeld(nil)
		o.handle = func(w http.ResponseWriter, r *http.Request) {
			if first {
				first = false
				hop.NoteUsedUp(r.Context())
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_, _ = io.WriteString(w, "up again")
		}
		c := newCache(t, httpcache.Config{}, o)
		callers := make([]hop.Repeating, 2)
		results, wait := together(t, c, len(callers), func(i int) *http.Request {
			callers[i].Context = t.Context()
			return request(&callers[i], http.MethodGet, here)
		})
		close(o.let)
		wait()
		for i, r := range results {
			if failed := r.status == http.StatusServiceUnavailable; failed != callers[i].UsedUp() {
				t.Errorf("caller %d got %d, and is told: %t", i, r.status, callers[i].UsedUp())
			}
		}
		if results[0].status == results[1].status {
			t.Errorf("both got %d", results[0].status)
		}
	})
}

// A refresh is not on behalf of the request that has caused it.
func TestRefreshWhoseAttemptsAreUsedUpTellsNoCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := numbered(swr)
		c := aged(t, httpcache.Config{}, o, 15*time.Second)
		caller := &hop.Repeating{Context: t.Context()}
		if r := do(c, request(caller, http.MethodGet, here)); r.body != "answer 1" {
			t.Fatalf("got %+v", r)
		}
		synctest.Wait()
		o.handle = tired(http.StatusServiceUnavailable).handle
		close(o.let)
		synctest.Wait()
		if s := c.Stats(); s.RefreshesFailed != 1 || caller.UsedUp() {
			t.Errorf("%+v, told: %t", s, caller.UsedUp())
		}
	})
}

// The first one is told as if there was no cache, also of an error.
func TestTheCallerWhoBeganIsToldThatTheAttemptsAreUsedUp(t *testing.T) {
	down := errors.New("down")
	c := newCache(t, httpcache.Config{}, roundTripper(func(r *http.Request) (*http.Response, error) {
		hop.NoteUsedUp(r.Context())
		return nil, down
	}))
	caller := &hop.Repeating{Context: t.Context()}
	if r := do(c, request(caller, http.MethodGet, here)); !errors.Is(r.err, down) || !caller.UsedUp() {
		t.Errorf("%+v, told: %t", r, caller.UsedUp())
	}
}
