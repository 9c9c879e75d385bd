package httpx_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

func leaseOf(key string) httpx.Lease {
	return httpx.Lease{
		Entry: httpx.IdempotencyEntry{Method: "POST", Route: "/", Key: key}, Token: "t-" + key, For: time.Minute,
	}
}

// begin begins an entry, and returns what it finds.
func begin(t *testing.T, s *httpx.MemoryStore, key string) httpx.Claim {
	t.Helper()
	claim, err := s.Begin(t.Context(), leaseOf(key))
	if err != nil {
		t.Fatal(err)
	}
	return claim
}

func finish(t *testing.T, s *httpx.MemoryStore, key, body string) {
	t.Helper()
	a := httpx.StoredAnswer{Status: 200, Header: http.Header{"X-Key": {key}}, Body: []byte(body)}
	if err := s.Finish(t.Context(), leaseOf(key), a, time.Hour); err != nil {
		t.Fatal(err)
	}
}

func TestFullStoreDropsTheOldestAnswersAndNeverARunningLease(t *testing.T) {
	s := httpx.NewMemoryStore(httpx.MemoryStoreConfig{MaxEntries: 3})
	begin(t, s, "runs")
	for _, key := range []string{"a", "b"} {
		begin(t, s, key)
		finish(t, s, key, "x")
	}
	begin(t, s, "c") // in the place of a
	if got := begin(t, s, "runs").State; got != httpx.ClaimRunning {
		t.Errorf("the lease that runs: %v", got)
	}
	if got := begin(t, s, "b").State; got != httpx.ClaimDone {
		t.Errorf("the younger answer: %v", got)
	}
	if got := begin(t, s, "a").State; got != httpx.ClaimNew { // in the place of b
		t.Errorf("the oldest answer: %v", got)
	}
	if _, err := s.Begin(t.Context(), leaseOf("d")); !errors.Is(err, httpx.ErrStoreFull) {
		t.Errorf("beyond three that run: %v", err)
	}
	if got := s.Stats(); got.Entries != 3 || got.Running != 3 || got.Evicted != 2 {
		t.Errorf("%+v", got)
	}
}

func TestStoreGivesUpBodiesBeforeAnswers(t *testing.T) {
	s := httpx.NewMemoryStore(httpx.MemoryStoreConfig{MaxBytes: 4096})
	body := string(make([]byte, 1000))
	for i := range 4 {
		key := fmt.Sprint(i)
		begin(t, s, key)
		finish(t, s, key, body)
	}
	for i := range 4 {
		claim := begin(t, s, fmt.Sprint(i))
		whole := i >= 2
		if claim.State != httpx.ClaimDone || claim.Answer.Dropped == whole || (len(claim.Answer.Body) == 1000) != whole ||
			claim.Answer.Header.Get("X-Key") != fmt.Sprint(i) {
			t.Errorf("%d: %+v", i, claim)
		}
	}
	if got := s.Stats(); got.BodiesDropped != 2 || got.Evicted != 0 || got.Bytes > 4096 {
		t.Errorf("%+v", got)
	}
}

func TestAnswerLargerThanTheWholeStoreIsKeptWithoutItsBody(t *testing.T) {
	s := httpx.NewMemoryStore(httpx.MemoryStoreConfig{MaxBytes: 4096})
	begin(t, s, "k")
	finish(t, s, "k", string(make([]byte, 10_000)))
	if claim := begin(t, s, "k"); claim.State != httpx.ClaimDone || !claim.Answer.Dropped {
		t.Errorf("%+v", claim)
	}
}

func TestStoreForgetsWhatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := httpx.NewMemoryStore(httpx.MemoryStoreConfig{})
		for i := range 100 {
			begin(t, s, fmt.Sprint(i))
			if i%2 == 0 {
				finish(t, s, fmt.Sprint(i), "x")
			}
		}
		time.Sleep(2 * time.Hour)
		begin(t, s, "last")
		if got := s.Stats(); got.Entries != 1 || got.Running != 1 || got.Evicted != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// Leases and answers of any length, begun and ended in any order: the bounds hold after each step, the bytes are those
// of what is there, and what runs stays.
func TestStoreKeepsItsBoundsWhateverComes(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			cfg := httpx.MemoryStoreConfig{MaxEntries: 8, MaxBytes: 6000}
			s := httpx.NewMemoryStore(cfg)
			running := map[string]time.Time{}
			for step := range 300 {
				key := fmt.Sprint(r.IntN(20))
				lease := leaseOf(key)
				lease.For = time.Duration(1+r.IntN(60)) * time.Second
				until, runs := running[key]
				runs = runs && time.Now().Before(until)
				switch r.IntN(4) {
				case 0, 1:
					claim, err := s.Begin(t.Context(), lease)
					switch {
					case runs && (err != nil || claim.State != httpx.ClaimRunning):
						t.Fatalf("seed %d, step %d: a lease that runs is found as %v, %v", seed, step, claim.State, err)
					case err == nil && claim.State == httpx.ClaimNew:
						running[key] = time.Now().Add(lease.For)
					}
				case 2:
					a := httpx.StoredAnswer{Status: 200, Body: make([]byte, r.IntN(2)*r.IntN(3000))}
					err := s.Finish(t.Context(), lease, a, time.Duration(1+r.IntN(100))*time.Second)
					if runs != (err == nil) {
						t.Fatalf("seed %d, step %d: finished with %v, runs: %v", seed, step, err, runs)
					}
					delete(running, key)
				case 3:
					time.Sleep(time.Duration(r.IntN(20)) * time.Second)
				}
				if got := s.Stats(); got.Entries > cfg.MaxEntries || got.Bytes > cfg.MaxBytes || got.Bytes < int64(512*got.Entries) {
					t.Fatalf("seed %d, step %d: %+v", seed, step, got)
				}
			}
			time.Sleep(time.Hour)
			if err := s.Release(t.Context(), leaseOf("none")); err != nil {
				t.Fatal(err)
			}
			begin(t, s, "last")
			if got := s.Stats(); got.Entries != 1 || got.Bytes != 512 {
				t.Fatalf("seed %d: in the end %+v", seed, got)
			}
		})
	}
}

func TestStoreIsUsedFromEverywhere(t *testing.T) {
	s := httpx.NewMemoryStore(httpx.MemoryStoreConfig{MaxEntries: 10, MaxBytes: 8000})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				lease := leaseOf(fmt.Sprint((i + j) % 12))
				lease.Token = fmt.Sprint(i, "-", j)
				claim, err := s.Begin(context.Background(), lease)
				if err != nil || claim.State != httpx.ClaimNew {
					continue
				}
				if j%3 == 0 {
					_ = s.Release(context.Background(), lease)
				} else if err := s.Finish(context.Background(), lease, httpx.StoredAnswer{Body: make([]byte, 700)}, time.Hour); err != nil {
					t.Error(err)
				}
				_ = s.Stats()
			}
		})
	}
	wg.Wait()
}

func TestMemoryStoreConfigIsValidated(t *testing.T) {
	for want, cfg := range map[string]httpx.MemoryStoreConfig{
		"httpx: MemoryStoreConfig.MaxEntries is -1, want at least 1":   {MaxEntries: -1},
		"httpx: MemoryStoreConfig.MaxBytes is 100, want at least 4096": {MaxBytes: 100},
	} {
		if err := cfg.Validate(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		func() {
			defer func() {
				if v := recover(); v != want {
					t.Errorf("New panics with %v", v)
				}
			}()
			httpx.NewMemoryStore(cfg)
		}()
	}
}
