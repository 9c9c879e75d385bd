package bulkhead

import (
	"math/bits"
	"runtime"
	"sync/atomic"
	"time"
)

// end is how a call ended, as far as it matters to a limit.
type end int

const (
	endedWell       end = iota // its latency counts
	endedLate                  // well, but after a time that makes it a drop
	endedFailed                // quickly
	endedTimedOut              // or failed slowly
	endedInVain                // timed out so soon that it never had a chance
	endedOverloaded            // pushed back
	endedIgnored
	endKinds
)

// tally counts ends, and sums up the latencies of those that ended well. It only ever grows, so that a period is the
// difference of two tallies; the sum of latencies may wrap, the difference is right all the same.
type tally struct {
	n       [endKinds]int64
	latency int64 // nanoseconds
}

// since returns what was counted after an earlier tally.
func (t *tally) since(earlier *tally) period {
	d := func(e end) int64 { return t.n[e] - earlier.n[e] }
	return period{
		succeeded: d(endedWell),
		latency:   time.Duration(t.latency - earlier.latency),
		failed:    d(endedFailed),
		dropped:   d(endedLate) + d(endedTimedOut) + d(endedOverloaded),
	}
}

// ends is a tally that many calls write. It has a stripe for each processor, nearly, and a call takes one by the last
// digits of its time, which are as good as random. A call that writes while the stripes are being summed may be in one
// number and not yet in the other: an error of one call in a period, which the next one makes up for.
type ends struct {
	stripes []stripe
	shift   uint // which leaves as many bits of a hash as there are stripes
}

type stripe struct {
	n       [endKinds]atomic.Int64
	latency atomic.Int64
	_       [128 - 8*(endKinds+1)]byte
}

const mostStripes = 16

func newEnds() ends {
	n := min(mostStripes, runtime.GOMAXPROCS(0))
	width := bits.Len(uint(n - 1))
	return ends{stripes: make([]stripe, 1<<width), shift: uint(64 - width)}
}

func (e *ends) at(now time.Duration) *stripe {
	const golden = 0x9E3779B97F4A7C15 // 2⁶⁴/φ: Fibonacci hashing
	return &e.stripes[uint64(now)*golden>>e.shift]
}

func (e *ends) add(now time.Duration, how end) { e.at(now).n[how].Add(1) }

func (e *ends) addLatency(now, took time.Duration) {
	s := e.at(now)
	s.latency.Add(int64(took))
	s.n[endedWell].Add(1)
}

func (e *ends) sum() (t tally) {
	for i := range e.stripes {
		s := &e.stripes[i]
		for how := range t.n {
			t.n[how] += s.n[how].Load()
		}
		t.latency += s.latency.Load()
	}
	return t
}
