package seawalltest_test

import (
	"math"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/seawalltest"
)

// patient is a client that makes one attempt and waits as long as it takes.
func patient() seawalltest.Client {
	return seawalltest.Policy(func() seawall.Policy { return seawall.Chain() })
}

// near fails the test unless got is within a share of want.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s is %.4g, want %.4g ± %.0f %%", what, got, want, 100*share)
	}
}

// With Poisson arrivals and exponential times of service the model is an M/M/c queue, of which all is known: Erlang's
// formula C gives the mean wait.
func TestDependencyIsTheQueueOfTheTextbook(t *testing.T) {
	const workers, service, perSecond = 5, 100 * time.Millisecond, 40.0
	r := seawalltest.Run(t, seawalltest.Scenario{
		Arrivals:   seawalltest.Poisson(seawalltest.Constant(perSecond)),
		Client:     patient(),
		Dependency: seawalltest.Dependency{Workers: workers, Service: seawalltest.Exponential(service)},
		Duration:   short(20*time.Minute, time.Hour),
	})
	a := perSecond * service.Seconds() // load in Erlang
	term, sum := 1.0, 1.0
	for k := 1; k < workers; k++ {
		term *= a / float64(k)
		sum += term
	}
	last := term * a / workers * workers / (workers - a)
	waits := last / (sum + last) // Erlang C: the probability to wait
	meanWait := waits * service.Seconds() / (workers - a)
	mean := 0.0
	const steps = 2000
	for i := range steps {
		mean += r.Latency((float64(i)+0.5)/steps).Seconds() / steps
	}
	near(t, "the mean time in the system", mean, meanWait+service.Seconds(), 0.06)
	near(t, "the number of calls per second", float64(r.Totals.Offered)/r.Bins[len(r.Bins)-1].At.Seconds(), perSecond, 0.03)
}

// short returns the shorter time under -short.
func short(brief, long time.Duration) time.Duration {
	if testing.Short() || raceEnabled {
		return brief
	}
	return long
}

func TestStallHoldsUpWhatWasBegun(t *testing.T) {
	r := seawalltest.Run(t, seawalltest.Scenario{
		Arrivals: seawalltest.Replay(900 * time.Millisecond),
		Client:   patient(),
		Dependency: seawalltest.Dependency{
			Service: seawalltest.Fixed(300 * time.Millisecond),
			Phases:  []seawalltest.Phase{seawalltest.Stall(time.Second, 11*time.Second)},
		},
		Duration: 20 * time.Second,
	})
	near(t, "the time of the call", r.Latency(0.5).Seconds(), 10.3, 0.001)
}

func TestPhasesChangeSpeedWorkersAndErrors(t *testing.T) {
	slow := seawalltest.Slow(0, 10*time.Second, 4)
	for _, c := range []struct {
		name   string
		phase  seawalltest.Phase
		good   int // of 100 calls at once
		within time.Duration
	}{
		{"no phase", seawalltest.Phase{From: time.Hour, To: 2 * time.Hour}, 100, time.Second},
		{"slow", slow, 100, 4 * time.Second},
		{"half of the workers", seawalltest.Capacity(0, time.Hour, 5), 100, 2 * time.Second},
		{"twice the workers", seawalltest.Capacity(0, time.Hour, 20), 100, 500 * time.Millisecond},
		{"more workers later", seawalltest.Capacity(500*time.Millisecond, time.Hour, 100), 100, 600 * time.Millisecond},
		{"all fail", seawalltest.Errors(0, time.Hour, 1), 0, 0},
	} {
		r := seawalltest.Run(t, seawalltest.Scenario{
			Arrivals: seawalltest.Replay(make([]time.Duration, 100)...),
			Client:   patient(),
			Dependency: seawalltest.Dependency{
				Workers: 10, Service: seawalltest.Fixed(100 * time.Millisecond), Phases: []seawalltest.Phase{c.phase},
			},
		})
		if r.Totals.Good != c.good || r.Totals.Good+r.Totals.Failed != 100 {
			t.Errorf("%s: %+v", c.name, r.Totals)
		}
		if got := r.Latency(1); (got - c.within).Abs() > 10*time.Millisecond {
			t.Errorf("%s: the last one took %v, want %v", c.name, got, c.within)
		}
	}
}

// One worker takes 300 ms. The first call is answered; the second leaves while it is served and the third while it waits,
// both after 400 ms; the fourth comes after 550 ms.
func TestAbandonedRequestsGoTheWayTheyAreToldTo(t *testing.T) {
	for _, c := range []struct {
		abandoned seawalltest.Abandoned
		good      int
		slowest   time.Duration // of the good ones
	}{
		{seawalltest.KeepWorking, 1, 300 * time.Millisecond},   // two whole requests are before the fourth
		{seawalltest.DropAtDequeue, 2, 350 * time.Millisecond}, // the rest of the second
		{seawalltest.StopAtOnce, 2, 300 * time.Millisecond},    // nothing
	} {
		r := seawalltest.Run(t, seawalltest.Scenario{
			Arrivals:   seawalltest.Replay(0, 0, 0, 550*time.Millisecond),
			Client:     patient(),
			Dependency: seawalltest.Dependency{Service: seawalltest.Fixed(300 * time.Millisecond), Abandoned: c.abandoned},
			Patience:   400 * time.Millisecond,
			Duration:   10 * time.Second,
		})
		if r.Totals.Good != c.good || r.Totals.Failed != 4-c.good {
			t.Errorf("%d: %+v, want %d good", c.abandoned, r.Totals, c.good)
		}
		if got := r.Latency(1); (got - c.slowest).Abs() > 2*time.Millisecond {
			t.Errorf("%d: the slowest answer took %v, want %v", c.abandoned, got, c.slowest)
		}
	}
}

func TestFullQueueRefuses(t *testing.T) {
	r := seawalltest.Run(t, seawalltest.Scenario{
		Arrivals:   seawalltest.Replay(make([]time.Duration, 10)...),
		Client:     patient(),
		Dependency: seawalltest.Dependency{Workers: 2, Queue: 3},
	})
	if r.Totals.Good != 5 || r.Totals.Failed != 5 {
		t.Errorf("%+v, want 2 served at once, 3 after a wait, and 5 refused", r.Totals)
	}
}

func TestNewestIsServedFirstWhenAskedFor(t *testing.T) {
	for order, slowest := range map[seawalltest.Order]time.Duration{
		seawalltest.FIFO: 280 * time.Millisecond, // the third call
		seawalltest.LIFO: 290 * time.Millisecond, // the second
	} {
		r := seawalltest.Run(t, seawalltest.Scenario{
			Arrivals:   seawalltest.Replay(0, 10*time.Millisecond, 20*time.Millisecond),
			Client:     patient(),
			Dependency: seawalltest.Dependency{Order: order},
		})
		if got := r.Latency(1); r.Totals.Good != 3 || (got-slowest).Abs() > 2*time.Millisecond {
			t.Errorf("order %v: the slowest took %v, want %v; %+v", order, got, slowest, r.Totals)
		}
	}
}
