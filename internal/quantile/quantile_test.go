package quantile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall/internal/quantile"
)

// naive keeps every latency.
type naive struct {
	length time.Duration
	at, d  []time.Duration
}

func (n *naive) observe(now, d time.Duration) {
	n.at, n.d = append(n.at, now), append(n.d, max(0, min(d, quantile.Max-1)))
}

// quantile returns the percentile of what is in the quarter of now and the three before it.
func (n *naive) quantile(now time.Duration, q float64, least int) (time.Duration, bool) {
	var in []time.Duration
	for i, at := range n.at {
		if n.quarter(now)-n.quarter(at) < 4 {
			in = append(in, n.d[i])
		}
	}
	if len(in) < max(1, least) {
		return 0, false
	}
	slices.Sort(in)
	return in[max(1, min(len(in), int(math.Ceil(q*float64(len(in))))))-1], true
}

func (n *naive) quarter(at time.Duration) int {
	return int(math.Floor(float64(at) / float64(n.length/4)))
}

// step is an operation on both: time passes, and then a latency comes or a percentile is read.
type step struct {
	pass, latency time.Duration
	q             float64 // a reading if not 0
	least         int
}

const length = 4096 * time.Millisecond

// play runs the steps against both, and returns where they differ. Each reading is told the time as one that nobody has
// read at: what serves for a while is tested below.
func play(start time.Duration, script []step) error {
	w, n, now := quantile.New(length), &naive{length: length}, start
	for i, s := range script {
		now += s.pass
		if s.q == 0 {
			w.Observe(now, s.latency)
			n.observe(now, s.latency)
			continue
		}
		now += length/256 + 1
		got, ok := w.Quantile(now, s.q, s.least)
		want, wantOK := n.quantile(now, s.q, s.least)
		if ok != wantOK || ok && (got <= want || got > want+max(32, want/32)) {
			return fmt.Errorf("step %d: got %v, %v, want %v, %v", i, got, ok, want, wantOK)
		}
	}
	return nil
}

// shortest leaves steps out as long as a difference remains.
func shortest(start time.Duration, script []step) []step {
	for i := 0; i < len(script); {
		if shorter := slices.Delete(slices.Clone(script), i, i+1); play(start, shorter) != nil {
			script = shorter
		} else {
			i++
		}
	}
	return script
}

func TestQuantileIsThatOfASortedListButForTheWidthOfABucket(t *testing.T) {
	seeds := uint64(400)
	if raceEnabled {
		seeds = 100
	}
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 1))
		start := time.Duration(random.Int64N(int64(time.Hour))) - 30*time.Minute
		script := make([]step, 1+random.IntN(300))
		for i := range script {
			script[i] = step{
				pass:    time.Duration(random.Int64N(int64(length) / (1 + random.Int64N(200)))),
				latency: time.Duration(math.Exp2(random.Float64() * 44)),
			}
			if random.IntN(4) == 0 {
				script[i].q, script[i].least = random.Float64(), random.IntN(20)
			}
		}
		if err := play(start, script); err != nil {
			script = shortest(start, script)
			t.Fatalf("seed %d: %v\nshortest from %v: %+v: %v", seed, err, start, script, play(start, script))
		}
	}
}

func FuzzQuantileIsThatOfASortedList(f *testing.F) {
	f.Add(int64(0), []byte{1, 2, 3, 255, 128})
	f.Add(int64(-5e9), []byte{0, 40, 0, 40, 16, 41, 0, 250, 16, 255})
	f.Fuzz(func(t *testing.T, start int64, data []byte) {
		var script []step
		for i := 0; i+1 < len(data) && len(script) < 100; i += 2 {
			s := step{pass: time.Duration(data[i]) * length / 64, latency: 1 << (data[i+1] % 64)}
			if data[i+1] >= 192 {
				s.q, s.least = float64(data[i+1]-191)/64, int(data[i]%8)
			}
			script = append(script, s)
		}
		if err := play(time.Duration(start>>8), script); err != nil {
			t.Error(err)
		}
	})
}

// T43
func TestExtremeLatenciesAreCountedAtTheEnds(t *testing.T) {
	for latency, want := range map[time.Duration]time.Duration{
		math.MinInt64:          32,
		-1:                     32,
		0:                      32,
		31:                     32,
		32:                     64,
		1023:                   1024,
		1024:                   1056,
		2047:                   2048,
		time.Hour:              time.Hour,
		quantile.Max - 1:       quantile.Max,
		quantile.Max:           quantile.Max,
		math.MaxInt64:          quantile.Max,
		365 * 24 * time.Hour:   quantile.Max,
		100 * time.Millisecond: 100 * time.Millisecond,
	} {
		w := quantile.New(time.Minute)
		w.Observe(0, latency)
		got, ok := w.Quantile(0, 0.5, 1)
		if !ok || got < want || got > want+want/32 {
			t.Errorf("%d: got %d, %v, want %d", latency, got, ok, want)
		}
	}
}

// T43
func TestExtremesOfTheClockAndTheRankAreHarmless(t *testing.T) {
	for _, q := range []float64{math.Inf(-1), -1, 0, 1e-300, 1, 2, math.Inf(1), math.NaN()} {
		w := quantile.New(time.Minute)
		w.Observe(0, time.Second)
		w.Observe(0, time.Minute)
		got, ok := w.Quantile(0, q, math.MinInt)
		if want := time.Second; !ok || q >= 1 != (got > want*2) {
			t.Errorf("q = %v: got %v, %v", q, got, ok)
		}
	}
	w := quantile.New(0)
	for _, now := range []time.Duration{math.MinInt64, -1, 0, 1, math.MaxInt64, math.MinInt64} {
		w.Observe(now, time.Second)
		if _, ok := w.Quantile(now, 0.5, 1); !ok {
			t.Errorf("nothing is known at %d", now)
		}
	}
}

func TestBucketsFollowEachOtherAndAreNarrow(t *testing.T) {
	latency := time.Duration(0)
	buckets := 0
	for latency < quantile.Max {
		from, to := quantile.Bounds(latency)
		if from != latency || to <= from || to-from > max(32, from/32) {
			t.Fatalf("%d lies in the bucket from %d to %d", latency, from, to)
		}
		if again, _ := quantile.Bounds(to - 1); again != from {
			t.Fatalf("%d lies in the bucket from %d", to-1, again)
		}
		latency = to
		buckets++
	}
	if buckets != 33*32 {
		t.Errorf("%d buckets", buckets)
	}
}

// T8
func TestNothingIsKnownAfterTheWholeWindowInSilence(t *testing.T) {
	for _, start := range []time.Duration{0, -time.Hour, -time.Nanosecond, time.Hour} {
		w := quantile.New(time.Minute)
		for i := range 1000 {
			w.Observe(start, time.Duration(i))
		}
		if _, ok := w.Quantile(start+45*time.Second, 0.5, 1000); !ok {
			t.Error("after three quarters something is forgotten")
		}
		if d, ok := w.Quantile(start+time.Minute, 0.5, 1); ok {
			t.Errorf("after the whole window the median is still %v", d)
		}
	}
}

func TestReadingServesForAMomentAndNoLonger(t *testing.T) {
	readingServes(t, 256*ms, ms)
	readingServes(t, 64*time.Second, 250*ms)
	readingServes(t, 24*time.Hour, 250*ms)
}

const ms = time.Millisecond

func readingServes(t *testing.T, length, moment time.Duration) {
	t.Helper()
	w := quantile.New(length)
	w.Observe(0, time.Second)
	first, _ := w.Quantile(0, 0.5, 1)
	w.Observe(0, time.Minute)
	w.Observe(0, time.Minute)
	if d, ok := w.Quantile(moment, 0.5, 1); !ok || d != first {
		t.Errorf("within the moment: got %v, %v", d, ok)
	}
	if d, ok := w.Quantile(moment+1, 0.5, 1); !ok || d < time.Minute {
		t.Errorf("after the moment: got %v, %v", d, ok)
	}
	// Another question is another reading.
	if d, ok := w.Quantile(moment+1, 0.1, 1); !ok || d > 2*time.Second {
		t.Errorf("another percentile: got %v, %v", d, ok)
	}
	if d, ok := w.Quantile(moment+1, 0.1, 4); ok {
		t.Errorf("of too few: got %v", d)
	}
}

// Goroutines that turn the ring at the same time lose nothing.
func TestConcurrentObservationsAreAllCounted(t *testing.T) {
	const each, writers = 5000, 8
	w := quantile.New(time.Hour)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 7))
			for j := range each {
				now := time.Duration(j) * 30 * time.Minute / each
				w.Observe(now, time.Duration(random.Int64N(int64(time.Second))))
				w.Quantile(now, 0.9, 1)
			}
		})
	}
	wg.Wait()
	if _, ok := w.Quantile(31*time.Minute, 0.5, writers*each); !ok {
		t.Error("some are missing")
	}
	if _, ok := w.Quantile(31*time.Minute, 0.5, writers*each+1); ok {
		t.Error("some were counted twice")
	}
}

func TestObservingAndReadingAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	w := quantile.New(time.Minute)
	w.Observe(0, time.Second)
	if n := testing.AllocsPerRun(1000, func() {
		w.Observe(0, time.Second)
		w.Quantile(0, 0.95, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	w := quantile.New(time.Minute)
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w.Observe(0, time.Millisecond)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				w.Observe(0, time.Millisecond)
			}
		})
	})
}

func BenchmarkQuantile(b *testing.B) {
	w := quantile.New(time.Minute)
	random := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		w.Observe(0, time.Duration(random.ExpFloat64()*float64(10*time.Millisecond)))
	}
	b.Run("cached", func(b *testing.B) {
		for b.Loop() {
			w.Quantile(0, 0.95, 100)
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		q := 0.95
		for b.Loop() {
			q = 1.85 - q
			w.Quantile(0, q, 100)
		}
	})
}
