package measure

import (
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
)

// BinWidth is the length of a [Bin].
const BinWidth = time.Second

// Bin is one second of one arm. What customers saw is in the bin of the intended send; what the arm says of itself,
// Shed, Calls and Attempts, is in the bin in which it happened.
type Bin struct {
	Offered int `json:"offered"` // requests that were to be sent
	Good    int `json:"good"`
	Stale   int `json:"stale"`   // of Good, those that marked themselves as stale
	Slow    int `json:"slow"`    // right, and after the deadline
	Refused int `json:"refused"` // an honest "not now"
	Errors  int `json:"errors"`  // failed, wrong or too old

	Shed     uint64 `json:"shed"`
	Calls    uint64 `json:"calls"`
	Attempts uint64 `json:"attempts"`

	Latency Latency `json:"latency"` // of all requests, also those that failed
}

// Add counts one answer.
func (b *Bin) Add(slo SLO, a load.Answer) {
	b.Offered++
	switch slo.Grade(a) {
	case Good:
		b.Good++
		if a.Stale {
			b.Stale++
		}
	case Slow:
		b.Slow++
	case Refused:
		b.Refused++
	case Failed, Wrong, TooOld:
		b.Errors++
	}
}

// Bins sorts the answers of a scene into seconds, the last of which may be shorter. An answer whose request was meant
// for a time beyond length is left out. Samples are in the order of their times.
func Bins(slo SLO, length time.Duration, answers []load.Answer, samples []Sample) []Bin {
	bins := make([]Bin, binsOf(length))
	latencies := make([][]time.Duration, len(bins))
	for _, a := range answers {
		n := int(a.At / BinWidth)
		if a.At < 0 || n >= len(bins) {
			continue
		}
		bins[n].Add(slo, a)
		latencies[n] = append(latencies[n], a.Latency())
	}
	for n := range bins {
		bins[n].Latency = LatencyOf(latencies[n])
	}
	addCounts(bins, samples)
	return bins
}

func binsOf(length time.Duration) int { return int((length + BinWidth - 1) / BinWidth) }

// addCounts gives each bin what the cumulative counts grew by in it. A sample belongs to the bin in which it was taken;
// one taken exactly between two ends the first. What was counted before the first sample, while the arm warmed up,
// belongs to none.
func addCounts(bins []Bin, samples []Sample) {
	if len(samples) == 0 {
		return
	}
	before := samples[0].Status
	next := 0
	for n := range bins {
		after := before
		for next < len(samples) && samples[next].At <= time.Duration(n+1)*BinWidth {
			after = samples[next].Status
			next++
		}
		bins[n].Shed = after.Shed - before.Shed
		bins[n].Calls = after.Calls - before.Calls
		bins[n].Attempts = after.Attempts - before.Attempts
		before = after
	}
}

// Goodput returns good ÷ offered of a bin, and false if nothing was offered.
func (b Bin) Goodput() (float64, bool) {
	if b.Offered == 0 {
		return 0, false
	}
	return float64(b.Good) / float64(b.Offered), true
}

// AttemptsPerCall returns attempts ÷ calls, and false if there was no call.
func (b Bin) AttemptsPerCall() (float64, bool) {
	if b.Calls == 0 {
		return 0, false
	}
	return float64(b.Attempts) / float64(b.Calls), true
}
