package seawalltest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/dice"
)

// Scenario is a load on a client and what it depends on. Arrivals and Client are required; any other zero field is its
// default.
type Scenario struct {
	// Arrivals is when calls come, whether or not those before have ended.
	Arrivals Arrivals
	// Client is what makes the calls.
	Client Client
	// Dependency is what is called.
	Dependency Dependency
	// Server makes the policy that stands before the dependency, such as an admission limit. Default none.
	Server func() seawall.Policy
	// Network is the network between clients that speak a protocol over connections, such as [HTTP], and the dependency,
	// with its faults. Default one that takes no time and never fails.
	Network NetworkConfig
	// Duration is how long calls come. Default 1 minute; at most 24 h. Calls that are under way at its end are canceled, and count as
	// unfinished.
	Duration time.Duration
	// Patience is how long a caller waits: its context has that deadline. Default as long as it takes.
	Patience time.Duration
	// Bin is the width of the report's time series. Default 1 s.
	Bin time.Duration
	// Seed is what all that is random is drawn from. Default 1.
	Seed uint64
}

func (s Scenario) withDefaults() Scenario {
	s.Dependency = s.Dependency.withDefaults()
	if s.Duration == 0 {
		s.Duration = time.Minute
	}
	if s.Bin == 0 {
		s.Bin = time.Second
	}
	if s.Seed == 0 {
		s.Seed = 1
	}
	return s
}

// Validate returns an error that names a field that is missing or out of its range, its value, and the range.
func (s Scenario) Validate() error {
	switch {
	case s.Arrivals == nil:
		return bad("Arrivals", "nil", "a function, such as Poisson(Constant(100))")
	case s.Client == nil:
		return bad("Client", "nil", "a function, such as Policy(newClient)")
	case s.Duration < 0 || s.Duration > farthest:
		return bad("Duration", s.Duration, "a positive time, at most 24h")
	case s.Patience < 0:
		return bad("Patience", s.Patience, "a positive time, or 0 for no deadline")
	case s.Bin < 0 || s.Bin > 0 && s.Duration > 0 && s.Duration/s.Bin > maxBins:
		return bad("Bin", s.Bin, "a positive time, of which at most 1000000 are in Duration")
	}
	if err := s.Dependency.validate(); err != nil {
		return err
	}
	if err := s.Network.Validate(); err != nil {
		return fmt.Errorf("seawalltest: Scenario.Network: %w", err)
	}
	return nil
}

func bad(field string, value any, want string) error {
	return fmt.Errorf("seawalltest: Scenario.%s is %v, want %s", field, value, want)
}

const maxBins = 1_000_000

// Run plays a scenario in a bubble of testing/synctest, and returns what happened. It fails the test if the scenario is
// not valid. It must not be called from inside a bubble. Scenarios of parallel tests wait for each other, because they
// share the dice.
//
// A call costs some ten microseconds of real time; under the race detector it is ten times as much.
func Run(t *testing.T, s Scenario) *Report {
	t.Helper()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	s = s.withDefaults()
	defer dice.Load(s.Seed)()
	var report *Report
	synctest.Test(t, func(t *testing.T) { report = play(t.Context(), s) })
	if report == nil {
		t.Fatal("seawalltest: the scenario did not end")
	}
	return report
}

// play runs inside of the bubble.
func play(ctx context.Context, s Scenario) *Report {
	ctx, cancel := context.WithCancelCause(ctx)
	r := newRecorder(s)
	dep := newServer(s.Dependency, rand.New(rand.NewPCG(s.Seed, 1)))
	defer dep.stop()
	request, gauge := admitted(s, dep)
	env := &Env{
		Network: NewNetwork(s.Network), attempted: r.attempted, request: request,
		Dependency: func(ctx context.Context) error {
			r.attempted()
			return request(ctx)
		},
	}
	defer func() { _ = env.Network.Close() }()
	defer env.cleanup()
	call := s.Client(env)

	var calls sync.WaitGroup
	sampled := make(chan struct{})
	go func() {
		defer close(sampled)
		r.sample(dep, gauge)
	}()
	next := s.Arrivals(rand.New(rand.NewPCG(s.Seed, 2)))
	last := time.Duration(-1)
	for i := 0; ; i++ {
		at, ok := next()
		if at = max(unlike(at, i), last+1); !ok || at >= s.Duration { // never two in the same instant
			break
		}
		last = at
		time.Sleep(at - r.now())
		calls.Go(func() { one(ctx, r, call, s.Patience) })
	}
	<-sampled // at the end of the last bin
	cancel(errOver)
	calls.Wait()
	return r.report(s)
}

// errOver is the cause with which the calls end that are under way at the end of a scenario.
var errOver = errors.New("seawalltest: the scenario is over")

// unlike moves the time of call i within its millisecond to a place that few other calls have, so that what follows it
// after whole milliseconds does not fall on the same instant as what follows another one.
func unlike(at time.Duration, i int) time.Duration {
	const unit = time.Millisecond
	return at.Truncate(unit) + time.Duration(uint64(i+1)*611_953%uint64(unit))
}

// one is one call from its arrival to its end.
func one(ctx context.Context, r *recorder, call func(context.Context) error, patience time.Duration) {
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	begun := r.offered()
	err := call(ctx)
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), errOver) {
		err = errOver
	}
	r.ended(begun, err)
}

// admitted returns one request to the dependency through the server's policy, and what tells that policy's limit.
func admitted(s Scenario, dep *server) (request func(context.Context) error, limit func() float64) {
	if s.Server == nil {
		return dep.call, func() float64 { return 0 }
	}
	p := s.Server()
	if p == nil {
		panic("seawalltest: Scenario.Server returned nil, want a policy; leave the field nil for none")
	}
	return func(ctx context.Context) error { return p.Do(ctx, dep.call) }, func() float64 { return limitOf(p) }
}

// limitOf returns the limit of a policy or of the first member of a chain that has one, 0 if there is none.
func limitOf(p seawall.Policy) float64 {
	policies := []seawall.Policy{p}
	if chain, ok := p.(*seawall.Pipeline); ok {
		policies = chain.Policies()
	}
	for _, p := range policies {
		m, ok := p.(seawall.Member)
		if !ok {
			continue
		}
		for _, v := range m.Snapshot().Values {
			if v.Name == "limit" {
				return v.V
			}
		}
	}
	return 0
}
