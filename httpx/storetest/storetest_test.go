package storetest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/httpx/storetest"
)

func TestMemoryStoreIsAStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) httpx.IdempotencyStore {
		return httpx.NewMemoryStore(httpx.MemoryStoreConfig{})
	})
}

func TestStoreMayBeTheSameForAllTests(t *testing.T) {
	store := httpx.NewMemoryStore(httpx.MemoryStoreConfig{})
	storetest.Run(t, func(*testing.T) httpx.IdempotencyStore { return store })
}

// naive is a store in a few lines, and what can be wrong with one.
type naive struct {
	bug     string
	mu      sync.Mutex // guards entries
	entries map[any]entry
}

type entry struct {
	lease  httpx.Lease
	until  time.Time
	done   bool
	answer httpx.StoredAnswer
}

func (s *naive) is(bug string) bool { return s.bug == bug }

func (s *naive) id(e httpx.IdempotencyEntry) any {
	switch s.bug {
	case "joins the parts of an entry":
		return e.Tenant + ":" + e.Method + ":" + e.Route + ":" + e.Key
	case "joins them with nothing":
		return e.Tenant + e.Method + e.Route + e.Key
	case "does not know the tenant":
		e.Tenant = e.Tenant[:len("test-0123456789abcdef")]
	case "does not know the method":
		e.Method = ""
	case "does not know the route":
		e.Route = ""
	case "compares keys as a case-insensitive collation does":
		e.Key = strings.ToLower(e.Key)
	case "pads keys as CHAR columns do":
		e.Key = strings.TrimRight(e.Key, " ")
	case "cuts keys":
		e.Key = e.Key[:min(len(e.Key), 200)]
	case "cuts routes":
		e.Route = e.Route[:min(len(e.Route), 1000)]
	case "takes _ in keys for a wildcard":
		e.Key = strings.ReplaceAll(e.Key, "_", "y")
	case "ends a tenant at a zero byte":
		e.Tenant, _, _ = strings.Cut(e.Tenant, "\x00")
	}
	return e
}

func (s *naive) Begin(ctx context.Context, l httpx.Lease) (httpx.Claim, error) {
	if ctx.Err() != nil && !s.is("ignores the context of begin") {
		return httpx.Claim{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.id(l.Entry)
	e, ok := s.entries[id]
	now := time.Now()
	over := !now.Before(e.until)
	switch {
	case s.is("never ends a lease") && !e.done, s.is("never forgets an answer") && e.done:
		over = false
	case s.is("ends a lease at half of its time") && !e.done:
		over = !now.Before(e.until.Add(-e.lease.For / 2))
	}
	if s.is("is not atomic") {
		s.mu.Unlock()
		for range 100 {
			runtime.Gosched()
		}
		s.mu.Lock()
	}
	same := l.Fingerprint == e.lease.Fingerprint
	switch s.bug {
	case "ignores the fingerprint":
		same = true
	case "compares the fingerprint of answers only":
		same = same || !e.done
	case "compares the fingerprint of running requests only":
		same = same || e.done
	case "compares half of the fingerprint":
		same = [8]byte(l.Fingerprint[:]) == [8]byte(e.lease.Fingerprint[:])
	case "keeps the fingerprint when a lease has run out":
		if ok && over && !same {
			over = false
		}
	}
	if ok && !over {
		switch {
		case !same:
			return httpx.Claim{State: httpx.ClaimConflict}, nil
		case e.done:
			if s.is("forgets the answer") {
				return httpx.Claim{State: httpx.ClaimDone}, nil
			}
			return httpx.Claim{State: httpx.ClaimDone, Answer: e.answer}, nil
		}
		if s.is("takes over what runs") {
			return httpx.Claim{State: httpx.ClaimNew}, nil
		}
		return httpx.Claim{State: httpx.ClaimRunning}, nil
	}
	if ok && s.is("keeps the token when a lease has run out") {
		l.Token = e.lease.Token
	}
	s.entries[id] = entry{lease: l, until: now.Add(l.For)}
	return httpx.Claim{State: httpx.ClaimNew}, nil
}

func (s *naive) Finish(ctx context.Context, l httpx.Lease, a httpx.StoredAnswer, keep time.Duration) error {
	if ctx.Err() != nil && !s.is("ignores the context of finish") {
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[s.id(l.Entry)]
	owner := ok && e.lease.Token == l.Token && !e.done
	switch s.bug {
	case "lets anybody finish":
		owner = ok && !e.done
	case "lets an owner finish twice":
		owner = ok && e.lease.Token == l.Token
	case "finishes what was never begun":
		owner = owner || !ok
	}
	if !owner {
		if s.is("says nothing to an owner that comes late") {
			return nil
		}
		return httpx.ErrLeaseLost
	}
	switch s.bug {
	case "drops what is not UTF-8":
		a.Body = []byte(strings.ToValidUTF8(string(a.Body), ""))
	case "keeps the first of several values":
		a.Header = a.Header.Clone()
		for name := range a.Header {
			a.Header[name] = a.Header[name][:1]
		}
	case "forgets that a body was dropped":
		a.Dropped = false
	case "keeps no fields":
		a.Header = nil
	}
	until := time.Now().Add(keep)
	if s.is("keeps an answer as long as the lease") {
		until = e.until
	}
	lease := l
	if s.is("forgets the fingerprint of what is done") {
		lease.Fingerprint = httpx.Fingerprint{}
	}
	s.entries[s.id(l.Entry)] = entry{lease: lease, until: until, done: true, answer: a}
	return nil
}

func (s *naive) Release(ctx context.Context, l httpx.Lease) error {
	if ctx.Err() != nil && !s.is("ignores the context of release") {
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[s.id(l.Entry)]
	owner := ok && e.lease.Token == l.Token && !e.done
	switch s.bug {
	case "lets anybody release":
		owner = ok && !e.done
	case "releases what is done":
		owner = ok && e.lease.Token == l.Token
	case "does not release":
		owner = false
	}
	if owner {
		delete(s.entries, s.id(l.Entry))
	}
	return nil
}

var bugs = []string{
	"joins the parts of an entry", "joins them with nothing", "does not know the tenant", "does not know the method",
	"does not know the route", "compares keys as a case-insensitive collation does", "pads keys as CHAR columns do",
	"cuts keys", "cuts routes", "takes _ in keys for a wildcard", "ends a tenant at a zero byte",
	"ignores the context of begin", "ignores the context of finish", "ignores the context of release",
	"never ends a lease", "never forgets an answer", "ends a lease at half of its time", "is not atomic",
	"ignores the fingerprint", "compares the fingerprint of answers only", "compares half of the fingerprint",
	"compares the fingerprint of running requests only", "keeps the fingerprint when a lease has run out",
	"forgets the answer", "takes over what runs", "keeps the token when a lease has run out",
	"lets anybody finish", "lets an owner finish twice", "finishes what was never begun",
	"says nothing to an owner that comes late", "drops what is not UTF-8", "keeps the first of several values",
	"forgets that a body was dropped", "keeps no fields", "keeps an answer as long as the lease",
	"forgets the fingerprint of what is done", "lets anybody release", "releases what is done", "does not release",
}

// A suite that passes a wrong store is worse than none. Here time is virtual, so that what is patient does not wait.
func TestSuiteFindsEveryWrongStore(t *testing.T) {
	for _, bug := range bugs {
		t.Run(bug, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failed := storetest.Failures(t.Context(), func() httpx.IdempotencyStore {
					return &naive{bug: bug, entries: map[any]entry{}}
				})
				if len(failed) == 0 {
					t.Error("a store that", bug, "passes")
				}
			})
		})
	}
}

func TestSuitePassesANaiveStoreWithoutABug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := storetest.Failures(t.Context(), func() httpx.IdempotencyStore {
			return &naive{entries: map[any]entry{}}
		})
		if len(failed) > 0 {
			t.Errorf("fails: %s", strings.Join(failed, "; "))
		}
	})
}

func ExampleRun() { //nolint:testableexamples // Run needs a *testing.T
	_ = func(t *testing.T) { // in a test of your store
		storetest.Run(t, func(*testing.T) httpx.IdempotencyStore {
			return httpx.NewMemoryStore(httpx.MemoryStoreConfig{})
		})
	}
	fmt.Println("see TestMemoryStoreIsAStore")
}
