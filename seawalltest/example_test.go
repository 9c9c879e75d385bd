package seawalltest_test

import (
	"testing"
	"time"

	"github.com/seawall-go/seawall/seawalltest"
)

// A service of 300 requests a second stands still for ten seconds. The test holds that its clients get over that within
// twelve, and that they hardly make more requests than there are calls.
func ExampleRun() { //nolint:testableexamples // Run needs a *testing.T
	_ = func(t *testing.T) { // a test of yours
		report := seawalltest.Run(t, seawalltest.Scenario{
			Arrivals: seawalltest.Poisson(seawalltest.Constant(280)),
			Dependency: seawalltest.Dependency{
				Workers: 30, Service: seawalltest.Fixed(100 * time.Millisecond),
				Phases: []seawalltest.Phase{seawalltest.Stall(30*time.Second, 40*time.Second)},
			},
			Client:   seawalltest.Policy(client), // a function that makes your chain
			Duration: 2 * time.Minute,
		})
		report.Recovers(t, 40*time.Second, 12*time.Second, 0.95)
		report.MaxAmplification(t, 1.2)
	}
}

// What the example promises holds, for more than one seed.
func TestDefaultClientGetsOverAStall(t *testing.T) {
	for seed := range uint64(3) {
		s := hotos(seawalltest.Policy(client), 0, 100*time.Second)
		s.Arrivals = seawalltest.Poisson(seawalltest.Constant(280))
		s.Seed = seed + 1
		report := seawalltest.Run(t, s)
		report.Recovers(t, 40*time.Second, 12*time.Second, 0.95)
		report.MaxAmplification(t, 1.2)
	}
}

// The load at which a system recovers by itself, without policies and with ours.
func ExampleHysteresis() { //nolint:testableexamples // Hysteresis needs a *testing.T
	_ = func(t *testing.T) {
		s := hotos(seawalltest.Policy(client), 0, 2*time.Minute)
		loads := seawalltest.Hysteresis(t, s, 40*time.Second, 0.95, 290, 280, 200, 150)
		loads.RecoversAt(t, 280)
	}
}
