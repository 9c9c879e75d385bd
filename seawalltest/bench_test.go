package seawalltest_test

import (
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/seawalltest"
	"github.com/seawall-go/seawall/timeout"
)

// client is a chain of our policies as they come.
func client() seawall.Policy {
	r := new(seawall.Registry).Detached()
	return seawall.Chain(
		retry.New("client", retry.Config{Registry: r}),
		breaker.New("client", breaker.Config{Registry: r}),
		timeout.New("client", timeout.Config{Limit: time.Second, Registry: r}),
	)
}

// BenchmarkRun plays five minutes at 300 calls a second. What it says is real time.
func BenchmarkRun(b *testing.B) {
	s := hotos(seawalltest.Policy(client), 300, 5*time.Minute)
	calls := 0
	for b.Loop() {
		ok := testing.RunTests(
			func(string, string) (bool, error) { return true, nil },
			[]testing.InternalTest{{Name: "Scenario", F: func(t *testing.T) { calls = seawalltest.Run(t, s).Totals.Offered }}})
		if !ok {
			b.Fatal("the scenario failed")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(calls), "ns/call")
}
