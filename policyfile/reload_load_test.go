package policyfile_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/policyfile"
)

// T46: two files that each make sense, and would not if mixed: an hour goes with two attempts, two hours with three.
func TestNoCallSeesAMixOfTwoFiles(t *testing.T) {
	files := [2]string{
		"chains: {a: [timeout: {name: hour, limit: 1h}, retry: {name: two, max_attempts: 2, funding: none, backoff: {kind: immediate}}]}",
		"chains: {a: [timeout: {name: hours, limit: 2h}, retry: {name: three, max_attempts: 3, funding: none, backoff: {kind: immediate}}]}",
	}
	set := parse(t, files[0], policyfile.Options{})
	a := set.Chain("a")
	var met [4]atomic.Int64
	var done atomic.Bool
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := 0; !done.Load(); n++ {
				attempts, left := 0, time.Duration(0)
				op := func(ctx context.Context) error {
					attempts++
					left, _ = seawall.Remaining(ctx)
					return errDown
				}
				if i%2 == 0 {
					_ = a.Do(t.Context(), op)
				} else {
					_ = a.Current().Do(t.Context(), op)
				}
				if attempts < 2 || attempts > 3 || left > time.Duration(attempts-1)*time.Hour || left < time.Duration(attempts-1)*time.Hour-time.Minute {
					t.Errorf("%d attempts in %v", attempts, left)
					return
				}
				met[attempts].Add(1)
			}
		})
	}
	rounds := 150
	if raceEnabled {
		rounds = 40
	}
	for i := range rounds {
		update(t, set, files[(i+1)%2])
		time.Sleep(100 * time.Microsecond) // calls of both kinds
	}
	done.Store(true)
	wg.Wait()
	if met[2].Load() == 0 || met[3].Load() == 0 {
		t.Errorf("calls had 2 attempts %d times, and 3 attempts %d times", met[2].Load(), met[3].Load())
	}
}

// T46, T75, T41: whatever is done to a set at the same time, every permit ends, nothing leaks, and the last file is in force.
func TestReloadsUnderLoad(t *testing.T) {
	variants := []string{
		"chains: {a: [timeout: {limit: 1h}, bulkhead: {limit: %d}], k: {per_key: {max_keys: 10}, policies: [breaker: {min_calls: %[1]d}]}}",
		"chains: {a: [bulkhead: {limit: %d}, retry], k: {per_key: {max_keys: 20}, policies: [breaker: {min_calls: %[1]d}]}}",
		"budgets: {s: {burst: %d}}\nchains: {a: [bulkhead: {limit: %[1]d}, retry: {budget: s}], k: {per_key: {max_keys: 10}, policies: [bulkhead: {limit: %[1]d}]}, b: [retry]}",
	}
	file := func(n int) string { return fmt.Sprintf(variants[n%len(variants)], 10+n%7) }
	set := parse(t, file(0), policyfile.Options{})
	a, k := set.Chain("a"), set.Keyed("k")
	gate := member[*bulkhead.Bulkhead](t, a.Current(), 0)
	var calls, ran atomic.Int64
	var done atomic.Bool
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for !done.Load() {
				calls.Add(2)
				op := func(context.Context) error {
					ran.Add(1)
					return nil
				}
				if err := a.Do(t.Context(), op); err != nil && !errors.Is(err, seawall.ErrRejected) {
					t.Error(err)
				}
				if err := k.For(fmt.Sprint(random.IntN(15))).Do(t.Context(), op); err != nil {
					t.Error(err)
				}
				_, _, _ = set.Text(), set.Names(), set.Findings()
			}
		})
	}
	rounds := 100
	if raceEnabled {
		rounds = 30
	}
	for i := range rounds {
		update(t, set, file(i))
		if i%5 == 0 {
			if _, err := set.Update([]byte("chains: {a: [retry: {max_attempts: -5}]}")); err == nil {
				t.Error("a bad file was taken")
			}
		}
	}
	update(t, set, file(rounds))
	done.Store(true)
	wg.Wait()
	if gate != member[*bulkhead.Bulkhead](t, a.Current(), 0) || gate.Stats().InUse != 0 || gate.Config().Limit != 10+rounds%7 {
		t.Errorf("the bulkhead is another one, or has %+v and %+v", gate.Stats(), gate.Config())
	}
	if ran.Load() == 0 || ran.Load() > calls.Load() {
		t.Errorf("%d of %d calls ran", ran.Load(), calls.Load())
	}
	if set.Text() != parse(t, file(rounds), policyfile.Options{}).Text() {
		t.Errorf("the file in force is\n%s", set.Text())
	}
}

// T77: neither a set that is dropped nor a policy that a file no longer has stays in the registry, nor in memory.
func TestRegistryKeepsNothingAlive(t *testing.T) {
	registry := quiet()
	last := parse(t, "chains: {a: [retry]}", policyfile.Options{Registry: registry})
	for i := range 100 {
		set := parse(t, "chains: {a: [retry, breaker], k: {per_key: , policies: [bulkhead]}}", policyfile.Options{Registry: registry})
		_ = set.Chain("a").Do(t.Context(), succeed)
		_ = set.Keyed("k").For("x").Do(t.Context(), succeed)
		update(t, last, fmt.Sprintf("chains: {a: [retry: {name: r%d}], k: {per_key: , policies: [bulkhead: {name: b%[1]d}]}}", i))
	}
	for deadline := time.Now().Add(5 * time.Second); len(registry.Members()) > 2; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%d are still there after a garbage collection", len(registry.Members()))
		}
	}
	runtime.KeepAlive(last)
}
