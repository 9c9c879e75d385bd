package papers_test

import (
	"math"
	"math/rand/v2"
)

// occ is the model of Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: clients want one
// successful write each to one versioned row. A client reads, writes with the version that it has read, and if that has
// moved waits and starts over. A hop takes |N(10, 2)| ms, the server no time. All times are in milliseconds.
type occ struct {
	random  *rand.Rand
	version int
	clients []occClient // a heap: the next event is the first one's
}

// occClient has one event to come: its read or its write arrives at the server.
type occClient struct {
	at      float64
	writes  bool
	version int // that it has read
	wait    func() float64
}

// law makes the waits of one client.
type law func(random *rand.Rand) (wait func() float64)

func (o *occ) hop() float64 { return math.Abs(10 + 2*o.random.NormFloat64()) }

// run plays n clients, and returns how many writes they needed, and when the last one had its answer.
func (o *occ) run(n int, of law) (writes int, took float64) {
	o.version, o.clients = 0, o.clients[:0]
	for range n {
		o.clients = append(o.clients, occClient{at: o.hop(), wait: of(o.random)})
	}
	for i := n / 2; i >= 0; i-- {
		o.sink(i)
	}
	for len(o.clients) > 0 {
		c := &o.clients[0]
		switch {
		case !c.writes: // back to the client, and on to the server again
			c.writes, c.version = true, o.version
			c.at += o.hop() + o.hop()
		case c.version == o.version:
			writes++
			o.version++
			took = max(took, c.at+o.hop())
			last := len(o.clients) - 1
			*c = o.clients[last]
			o.clients = o.clients[:last]
		default:
			writes++
			c.writes = false
			c.at += o.hop() + c.wait() + o.hop()
		}
		o.sink(0)
	}
	return writes, took
}

// sink moves a client down the heap to its place.
func (o *occ) sink(i int) {
	for h := o.clients; ; {
		first := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].at < h[first].at {
				first = child
			}
		}
		if first == i {
			return
		}
		h[i], h[first] = h[first], h[i]
		i = first
	}
}

// effort is what one law needs for some number of clients, the mean of some runs.
type effort struct{ writes, seconds float64 }

func occEffort(clients, runs int, seed uint64, of law) (mean effort) {
	o := &occ{random: rand.New(rand.NewPCG(seed, uint64(clients)))}
	for range runs {
		writes, took := o.run(clients, of)
		mean.writes += float64(writes) / float64(runs)
		mean.seconds += took / 1000 / float64(runs)
	}
	return mean
}
