package measure_test

import (
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
)

func TestBusiestFindsTheWorstFiveSeconds(t *testing.T) {
	// Readings are one second apart; each number is the share of one processor in the second before.
	for _, row := range []struct {
		what    string
		seconds []float64
		want    float64
	}{
		{"nothing is known", nil, 0},
		{"idle", []float64{0, 0, 0, 0, 0, 0, 0}, 0},
		{"even", []float64{1, 1, 1, 1, 1, 1, 1, 1}, 0.5},
		{"a burst of five seconds in a long quiet run", []float64{0, 0, 0, 0, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0}, 1},
		{"a burst of one second counts a fifth", []float64{0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0}, 0.2},
		{"a short run counts as a whole", []float64{2, 1}, 0.75},
	} {
		readings := [][2]time.Duration{{-100 * time.Second, 7 * time.Second}}
		for _, share := range row.seconds {
			last := readings[len(readings)-1]
			readings = append(readings, [2]time.Duration{
				last[0] + time.Second, last[1] + time.Duration(share*float64(time.Second)),
			})
		}
		if got := measure.Busiest(readings, 2); math.Abs(got-row.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", row.what, got, row.want)
		}
	}
}

func TestWatchSeesABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var used time.Duration
		begin := time.Now()
		busy := func() (time.Duration, bool) {
			mu.Lock()
			defer mu.Unlock()
			if s := time.Since(begin); s > 10*time.Second && s <= 15*time.Second {
				used += 500 * ms
			}
			return used, true
		}
		w := measure.StartWatch(busy)
		time.Sleep(30*time.Second + 500*ms)
		m := w.Stop()
		if !m.Watched || m.Cores < 1 || math.Abs(m.CPU*float64(m.Cores)-0.5) > 0.01 || m.NapP99 != 0 {
			t.Errorf("%+v", m)
		}
		if again := w.Stop(); again != m {
			t.Errorf("stopped twice: %+v", again)
		}
	})
}

func TestWatchWithoutCPUStillNaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := measure.StartWatch(func() (time.Duration, bool) { return 0, false })
		time.Sleep(3*time.Second + ms)
		if m := w.Stop(); !m.Watched || m.CPU != 0 {
			t.Errorf("%+v", m)
		}
	})
}

func TestProcessCPUGrowsWithWork(t *testing.T) {
	before, ok := measure.ProcessCPU()
	if !ok {
		t.Skip("this system does not tell")
	}
	for x := uint64(1); ; x = x*6364136223846793005 + 1442695040888963407 {
		if x%(1<<20) != 1 {
			continue
		}
		after, _ := measure.ProcessCPU()
		if after < before {
			t.Fatalf("fell from %v to %v", before, after)
		}
		if after-before > 5*ms {
			return
		}
	}
}

func TestTheMachineDecidedTheRunOnlyBeyondTheLimits(t *testing.T) {
	for _, row := range []struct {
		what string
		m    measure.Machine
		want string // a part of the objection; empty for none
	}{
		{"quiet", measure.Machine{}, ""},
		{"cpu on the limit", measure.Machine{Cores: 2, CPU: 0.70}, ""},
		{"cpu beyond", measure.Machine{Cores: 2, CPU: 0.71}, "used 71 % of 2 processors"},
		{"naps on the limit", measure.Machine{NapP99: 5 * ms}, ""},
		{"naps beyond", measure.Machine{NapP99: 5*ms + 1}, "a sleep of 10 ms took 5ms longer"},
		{"late on the limit", measure.Machine{Late: measure.Share{Part: 1, Whole: 1000}}, ""},
		{"late beyond", measure.Machine{Late: measure.Share{Part: 2, Whole: 1000}}, "2 of 1000 requests were sent more"},
		{"short on the limit", measure.Machine{Short: measure.Share{Part: 1, Whole: 100}}, ""},
		{"short beyond", measure.Machine{Short: measure.Share{Part: 2, Whole: 100}}, "2 of 100 drawn service times"},
	} {
		found := row.m.Objections()
		switch {
		case row.want == "" && len(found) > 0:
			t.Errorf("%s: %v", row.what, found)
		case row.want == "":
		case len(found) != 1, !strings.Contains(found[0].What, row.want), !strings.Contains(found[0].Cure, "-load 0.5"):
			t.Errorf("%s: %v, want %q and a cure", row.what, found, row.want)
		}
	}
	all := measure.Machine{
		Watched: true, Cores: 2, CPU: 0.9, NapP99: 9 * ms,
		Late: measure.Share{Part: 1, Whole: 2}, Short: measure.Share{Part: 1, Whole: 2},
	}
	if len(all.Objections()) != 4 {
		t.Errorf("%v", all.Objections())
	}
	if got, want := all.String(), "cpu 90 %, sleeps 9ms too long at p99, late 50.00 %, short draws 50.00 %"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestLateCountsWhatWasSentLate(t *testing.T) {
	var all []load.Answer
	for _, late := range []time.Duration{0, 10 * ms, 10*ms + 1, time.Second} {
		all = append(all, load.Answer{Sent: late})
	}
	if got := measure.Late(all); got != (measure.Share{Part: 2, Whole: 4}) {
		t.Errorf("%+v", got)
	}
}
