package ratelimit_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall/ratelimit"
)

// paperWindow keeps every event in a list.
type paperWindow struct {
	step   time.Duration
	events []paperEvent
}

type paperEvent struct {
	step              int64
	requests, accepts int64
}

func (p *paperWindow) add(now time.Duration, requests, accepts int64) {
	p.events = append(p.events, paperEvent{int64(now / p.step), requests, accepts})
}

func (p *paperWindow) in(now time.Duration) (requests, accepts int64) {
	for _, e := range p.events {
		if e.step > int64(now/p.step)-ratelimit.Steps {
			requests += e.requests
			accepts += e.accepts
		}
	}
	return max(0, requests), accepts
}

// runWindow compares a window with a list, operation by operation: two bytes are what, and how much time goes by.
func runWindow(ops []byte, lift int64) error {
	const step = 10 * time.Millisecond
	w, paper := ratelimit.NewWindow(ratelimit.Steps*step, 0), paperWindow{step: step}
	w.Lift(lift)
	now := time.Duration(0)
	for i := 0; i+1 < len(ops); i += 2 {
		now += time.Duration(ops[i+1]) * time.Millisecond
		if ops[i+1] == 255 {
			now += time.Hour
		}
		switch ops[i] % 4 {
		case 0, 1:
			requests, accepts := w.Request(now)
			if wantR, wantA := paper.in(now); requests != wantR || accepts != wantA {
				return fmt.Errorf("operation %d at %v: a request finds %d, %d, want %d, %d", i/2, now, requests, accepts, wantR, wantA)
			}
			paper.add(now, 1, 0)
		case 2:
			w.Accept(now)
			paper.add(now, 0, 1)
		case 3:
			w.Retract(now)
			paper.add(now, -1, 0)
		}
		requests, accepts := w.In(now)
		if wantR, wantA := paper.in(now); requests != wantR || accepts != wantA {
			return fmt.Errorf("operation %d at %v: in it are %d, %d, want %d, %d", i/2, now, requests, accepts, wantR, wantA)
		}
	}
	return nil
}

// lifts are heights at which the word of the window wraps, or is about to.
var lifts = []int64{0, 1<<32 - 3, math.MaxInt64 - 2, math.MinInt64, -1 << 32}

// T9, T8: the window counts what a list of all events counts, at any height of its word.
func TestWindowDoesNotDifferFromAList(t *testing.T) {
	seeds := 100
	if raceEnabled || testing.Short() {
		seeds = 10
	}
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 9))
		ops := make([]byte, 600)
		for i := range ops {
			ops[i] = byte(rng.Uint32())
			if i%2 == 1 && rng.IntN(4) > 0 {
				ops[i] %= 12 // mostly a step or so
			}
		}
		for _, lift := range lifts {
			if err := runWindow(ops, lift); err != nil {
				t.Fatalf("seed %d, lift %d: %v", seed, lift, err)
			}
		}
	}
}

func FuzzWindow(f *testing.F) {
	f.Add([]byte{0, 0, 2, 1, 3, 9, 0, 10, 0, 255}, 0)
	f.Add([]byte{3, 0, 3, 240, 0, 10, 2, 1}, 2)
	f.Fuzz(func(t *testing.T, ops []byte, lift int) {
		if err := runWindow(ops[:min(len(ops), 2000)], lifts[uint(lift)%uint(len(lifts))]); err != nil {
			t.Error(err)
		}
	})
}

// T9: after an idle gap 100 goroutines find the step over at once, and nothing is lost.
func TestWindowLosesNothingAtARollover(t *testing.T) {
	const callers, each, step = 100, 50, 10 * time.Millisecond
	w := ratelimit.NewWindow(ratelimit.Steps*step, 0)
	for round := range time.Duration(100) {
		now := round * time.Hour
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for range each {
					w.Request(now)
					w.Accept(now + step)
				}
			})
		}
		wg.Wait()
		if requests, accepts := w.In(now + step); requests != callers*each || accepts != callers*each {
			t.Fatalf("round %d: %d requests and %d accepts, want %d of each", round, requests, accepts, callers*each)
		}
	}
}
