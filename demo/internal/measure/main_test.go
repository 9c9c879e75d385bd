package measure_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const ms = time.Millisecond

// answers makes some of every kind and grade, many of them on the edges of seconds and deadlines.
func answers(r *rand.Rand, n int, length time.Duration) []load.Answer {
	pick := func(ds ...time.Duration) time.Duration { return ds[r.IntN(len(ds))] }
	all := make([]load.Answer, n)
	for i := range all {
		kind := []load.Kind{load.SeatMap, load.Catalog, load.Hold}[r.IntN(3)]
		at := time.Duration(r.Int64N(int64(length)))
		if r.IntN(4) == 0 {
			at = at.Truncate(time.Second)
		}
		sent := at + pick(0, 0, 10*ms, 10*ms+1)
		all[i] = load.Answer{
			Request: load.Request{N: uint64(i + 1), At: at, Kind: kind},
			Sent:    sent,
			Done:    at + pick(50*ms, 250*ms, 250*ms+1, 500*ms, 500*ms+1, time.Second, time.Duration(r.Int64N(4e9))),
			Status:  []int{200, 200, 200, 201, 409, 503, 429, 500, 0}[r.IntN(9)],
			Err:     []string{"", "", "", "timeout"}[r.IntN(4)],
			Valid:   r.IntN(8) > 0, Stale: r.IntN(3) == 0, Conflict: r.IntN(6) == 0, Pushback: r.IntN(10) == 0,
			Age: pick(0, 0, time.Second, 2*time.Second, 2*time.Second+1, 15*time.Second, 15*time.Second+1, time.Hour),
		}
	}
	return all
}
