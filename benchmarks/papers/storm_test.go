package papers_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/budget"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	failsafetimeout "github.com/failsafe-go/failsafe-go/timeout"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/seawalltest"
	"github.com/seawall-go/seawall/timeout"
)

// The metastable retry storm of Bronson, Aghayev, Charapko and Zhu, "Metastable Failures in Distributed Systems" (HotOS
// 2021). A database serves up to 300 queries a second at 100 ms. Clients time out at 1 s and retry once. 280 queries a
// second are fine until an outage of 10 s; from then on the load stays at 560.
const (
	stallBegins, stallEnds = 30 * time.Second, 40 * time.Second
	capacity               = 300.0
	patience               = time.Second // of an attempt
)

func storm(client seawalltest.Client, perSecond float64, long time.Duration) seawalltest.Scenario {
	return seawalltest.Scenario{
		Arrivals: seawalltest.Even(seawalltest.Constant(perSecond)),
		Client:   client,
		Dependency: seawalltest.Dependency{
			Workers: 30, Service: seawalltest.Fixed(100 * time.Millisecond),
			Phases: []seawalltest.Phase{seawalltest.Stall(stallBegins, stallEnds)},
		},
		Duration: long,
	}
}

// defaultClient is a chain of our policies as they come; only the limit of an attempt is that of the paper's clients.
func defaultClient() seawall.Policy {
	return seawall.Chain(
		retry.New("storm", retry.Config{Registry: silent()}),
		breaker.New("storm", breaker.Config{Registry: silent()}),
		timeout.New("storm", timeout.Config{Limit: patience, Registry: silent()}),
	)
}

// defaultServer is our admission as it comes.
func defaultServer() seawall.Policy {
	return bulkhead.NewAdaptive("storm", bulkhead.AdaptiveConfig{Registry: silent()})
}

// purse pays for retries, by the rules of one of the systems that we compare with.
type purse interface {
	called()
	succeeded()
	failed()
	pays() bool
}

// funded is the paper's client, with one retry that a purse has to pay for.
func funded(p purse) seawalltest.Client {
	return func(env *seawalltest.Env) func(context.Context) error {
		attempt := func(ctx context.Context) error {
			within, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			err := env.Dependency(within)
			if err == nil {
				p.succeeded()
			} else {
				p.failed()
			}
			return err
		}
		return func(ctx context.Context) error {
			p.called()
			err := attempt(ctx)
			if err != nil && ctx.Err() == nil && p.pays() {
				err = attempt(ctx)
			}
			return err
		}
	}
}

// requestFunded is the budget of the SRE book, "Handling Overload": retries are at most 10 % of the requests, over the last
// 10 s here.
type requestFunded struct {
	mu                sync.Mutex
	start             time.Time
	requests, retries [10]int // by second
	second            [10]int
}

func (f *requestFunded) slot() int {
	if f.start.IsZero() {
		f.start = time.Now()
	}
	s := int(time.Since(f.start) / time.Second)
	i := s % 10
	if f.second[i] != s {
		f.second[i], f.requests[i], f.retries[i] = s, 0, 0
	}
	return i
}

func (f *requestFunded) called() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests[f.slot()]++
}
func (*requestFunded) succeeded() {}
func (*requestFunded) failed()    {}

func (f *requestFunded) pays() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, requests, retries := f.slot(), 0, 0
	for j := range 10 {
		requests += f.requests[j]
		retries += f.retries[j]
	}
	if 10*retries >= requests {
		return false
	}
	f.retries[i]++
	return true
}

// grpcThrottle is the retry throttling of gRFC A6: a failure takes a token, a success gives tokenRatio, and retries are
// allowed while more than half are left.
type grpcThrottle struct {
	mu     sync.Mutex
	tokens float64
}

func (*grpcThrottle) called() {}

func (g *grpcThrottle) succeeded() { g.add(0.1) }
func (g *grpcThrottle) failed()    { g.add(-1) }

func (g *grpcThrottle) add(n float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens = max(0, min(10, g.tokens+n))
}

func (g *grpcThrottle) pays() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tokens > 5
}

// failsafeBudget is the paper's client made of failsafe-go: one retry at once, which its budget has to pay for, a share of
// the calls in flight, and a limit of time for each attempt.
func failsafeBudget() seawalltest.Client {
	return func(env *seawalltest.Env) func(context.Context) error {
		executor := failsafe.With[any](
			retrypolicy.NewBuilder[any]().WithMaxRetries(1).WithBudget(budget.New()).Build(),
			failsafetimeout.New[any](patience),
		)
		return func(ctx context.Context) error {
			return executor.WithContext(ctx).RunWithExecution(func(exec failsafe.Execution[any]) error {
				return env.Dependency(exec.Context())
			})
		}
	}
}

func retryStorm(t *testing.T, b *book) {
	play := func(name string, s seawalltest.Scenario) *seawalltest.Report {
		r := seawalltest.Run(t, s)
		b.plot("storm-"+name+".svg", r.SVG)
		b.plot("storm-"+name+".csv", r.CSV)
		return r
	}
	recovery := func(r *seawalltest.Report) float64 {
		d, ok := r.RecoveryTime(stallEnds, 0.95)
		if !ok {
			return 1e9
		}
		return d.Seconds()
	}
	late := func(r *seawalltest.Report) float64 { return r.Between(280*time.Second, 300*time.Second).Goodput() }
	five := 5 * time.Minute

	r := play("plain", storm(seawalltest.Plain(2, patience), 280, five))
	b.atMost("no policy, 280/s: goodput at the end", 0.01, late(r))
	b.near("no policy, 280/s: load at the end", 560, perSecond(r.Between(280*time.Second, 300*time.Second).Attempts, 20), 0.01)
	r = play("plain140", storm(seawalltest.Plain(2, patience), 140, five))
	b.near("no policy, 140/s: recovery, s", 120, recovery(r), 0.10)
	r = play("requestfunded", storm(funded(&requestFunded{}), 280, five))
	b.atMost("request-funded budget, 280/s: goodput at the end", 0.01, late(r))
	if !raceEnabled { // its timer of 0 crashes the runtime in a bubble under the race detector (Go 1.26)
		r = play("failsafe", storm(failsafeBudget(), 280, five))
		b.beside("failsafe-go's budget, 20 % of the calls in flight, 280/s: goodput at the end; recovery, s",
			fmt.Sprintf("%s; %s", number(late(r)), seconds(recovery(r))), "")
	}
	r = play("grpc", storm(funded(&grpcThrottle{tokens: 10}), 280, five))
	b.near("gRPC's bucket, 280/s: recovery, s", 127, recovery(r), 0.10)
	drop := storm(funded(&grpcThrottle{tokens: 10}), 280, five)
	drop.Dependency.Abandoned = seawalltest.DropAtDequeue
	b.atMost("gRPC's bucket, the server drops what is abandoned: recovery, s", 4, recovery(play("grpcdrop", drop)))

	ours := storm(seawalltest.Policy(func() seawall.Policy {
		return seawall.Chain(
			retry.New("storm", retry.Config{MaxAttempts: 2, Registry: silent()}),
			timeout.New("storm", timeout.Config{Limit: patience, Registry: silent()}),
		)
	}), 280, five)
	b.near("Seawall's budget alone, 280/s: recovery, s", 127, recovery(play("seawallbudget", ours)), 0.10)
	guarded := storm(seawalltest.Plain(2, patience), 280, five)
	guarded.Server = defaultServer
	b.atMost("adaptive limit at the server, plain clients: recovery, s", 3, recovery(play("limit", guarded)))

	for seed := range uint64(brief(2, 10)) {
		s := storm(seawalltest.Policy(defaultClient), 280, 100*time.Second)
		s.Seed = seed + 1
		b.atMost(fmt.Sprintf("Seawall's client, seed %d: recovery, s", s.Seed), 12, recovery(play(fmt.Sprint("seawall", s.Seed), s)))
		s.Server = defaultServer
		b.atMost(fmt.Sprintf("and Seawall's admission, seed %d: recovery, s", s.Seed), 3,
			recovery(play(fmt.Sprint("seawallboth", s.Seed), s)))
	}
}

// seconds is a recovery as text.
func seconds(recovery float64) string {
	if recovery >= 1e9 {
		return "never"
	}
	return number(recovery)
}

func perSecond(n int, seconds float64) float64 { return float64(n) / seconds }

// stormHysteresis looks for the load at which the system comes back by itself.
func stormHysteresis(t *testing.T, b *book) {
	plain := seawalltest.Hysteresis(t, storm(seawalltest.Plain(2, patience), 0, 3*time.Minute), stallEnds, 0.95,
		brief([]float64{280, 160, 140}, []float64{290, 280, 240, 200, 180, 170, 160, 150, 145, 140, 130, 120, 100})...)
	b.near("no policy: load at which it recovers", capacity/2, plain.Recovery(), 0.07)
	ours := seawalltest.Hysteresis(t, storm(seawalltest.Policy(defaultClient), 0, 100*time.Second), stallEnds, 0.95,
		brief([]float64{290, 279}, []float64{295, 290, 285, 279, 270, 240, 200, 150, 100})...)
	b.atLeast("Seawall's client: load at which it recovers", 0.93*capacity, ours.Recovery())
}
