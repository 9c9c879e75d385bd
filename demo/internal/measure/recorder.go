package measure

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
)

// Recorder keeps what one arm answered and what it said of itself while a scene runs. It is safe for concurrent use. It
// keeps everything, some 200 bytes for each answer: the checker needs all of it.
type Recorder struct {
	slo SLO

	mu      sync.Mutex // guards the fields below
	answers []load.Answer
	samples []Sample
	bins    map[int]*Bin // what is known of each second so far
	ended   []time.Duration
}

// NewRecorder makes an empty recorder.
func NewRecorder(slo SLO) *Recorder { return &Recorder{slo: slo, bins: map[int]*Bin{}} }

// Answer keeps one answer.
func (r *Recorder) Answer(a load.Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = append(r.answers, a)
	n := int(a.At / BinWidth)
	if r.bins[n] == nil {
		r.bins[n] = new(Bin)
	}
	r.bins[n].Add(r.slo, a)
	r.ended = append(r.ended, a.Latency())
}

// Sample keeps what the arm said of itself. Samples come in the order of their times.
func (r *Recorder) Sample(s Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, s)
}

// Live is one second of an arm while the scene runs, for people who watch.
type Live struct {
	Second  int     // the bin: its requests are decided
	Offered int     // requests meant for that second, given by the caller
	Good    int     // of them
	Ended   Latency // of the requests that ended since the last Live, whenever they were sent
	Status  Status  // the latest
	// Shed, Calls and Attempts are by how much the counts grew over the last second.
	Shed, Calls, Attempts uint64
}

// Share returns good by offered.
func (l Live) Share() Share { return Share{l.Good, l.Offered} }

// Live returns what is known of a second whose deadlines have passed. offered is how many requests were sent for it:
// those that are still without an answer are not good any more.
func (r *Recorder) Live(second, offered int) Live {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := Live{Second: second, Offered: offered, Ended: LatencyOf(r.ended)}
	r.ended = r.ended[:0]
	if b := r.bins[second]; b != nil {
		l.Good = b.Good
	}
	if n := len(r.samples); n > 0 {
		before := r.samples[max(0, n-1-int(time.Second/SampleEvery))].Status
		l.Status = r.samples[n-1].Status
		l.Shed = l.Status.Shed - before.Shed
		l.Calls = l.Status.Calls - before.Calls
		l.Attempts = l.Status.Attempts - before.Attempts
	}
	return l
}

// All returns what was kept: the answers by the number of their arrival, the samples by time. The caller owns both.
func (r *Recorder) All() ([]load.Answer, []Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	answers := slices.Clone(r.answers)
	slices.SortFunc(answers, func(a, b load.Answer) int { return cmp.Compare(a.N, b.N) })
	return answers, slices.Clone(r.samples)
}
