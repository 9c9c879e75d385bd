package health_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/health"
)

// Random runs of a check, against a reading of the whole history each time.
func TestDebouncingIsWhatItsModelSays(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			fall, rise := 1+random.IntN(4), 1+random.IntN(4)
			var mu sync.Mutex
			var history []bool
			next := true
			b := start(t, health.Config{Fall: fall, Rise: rise}, health.Check{
				Name: "it", Scope: health.Local,
				Run: func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					history = append(history, next)
					if next {
						return nil
					}
					return errDown
				},
			})
			for range 100 {
				mu.Lock()
				next = random.IntN(3) > 0
				mu.Unlock()
				b.after(5 * time.Second)
				mu.Lock()
				want, after := failing(history, fall, rise), slices.Clone(history)
				mu.Unlock()
				if got := b.Status() == health.Fail; got != want {
					t.Fatalf("seed %d, fall %d, rise %d: failing %t, want %t, after %v", seed, fall, rise, got, want, after)
				}
			}
		})
	}
}

// failing is the naive reading: the latest streak that was long enough decides; the first success is one.
func failing(history []bool, fall, rise int) bool {
	first := slices.Index(history, true)
	for end := len(history); end > first+1; end-- {
		streak := 1
		for i := end - 2; i >= 0 && history[i] == history[end-1]; i-- {
			streak++
		}
		switch good := history[end-1]; {
		case good && streak >= rise:
			return false
		case !good && streak >= fall:
			return true
		}
	}
	return false
}

func TestChecksComeAndGoWhileTheyRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{Interval: 10 * time.Millisecond, Timeout: time.Millisecond})
		random := rand.New(rand.NewPCG(1, 2))
		names := map[string]bool{}
		for i := range 2000 {
			name := fmt.Sprint(random.IntN(20))
			if names[name] {
				if !b.Remove(name) {
					t.Fatalf("%d: %s is not there", i, name)
				}
			} else {
				kind := random.IntN(3)
				err := b.Add(health.Check{Name: name, Severity: health.Optional, Run: func(ctx context.Context) error {
					switch kind {
					case 0:
						<-ctx.Done()
					case 1:
						panic("ouch")
					}
					return nil
				}})
				if err != nil {
					t.Fatal(err)
				}
			}
			names[name] = !names[name]
			if random.IntN(4) == 0 {
				time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
			}
			b.Snapshot()
		}
		there := 0
		for _, on := range names {
			if on {
				there++
			}
		}
		if got := len(b.report("/readyz").Checks); got != there {
			t.Errorf("%d checks, want %d", got, there)
		}
	})
}
