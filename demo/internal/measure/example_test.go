package measure_test

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
)

func ExampleSLO_Grade() {
	slo := measure.DefaultSLO()
	a := load.Answer{
		Request: load.Request{At: time.Second, Kind: load.SeatMap},
		Done:    1240 * time.Millisecond, Status: 200, Valid: true,
	}
	fmt.Println(slo.Grade(a))
	a.Done += 11 * time.Millisecond // 251 ms after it should have been sent
	fmt.Println(slo.Grade(a))
	// Output:
	// good
	// slow
}

func ExampleRecovery() {
	bins := make([]measure.Bin, 20)
	for n := range bins {
		bins[n] = measure.Bin{Offered: 140, Good: 140}
		if n >= 5 && n < 12 { // the fault lasts from 5 to 10, its damage until 12
			bins[n].Good = 20
		}
	}
	fmt.Println(measure.Recovery(bins, 10*time.Second, measure.RecoveredWindow))
	// Output: 2s true
}

func ExampleLatencyOf() {
	values := []time.Duration{40 * ms, 30 * ms, 50 * ms, 900 * ms}
	l := measure.LatencyOf(values)
	fmt.Println(l.P50, l.P99, l.Max)
	// Output: 40ms 900ms 900ms
}

func ExampleMachine_Objections() {
	m := measure.Machine{Late: measure.Share{Part: 31, Whole: 10_000}}
	fmt.Println(m.Objections()[0].What)
	// Output: 31 of 10000 requests were sent more than 10ms late, at most 0.1 % is valid
}
