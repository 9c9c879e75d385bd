package papers_test

import (
	"context"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/seawalltest"
)

// uncapped is a hedge after a fixed time, and nothing that bounds it.
func uncapped() *hedge.Hedge {
	return hedge.New("slow", hedge.Config{
		Delay: hedgeAfter, Cap: hedge.Cap{Ratio: 9, Burst: 1_000_000}, Funding: hedge.NoBudget, Registry: silent(),
	})
}

// allSlow lets all latencies rise twentyfold together, in the second half: what is extra then only hurts.
func allSlow(t *testing.T, b *book) {
	const seed, before, factor = 1, 30 * time.Second, 20
	b.given(seed, "200 calls/s, latency log-normal, median 5 ms, sigma 0.5; after %v all take %d times as long; the extra requests of the %v from then on",
		before, factor, before)
	slow := []seawalltest.Phase{seawalltest.Slow(before, 2*before, factor)}
	play := func(client seawalltest.Client, phases ...seawalltest.Phase) seawalltest.Totals {
		return seawalltest.Run(t, seawalltest.Scenario{
			Arrivals: seawalltest.Poisson(seawalltest.Constant(200)), Client: client, Seed: seed, Duration: 2 * before,
			Dependency: seawalltest.Dependency{
				Workers: 10_000, Service: seawalltest.LogNormal(5*time.Millisecond, 0.5), Phases: phases,
			},
		}).Between(before, 2*before)
	}
	policy := func(p func() seawall.Policy) seawalltest.Client { return seawalltest.Policy(p) }
	extra := func(sum seawalltest.Totals) float64 { return 100 * (sum.Amplification() - 1) }
	// A cap of a tenth of the calls, and what it had saved up.
	within := func(sum seawalltest.Totals) float64 { return 10 + 100*10/float64(sum.Offered) }

	sum := play(policy(func() seawall.Policy { return uncapped() }), slow...)
	b.near("10 ms fixed, no cap: extra, %", 100, extra(sum), 0.02)
	sum = play(failsafeHedge, slow...)
	b.beside("failsafe-go, 10 ms fixed: extra, %", number(extra(sum)), "it has no cap by default; a budget can be set")
	sum = play(policy(func() seawall.Policy {
		return hedge.New("slow", hedge.Config{Delay: hedgeAfter, Registry: silent()})
	}), slow...)
	b.atMost("Seawall, 10 ms fixed, default cap and budget: extra, %", within(sum), extra(sum))
	sum = play(policy(func() seawall.Policy {
		return hedge.New("slow", hedge.Config{Delay: hedgeAfter, Funding: hedge.NoBudget, Registry: silent()})
	}), slow...)
	b.atMost("Seawall, 10 ms fixed, the default cap alone: extra, %", within(sum), extra(sum))
	sum = play(policy(func() seawall.Policy { return hedge.New("slow", hedge.Config{Registry: silent()}) }), slow...)
	b.atMost("Seawall's default: extra, %", within(sum), extra(sum))

	// And all of it fails: a retry and a hedge with one budget, which successes no longer fund.
	slow = append(slow, seawalltest.Errors(before, 2*before, 1))
	sum = play(policy(func() seawall.Policy {
		return seawall.Chain(retry.New("slow", retry.Config{Funding: retry.NoBudget, Registry: silent()}), uncapped())
	}), slow...)
	b.beside("and all fail: 3 attempts, each with a hedge, nothing bounds them: extra, %", number(extra(sum)), "")
	sum = play(policy(func() seawall.Policy {
		r := retry.New("slow", retry.Config{Registry: silent()})
		return seawall.Chain(r, hedge.New("slow", hedge.Config{Delay: hedgeAfter, Budget: r.Budget(), Registry: silent()}))
	}), slow...)
	b.atMost("and all fail: Seawall's retry and hedge with one budget: extra requests", 10+float64(sum.Good)/10,
		float64(sum.Attempts-sum.Offered))
}

func failsafeHedge(env *seawalltest.Env) func(context.Context) error {
	executor := failsafe.With(hedgepolicy.NewWithDelay[any](hedgeAfter))
	return func(ctx context.Context) error {
		return executor.WithContext(ctx).RunWithExecution(func(e failsafe.Execution[any]) error {
			return env.Dependency(e.Context())
		})
	}
}
