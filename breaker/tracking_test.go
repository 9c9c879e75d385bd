package breaker_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
)

// naiveTracking is the slow twin of a tracking: the starts of the calls that are neither collected nor ended.
type naiveTracking struct {
	over, start, width time.Duration
	first              int64 // the oldest slice that was not collected
	running            []time.Duration
}

func (n *naiveTracking) slice(start time.Duration) int64 { return int64((start - n.start) / n.width) }

func (n *naiveTracking) due(slice int64) time.Duration {
	return n.start + time.Duration(slice+1)*n.width + n.over
}

// collect takes the oldest slice with calls that is due.
func (n *naiveTracking) collect(limit time.Duration) (count int64, at time.Duration) {
	slices.Sort(n.running)
	if len(n.running) > 0 && n.due(n.slice(n.running[0])) <= limit {
		slice := n.slice(n.running[0])
		for len(n.running) > 0 && n.slice(n.running[0]) == slice {
			n.running = n.running[1:]
			count++
		}
		n.first = slice + 1
		return count, n.due(slice)
	}
	n.first = max(n.first, int64((limit-n.over-n.start)/n.width))
	if limit < n.due(0) {
		n.first = 0
	}
	return 0, 0
}

// FuzzTracking runs a tracking beside its twin: no call is collected before it is slow, none is forgotten, and each is
// either collected or told at its end that it was not. Two bytes are a step.
func FuzzTracking(f *testing.F) {
	f.Add(uint32(0), int64(0), []byte{0, 0, 1, 9, 0, 0, 1, 90, 3, 0, 2, 0, 2, 0})
	f.Add(uint32(5_000_000), int64(-1<<60), []byte{0, 0, 0, 0, 1, 255, 3, 0, 0, 3, 1, 255, 1, 255, 3, 0, 0, 200, 2, 1})
	f.Add(uint32(77), int64(1<<60), []byte{1, 200, 0, 0, 1, 200, 0, 0, 0, 190, 0, 255, 3, 0, 0, 255, 2, 0, 2, 0, 3, 0})
	f.Fuzz(func(t *testing.T, extra uint32, start int64, ops []byte) {
		if len(ops) > 600 {
			return
		}
		now := time.Duration(start) % (1 << 61)
		over := time.Millisecond + time.Duration(extra)
		tr := breaker.NewTracking(over, now)
		twin := naiveTracking{over: over, start: now, width: tr.Width()}
		if twin.width > over/8 || 2*twin.width <= over/8 {
			t.Fatalf("slices of %v for %v", twin.width, over)
		}
		type call struct {
			start     time.Duration
			collected bool
		}
		var calls []call
		collect := func() {
			for {
				n, at := tr.Collect(now)
				want, wantAt := twin.collect(now)
				if n != want || n > 0 && at != wantAt {
					t.Fatalf("collected %d at %v, want %d at %v", n, at, want, wantAt)
				}
				for i := range calls {
					calls[i].collected = calls[i].collected || !slices.Contains(twin.running, calls[i].start)
					if calls[i].collected && calls[i].start+over > now {
						t.Fatalf("a call of %v is collected", now-calls[i].start)
					}
				}
				if n == 0 {
					return
				}
			}
		}
		for ; len(ops) >= 2; ops = ops[2:] {
			much := time.Duration(ops[1])
			switch ops[0] % 4 {
			case 0: // a call begins, held up since it has read the clock
				at := max(twin.start, now-much*over/100)
				slice := twin.slice(at)
				ok := slice >= twin.first && slice < twin.first+breaker.Slots
				if got := tr.Begin(at); got != ok {
					t.Fatalf("begin in slice %d, of which %d is the first: %v", slice, twin.first, got)
				}
				if ok {
					twin.running = append(twin.running, at)
					calls = append(calls, call{start: at})
				}
			case 1:
				now += much * much * over / 1000
			case 2: // one ends
				if len(calls) == 0 {
					continue
				}
				i := int(much) % len(calls)
				if got := tr.End(calls[i].start); got != calls[i].collected {
					t.Fatalf("the call is told that it was collected: %v, want %v", got, calls[i].collected)
				}
				if !calls[i].collected {
					n := slices.Index(twin.running, calls[i].start)
					twin.running = slices.Delete(twin.running, n, n+1)
				}
				calls = slices.Delete(calls, i, i+1)
			case 3:
				collect()
			}
		}
		now += 3 * over
		collect()
		if len(twin.running) > 0 || tr.Busy() {
			t.Fatalf("%v are left", twin.running)
		}
	})
}

// A probe whose call was held up for too long is not lost: it asks again.
func TestProbeThatIsHeldUpGivesItsSlotBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 1})
		bring(t, b, breaker.HalfOpen)
		time.Sleep(time.Second)
		for range 100 {
			if b.AskLate(time.Hour) {
				t.Fatal("admitted at a time before the breaker was half-open")
			}
		}
		for range b.Config().Probes.Calls {
			acquire(t, b)
		}
		reject(t, b)
	})
}
