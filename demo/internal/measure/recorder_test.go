package measure_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
)

// T41: answers, samples and readers at the same time lose nothing.
func TestRecorderLosesNothing(t *testing.T) {
	all := answers(rand.New(rand.NewPCG(1, 1)), 4000, 10*time.Second)
	r := measure.NewRecorder(measure.DefaultSLO())
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := g; i < len(all); i += 4 {
				r.Answer(all[i])
			}
		})
	}
	wg.Go(func() {
		for n := range 100 {
			r.Sample(measure.Sample{At: time.Duration(n) * measure.SampleEvery})
			r.Live(n%10, 400)
			r.All()
		}
	})
	wg.Wait()
	got, samples := r.All()
	if !reflect.DeepEqual(got, all) || len(samples) != 100 {
		t.Errorf("%d answers of %d, %d samples", len(got), len(all), len(samples))
	}
	got[0].N = 99
	if again, _ := r.All(); again[0].N != 1 {
		t.Error("the caller does not own what it gets") // T19
	}
}

func TestLiveShowsTheSecondThatWasAskedFor(t *testing.T) {
	r := measure.NewRecorder(measure.DefaultSLO())
	answer := func(at, latency time.Duration) load.Answer {
		return load.Answer{Request: load.Request{At: at, Kind: load.Hold}, Done: at + latency, Status: 200, Valid: true}
	}
	for n := range 21 {
		r.Sample(measure.Sample{At: time.Duration(n) * measure.SampleEvery, Status: measure.Status{
			Calls: uint64(10 * n), Attempts: uint64(11 * n), Shed: uint64(n),
			Gates: []measure.Gate{{Name: "in", InFlight: n, Limit: 30}, {Name: "out", InFlight: 1, Limit: 5}},
		}})
	}
	r.Answer(answer(100*ms, 50*ms))
	r.Answer(answer(200*ms, 900*ms)) // too late
	r.Answer(answer(1500*ms, 40*ms)) // of the next second
	l := r.Live(0, 3)
	if l.Share() != (measure.Share{Part: 1, Whole: 3}) || l.Ended.Count != 3 || l.Ended.Max != 900*ms {
		t.Errorf("%+v", l)
	}
	if l.Calls != 100 || l.Attempts != 110 || l.Shed != 10 || l.Status.InFlight() != 21 || l.Status.Limit() != 35 {
		t.Errorf("over the last second: %+v", l)
	}
	if l = r.Live(1, 1); l.Good != 1 || l.Ended.Count != 0 {
		t.Errorf("what ended before is shown again: %+v", l)
	}
	if l = r.Live(7, 0); !slices.Equal([]int{l.Second, l.Good, l.Offered}, []int{7, 0, 0}) {
		t.Errorf("an empty second: %+v", l)
	}
}
