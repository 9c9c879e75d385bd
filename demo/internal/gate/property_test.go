package gate_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/draw"
	"github.com/seawall-go/seawall/demo/internal/gate"
)

// Every request's fate equals that of the naive model: order, service time, departure, and what faults do to them. All
// instants are different to the nanosecond, so that no two events meet.
func TestNoRequestsFateDiffersFromTheModel(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		cfg := gate.Config{Workers: 1 + r.IntN(8), Mean: 40 * time.Millisecond, Sigma: 0.5, Draws: draw.New(seed)}
		span := 2 * time.Second
		var steps []step
		for range r.IntN(4) {
			steps = append(steps, step{
				at:       time.Duration(r.Int64N(int64(span))),
				slow:     []float64{1, 2, 10}[r.IntN(3)],
				capacity: []float64{1, 0.4, 0.55, 0.05}[r.IntN(4)],
			})
		}
		var requests []request
		for range 5 + r.IntN(200) {
			q := request{arrives: time.Duration(r.Int64N(int64(span)))}
			if r.IntN(2) == 0 {
				q.patience = 1 + time.Duration(r.Int64N(int64(200*time.Millisecond)))
			}
			requests = append(requests, q)
		}
		sortSteps(steps)
		compare(t, cfg, steps, requests) // a failure prints the seed with the draws
	}
}

// FuzzGate reads the requests and the faults from bytes. The low digits of each instant are its index, so that no two
// events meet.
func FuzzGate(f *testing.F) {
	f.Add([]byte{1, 0, 0, 5, 0, 5, 0, 5, 0})
	f.Add([]byte{2, 1, 3, 0, 10, 0, 10, 20, 10, 0, 0, 30, 1, 1})
	f.Add([]byte{8, 0x1f, 100, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 250, 2})
	f.Add([]byte("Y1\x03 0\r0")) // the capacity is back, and nothing happens: nobody is admitted
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 3 {
			t.Skip("too short")
		}
		cfg := gate.Config{
			Workers: 1 + int(data[0]%8), Mean: 40 * time.Millisecond, Sigma: 0.5, Draws: draw.New(uint64(data[0])),
		}
		from := time.Duration(data[2]) * 10 * time.Millisecond
		steps := []step{
			{at: from + 1, slow: 1 + float64(data[1]>>4), capacity: 1 / float64(1+data[1]%16)},
			{at: 2*from + 2, slow: 1, capacity: 1},
		}
		var requests []request
		var now time.Duration
		for i := 3; i+1 < len(data) && len(requests) < 100; i += 2 {
			now += time.Duration(data[i]) * time.Millisecond
			q := request{arrives: now + time.Duration(1000+7*i)}
			if data[i+1] > 0 {
				q.patience = time.Duration(data[i+1])*time.Millisecond + time.Duration(3*i)
			}
			requests = append(requests, q)
		}
		compare(t, cfg, steps, requests)
	})
}
