package bulkhead

import "math"

// baseline is the latency of a call that does not wait for others: the mean of what was measured below saturation, and not
// the minimum, which says little where some calls have more to do than others. The zero value knows nothing.
type baseline struct {
	mean   float64 // nanoseconds; 0 if it is not known
	weight float64 // calls that stand behind the mean

	// The variance of a single call is estimated from the means of the batches in which it was measured, n·(x̄ᵢ − x̄)²/x̄²
	// each: the method of batch means. It needs no sum of squares on the path of a call.
	squares, batches float64
}

const (
	// heaviest bounds the weight, so that a dependency that changes slowly is followed.
	heaviest = 1000
	// prior is how many batches the assumption counts for that latencies are exponential, whose variation is 1.
	prior = 2
	// longestSeries bounds the batches: the variation may change as well.
	longestSeries = 60
)

// variation2 is the squared coefficient of variation of the latencies.
func (b *baseline) variation2() float64 { return (prior + b.squares) / (prior + b.batches) }

// noise is the standard error of the mean of n latencies, relative to it.
func (b *baseline) noise(n float64) float64 { return math.Sqrt(b.variation2() / max(1, n)) }

// measurement is a mean in the making.
type measurement struct {
	batches []batch
	calls   float64
	sum     float64
}

type batch struct{ calls, sum float64 }

func (m *measurement) add(p *period) {
	if p.succeeded > 0 {
		b := batch{float64(p.succeeded), float64(p.latency)}
		m.batches = append(m.batches, b)
		m.calls += b.calls
		m.sum += b.sum
	}
}

func (m *measurement) reset() { *m = measurement{batches: m.batches[:0]} }

// learn takes a measurement in. doubted says that there was reason to believe that the baseline is wrong: then it counts
// for more, and replaces the baseline if it is another one beyond chance.
func (b *baseline) learn(m *measurement, doubted bool) {
	mean := max(1, m.sum/m.calls)
	b.learnVariation(m, mean)
	switch {
	case b.mean == 0, doubted && math.Abs(mean-b.mean) > max(0.2, 4*b.noise(m.calls))*b.mean:
		b.mean, b.weight = mean, m.calls
		return
	case doubted:
		b.weight = min(b.weight, 2*m.calls)
	}
	b.mean = (b.mean*b.weight + mean*m.calls) / (b.weight + m.calls)
	b.weight = min(b.weight+m.calls, heaviest)
}

func (b *baseline) learnVariation(m *measurement, mean float64) {
	if b.batches > longestSeries {
		b.squares, b.batches = b.squares/2, b.batches/2
	}
	for _, x := range m.batches {
		d := x.sum/x.calls/mean - 1
		b.squares += x.calls * d * d
	}
	b.batches += float64(len(m.batches) - 1) // one of them is spent on the mean
}
