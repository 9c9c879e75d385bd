package measure

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// Watch looks at the machine while a scene runs: how much of its processors the process uses, and how punctually it
// wakes up. It owns two goroutines from [StartWatch] to Stop.
type Watch struct {
	cpu    func() (time.Duration, bool)
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu         sync.Mutex // guards the fields below
	used       []reading  // one at the start, and then one a second
	overshoots []time.Duration
}

// reading is how much processor time the process has used at an instant.
type reading struct{ at, used time.Duration }

const (
	watchEvery = time.Second
	napLength  = 10 * time.Millisecond
)

// StartWatch begins to watch. cpu returns the processor time that the process has used so far, and false where the
// system does not tell: [ProcessCPU], or a fake for tests. Stop must be called.
func StartWatch(cpu func() (time.Duration, bool)) *Watch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watch{cpu: cpu, cancel: cancel}
	w.read()
	w.done.Go(func() { w.nap(ctx) })
	w.done.Go(func() {
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				w.read()
			case <-ctx.Done():
				return
			}
		}
	})
	return w
}

func (w *Watch) read() {
	used, ok := w.cpu()
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used = append(w.used, reading{mono.Now(), used})
}

// nap sleeps again and again, and notes by how much each sleep was too long.
func (w *Watch) nap(ctx context.Context) {
	timer := time.NewTimer(napLength)
	defer timer.Stop()
	for {
		began := mono.Now()
		timer.Reset(napLength)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		over := mono.Now() - began - napLength
		w.mu.Lock()
		w.overshoots = append(w.overshoots, over)
		w.mu.Unlock()
	}
}

// Stop ends the watch, waits for its goroutines, and returns what was seen. It may be called more than once.
func (w *Watch) Stop() Machine {
	w.cancel()
	w.done.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return Machine{
		Cores:   cores,
		CPU:     busiest(w.used, cores),
		NapP99:  LatencyOf(slices.Clone(w.overshoots)).P99,
		Watched: len(w.overshoots) > 0,
	}
}

// busyFor is the time over which the use of the processors is averaged.
const busyFor = 5 * time.Second

// busiest returns the highest share of all processors that was used in any 5 s, or in all if that was shorter. A window
// may be longer than 5 s by one reading, because readings are a little apart from their second.
func busiest(used []reading, cores int) float64 {
	worst := 0.0
	for i := range used {
		for j := i + 1; j < len(used); j++ {
			took := used[j].at - used[i].at
			whole := i == 0 && j == len(used)-1
			if took < busyFor && !whole {
				continue
			}
			if took > 0 {
				worst = max(worst, float64(used[j].used-used[i].used)/float64(took)/float64(cores))
			}
			break
		}
	}
	return worst
}

// cores is how many processors the program may use, by its container's limit too. It is read before main asks for more
// threads than that.
var cores = runtime.GOMAXPROCS(0)
