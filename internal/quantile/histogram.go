package quantile

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Buckets: those below 2^firstBits ns are 32 ns wide; from there on each doubling, an octave, has 32.
const (
	subBits   = 5
	perOctave = 1 << subBits
	firstBits = 10
	lastBits  = 42
	octaves   = 1 + lastBits - firstBits
)

// Max is the longest latency that a [Window] tells from longer ones: 73 minutes and 18 seconds.
const Max time.Duration = 1 << lastBits

// histogram counts latencies. Its octaves are made when they are first needed: latencies lie in few of them.
type histogram struct {
	octaves [octaves]atomic.Pointer[octave]
}

type octave [perOctave]atomic.Uint32

func (h *histogram) add(latency time.Duration) {
	o, sub := bucket(latency)
	counts := h.octaves[o].Load()
	for counts == nil {
		h.octaves[o].CompareAndSwap(nil, &octave{})
		counts = h.octaves[o].Load()
	}
	counts[sub].Add(1)
}

// bucket returns where a latency is counted.
func bucket(latency time.Duration) (o, sub int) {
	ns := uint64(max(0, min(latency, Max-1)))
	if ns < 1<<firstBits {
		return 0, int(ns >> (firstBits - subBits))
	}
	n := bits.Len64(ns) // the octave is from 2^(n-1) to 2^n
	return n - firstBits, int(ns>>(n-1-subBits)) & (perOctave - 1)
}

// upper returns the end of a bucket: the shortest latency that lies above it.
func upper(o, sub int) time.Duration {
	if o == 0 {
		return time.Duration(sub+1) << (firstBits - subBits)
	}
	return time.Duration(perOctave+sub+1) << (firstBits - 1 - subBits + o)
}

// tally is the sum of histograms.
type tally struct {
	counts [octaves][perOctave]uint64
	total  uint64
}

func (h *histogram) addTo(t *tally) {
	for o := range h.octaves {
		if counts := h.octaves[o].Load(); counts != nil {
			for sub := range counts {
				n := uint64(counts[sub].Load())
				t.counts[o][sub] += n
				t.total += n
			}
		}
	}
}

// ranked returns the end of the bucket in which the latency of a rank, from 1 to total, lies.
func (t *tally) ranked(rank uint64) time.Duration {
	for o := range t.counts {
		for sub, n := range t.counts[o] {
			if rank <= n {
				return upper(o, sub)
			}
			rank -= n
		}
	}
	return Max // not reached: the ranks end at the total
}
