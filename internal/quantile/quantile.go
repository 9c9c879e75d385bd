// Package quantile estimates a percentile of the latencies of the last while.
//
// A [Window] is a histogram with logarithmic buckets, as in Gil Tene's HdrHistogram: 32 buckets for each doubling, so a
// percentile that is read is at most 1/32 above the true one of what was observed, and never below it. It keeps a
// histogram for each quarter of its length, and forgets a quarter at a time.
package quantile

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	slices = 4 // of a Window: it holds the latest three quarters of its length, and up to all of it

	// A percentile that was read serves for this fraction of the length, and no longer than this.
	freshness = 256
	freshest  = 250 * time.Millisecond
)

// Window holds the latencies of the last while. Make it with [New]. It is safe for concurrent use.
//
// Observe costs one atomic addition and takes no lock. It allocates only when a quarter of the length has passed, and
// for the first latency of its magnitude since then. A Window takes some 150 bytes for each quarter and doubling in which
// latencies lie: 5 KB if they vary by a factor of 100, 18 KB at the most.
//
// All its methods are told the time, a reading of mono.Now.
type Window struct {
	slice time.Duration
	fresh time.Duration // for how long a reading serves
	last  atomic.Pointer[reading]

	_    [64]byte // what is written once in a while, off the line of what is only read
	ring atomic.Pointer[ring]
}

// ring is which histogram stands for which time. It is never changed: time that passes makes another one.
type ring struct {
	step       int64 // number of the latest slice
	histograms [slices]*histogram
}

// reading is a percentile that was read.
type reading struct {
	at    time.Duration
	q     float64
	least int

	value time.Duration
	known bool
}

// New makes a Window that forgets what is older than length, which is at least a microsecond.
func New(length time.Duration) *Window {
	length = max(time.Microsecond, length)
	w := &Window{slice: length / slices, fresh: min(length/freshness, freshest)}
	w.ring.Store(&ring{step: math.MinInt64})
	return w
}

// Observe takes in a latency. Negative ones count as 0, those above [Max] as Max.
func (w *Window) Observe(now, latency time.Duration) {
	w.at(now).histograms[0].add(latency)
}

// Quantile returns the latency that a share q of those observed does not exceed: the smallest that is at least as long as
// q of them, rounded up by at most 1/32, or to a multiple of 32 ns. ok is false if fewer than least were observed. q is
// cut to 0 to 1, and least is 1 at the least.
//
// A value that was read serves for 1/256 of the Window's length, and 250 ms at the most, before it is read anew, which
// takes about a microsecond.
func (w *Window) Quantile(now time.Duration, q float64, least int) (value time.Duration, ok bool) {
	last := w.last.Load()
	// The comparison with 0 is for a reading of the clock that is older than that of another goroutine.
	if last == nil || last.q != q || last.least != least || now-last.at > w.fresh || now-last.at < 0 {
		value, ok = w.at(now).quantile(q, least)
		last = &reading{at: now, q: q, least: least, value: value, known: ok}
		w.last.Store(last)
	}
	return last.value, last.known
}

// at returns the ring of a time. Who comes with an older reading of the clock gets the latest ring.
func (w *Window) at(now time.Duration) *ring {
	step := floorDiv(int64(now), int64(w.slice))
	for {
		r := w.ring.Load()
		if step <= r.step {
			return r
		}
		// Whoever still holds r counts into a histogram that the next ring has as well, unless it is as old as the whole
		// window.
		next := &ring{step: step}
		next.histograms[0] = &histogram{}
		for i, h := range r.histograms {
			if passed := uint64(step) - uint64(r.step); passed < uint64(slices-i) {
				next.histograms[i+int(passed)] = h
			}
		}
		if w.ring.CompareAndSwap(r, next) {
			return next
		}
	}
}

func (r *ring) quantile(q float64, least int) (time.Duration, bool) {
	var all tally
	for _, h := range r.histograms {
		if h != nil {
			h.addTo(&all)
		}
	}
	if all.total < uint64(max(1, least)) {
		return 0, false
	}
	return all.ranked(rank(q, all.total)), true
}

// rank returns which of n values in order is the quantile: ⌈qn⌉, from 1 to n.
func rank(q float64, n uint64) uint64 {
	if !(q > 0) { // or NaN
		return 1
	}
	return max(1, min(n, uint64(math.Ceil(min(1, q)*float64(n)))))
}

// floorDiv divides towards the smaller, so that slices are equally long on both sides of 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
