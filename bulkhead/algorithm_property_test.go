package bulkhead_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// runEnds tells a model of any list of ends, and reports the first limit that is out of bounds.
func runEnds(t *testing.T, cfg bulkhead.AdaptiveConfig, ops []byte) {
	t.Helper()
	now := origin
	m := bulkhead.NewModel(cfg, now)
	low, high := max(1, cfg.Min), cfg.Max
	for i := 0; i+8 <= len(ops); i += 8 {
		// The time since the last end, how long the call took, in powers of two up to centuries, and how it ended.
		now += time.Duration(binary.LittleEndian.Uint16(ops[i:])) << (ops[i+2] % 24)
		took := time.Duration(binary.LittleEndian.Uint16(ops[i+3:])) << (ops[i+5] % 47)
		m.Observe(bulkhead.Ending{
			Now: now, Took: took, InFlight: int(ops[i+6]),
			Outcome: seawall.Outcome(ops[i+7] % 5), TimedOut: ops[i+7] > 200,
		})
		if l, learned := m.Limit(), m.Learned(); l < low || l > high || learned < low || learned > high {
			t.Fatalf("after %d ends the limit is %d, and %d was learned, want %d to %d", i/8+1, l, learned, low, high)
		}
		if m.Baseline() < 0 {
			t.Fatalf("after %d ends the baseline is %v", i/8+1, m.Baseline())
		}
	}
}

// T61, T43: whatever calls do, the limit stays within its bounds, and no number overflows.
func TestLimitStaysWithinItsBounds(t *testing.T) {
	lists := 2000
	if raceEnabled || testing.Short() {
		lists = 100
	}
	for seed := range uint64(lists) {
		rng := rand.New(rand.NewPCG(seed, 61))
		ops := make([]byte, 8*2000)
		for i := range ops {
			ops[i] = byte(rng.Uint32())
			switch i % 8 { // half of the lists are of calls that are nearly plausible
			case 2:
				ops[i] %= byte(8 + 16*(seed%2))
			case 5:
				ops[i] %= byte(16 + 30*(seed%2))
			case 7:
				ops[i] *= byte(rng.IntN(3) / 2)
			}
		}
		low := 1 + rng.IntN(50)
		cfg := bulkhead.AdaptiveConfig{Algorithm: bulkhead.Knee + bulkhead.Algorithm(seed%3/2), Min: low, Max: low + rng.IntN(200)}
		runEnds(t, cfg, ops)
		if t.Failed() {
			t.Fatalf("seed %d, configuration %+v", seed, cfg)
		}
	}
}

// FuzzLimit tells both algorithms of any list of ends.
func FuzzLimit(f *testing.F) {
	for _, end := range []byte{0, 1, 2, 3, 4, 201} {
		var ops []byte
		for range 200 {
			ops = append(ops, 100, 0, 16, 100, 0, 20, 30, end)
		}
		f.Add(byte(1), byte(100), ops)
	}
	f.Add(byte(1), byte(0), []byte{255, 255, 23, 255, 255, 46, 255, 0})
	f.Fuzz(func(t *testing.T, low, more byte, ops []byte) {
		ops = ops[:min(len(ops), 8*4000)]
		for algorithm := bulkhead.Knee; algorithm <= bulkhead.AIMD; algorithm++ {
			runEnds(t, bulkhead.AdaptiveConfig{
				Algorithm: algorithm, Min: max(1, int(low)), Max: max(1, int(low)) + int(more),
			}, ops)
		}
	})
}
