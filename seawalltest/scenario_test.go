package seawalltest_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/seawall-go/seawall/seawalltest"
)

// hotos is the example of the HotOS paper: 300 requests a second at 100 ms, and a stall of ten seconds.
func hotos(client seawalltest.Client, perSecond float64, duration time.Duration) seawalltest.Scenario {
	return seawalltest.Scenario{
		Arrivals: seawalltest.Even(seawalltest.Constant(perSecond)),
		Client:   client,
		Dependency: seawalltest.Dependency{
			Workers: 30, Service: seawalltest.Fixed(100 * time.Millisecond),
			Phases: []seawalltest.Phase{seawalltest.Stall(30*time.Second, 40*time.Second)},
		},
		Duration: duration,
	}
}

func TestPlainRetriesStayDown(t *testing.T) {
	r := seawalltest.Run(t, hotos(seawalltest.Plain(2, time.Second), 280, short(time.Minute, 5*time.Minute)))
	r.StaysDown(t, 40*time.Second, 0.05)
	r.MinGoodput(t, 0, 29*time.Second, 0.95)
}

func TestSameSeedGivesTheSameRun(t *testing.T) {
	s := hotos(seawalltest.Plain(2, time.Second), 280, short(45*time.Second, time.Minute))
	s.Arrivals = seawalltest.Poisson(seawalltest.Constant(280))
	s.Dependency.Service = seawalltest.Exponential(100 * time.Millisecond)
	s.Dependency.Errors = 0.1
	first := seawalltest.Run(t, s)
	for range 2 {
		if again := seawalltest.Run(t, s); !reflect.DeepEqual(again, first) {
			t.Fatalf("%v\n%v", first, again)
		}
	}
	s.Seed = 2
	if other := seawalltest.Run(t, s); reflect.DeepEqual(other.Bins, first.Bins) {
		t.Error("another seed gives the same run")
	}
}

func TestHysteresisOfPlainRetries(t *testing.T) {
	s := hotos(seawalltest.Plain(2, time.Second), 0, short(100*time.Second, 4*time.Minute))
	loads := seawalltest.Hysteresis(t, s, 40*time.Second, 0.95, 280, 170, 130)
	if got := loads.Recovery(); got != 130 { // capacity by attempts is 150
		t.Errorf("it recovers at %g: %v", got, loads)
	}
}
