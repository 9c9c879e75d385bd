package seawalltest

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// recorder notes what happens while a scenario runs.
type recorder struct {
	start time.Duration
	width time.Duration

	mu       sync.Mutex // guards the fields below
	bins     []Bin
	inFlight int
	good     []answer
	total    Totals
}

// answer is a call that ended well.
type answer struct{ at, took time.Duration }

func newRecorder(s Scenario) *recorder {
	bins := make([]Bin, (s.Duration+s.Bin-1)/s.Bin)
	for i := range bins {
		bins[i].At = time.Duration(i) * s.Bin
	}
	return &recorder{start: mono.Now(), width: s.Bin, bins: bins}
}

func (r *recorder) now() time.Duration { return mono.Now() - r.start }

// binLocked is the bin of this instant; what comes at the very end belongs to the last one.
func (r *recorder) binLocked() *Bin {
	return &r.bins[min(int(r.now()/r.width), len(r.bins)-1)]
}

func (r *recorder) offered() (at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.binLocked().Offered++
	r.total.Offered++
	r.inFlight++
	return r.now()
}

func (r *recorder) attempted() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.binLocked().Attempts++
	r.total.Attempts++
}

func (r *recorder) ended(begun time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight--
	bin := r.binLocked()
	switch {
	case err == nil:
		bin.Good++
		r.total.Good++
		r.good = append(r.good, answer{r.now(), r.now() - begun})
	case err == errOver: //nolint:errorlint // it is set bare
		r.total.Unfinished++
	case errors.Is(err, seawall.ErrRejected):
		bin.Rejected++
		r.total.Rejected++
	default:
		bin.Failed++
		r.total.Failed++
	}
}

// sample notes at the end of each bin what stands there.
func (r *recorder) sample(dep *server, limit func() float64) {
	for i := range r.bins {
		time.Sleep(time.Duration(i+1)*r.width - r.now())
		l, lim := dep.load(), limit()
		r.mu.Lock()
		b := &r.bins[i]
		b.InFlight, b.Busy, b.Waiting, b.Limit = r.inFlight, l.busy, l.waiting, lim
		r.mu.Unlock()
	}
}

func (r *recorder) report(s Scenario) *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	took := make([]time.Duration, len(r.good))
	for i, a := range r.good {
		took[i] = a.took
	}
	slices.Sort(took)
	return &Report{Bins: r.bins, Width: r.width, Totals: r.total, Seed: s.Seed, answers: r.good, sorted: took}
}
