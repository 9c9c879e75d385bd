package breaker_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// peers are the two forms of gobreaker's breaker, as policies.
var peers = map[string]func(gobreaker.Settings) peerUnderTest{
	"two steps": func(s gobreaker.Settings) peerUnderTest {
		cb := gobreaker.NewTwoStepCircuitBreaker[int](s)
		return peerUnderTest{breaker.FromGobreaker("legacy", cb, quiet()), cb.Counts}
	},
	"execute": func(s gobreaker.Settings) peerUnderTest {
		cb := gobreaker.NewCircuitBreaker[int](s)
		return peerUnderTest{breaker.FromGobreakerExecute("legacy", cb, quiet()), cb.Counts}
	},
}

type peerUnderTest struct {
	policy interface {
		seawall.Policy
		seawall.Member
		seawall.Keeper
		seawall.Describer
		State() breaker.State
		Name() string
		String() string
	}
	counts func() gobreaker.Counts
}

func onPeers(t *testing.T, s gobreaker.Settings, test func(t *testing.T, p peerUnderTest)) {
	t.Helper()
	for name, build := range peers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, build(s)) })
		})
	}
}

// T70
func TestGobreakerRejectsAsSeawallDoes(t *testing.T) {
	onPeers(t, gobreaker.Settings{Timeout: time.Minute}, func(t *testing.T, p peerUnderTest) {
		ctx, record := seawall.WithRecord(t.Context())
		chain := seawall.Chain(p.policy)
		for range 6 {
			if err := chain.Do(ctx, fail); err != errDown { //nolint:errorlint // op's own
				t.Fatal(err)
			}
		}
		if p.policy.State() != breaker.Open || !p.policy.Keep() {
			t.Errorf("the state is %v, to be kept: %v", p.policy.State(), p.policy.Keep())
		}
		check := func(reason seawall.Reason) {
			t.Helper()
			err := chain.Do(ctx, func(context.Context) error { t.Error("op ran"); return nil })
			r, ok := errors.AsType[*seawall.RejectedError](err)
			if !ok || !errors.Is(err, breaker.ErrOpen) || !errors.Is(err, seawall.ErrRejected) ||
				r.Kind != "breaker" || r.Name != "legacy" || r.Reason != reason || r.RetryAfter() != 0 {
				t.Errorf("rejected with %#v", err)
			}
			if f := record.Facts(); f.DecidedBy != `breaker "legacy"` || f.Reason != reason {
				t.Errorf("the record says %+v", f)
			}
		}
		check(seawall.ReasonOpen)
		time.Sleep(time.Minute + 1)
		err := chain.Do(ctx, func(context.Context) error { // the only probe
			check(seawall.ReasonProbing)
			return nil
		})
		if err != nil || p.policy.State() != breaker.Closed || p.policy.Keep() {
			t.Errorf("%v; the state is %v", err, p.policy.State())
		}
		s := p.policy.Snapshot()
		if s.Kind != "breaker" || s.Name != "legacy" || s.State != "closed" {
			t.Errorf("the snapshot is %+v", s)
		}
		for _, v := range s.Values {
			if strings.HasPrefix(v.Name, "rejections.") && v.V != 1 {
				t.Errorf("%s is %v", v.Name, v.V)
			}
		}
	})
}

// T2: gobreaker itself never counts a Goexit.
func TestGobreakerCountsPanicAndGoexitAsFailures(t *testing.T) {
	onPeers(t, gobreaker.Settings{}, func(t *testing.T, p peerUnderTest) {
		value := &bang{}
		panicked, stack, _ := attempt(func() { _ = p.policy.Do(context.Background(), panickingOp(value)) })
		if panicked != value || !strings.Contains(stack, "panickingOp") {
			t.Errorf("recovered %v at\n%s", panicked, stack)
		}
		panicked, _, exited := attempt(func() {
			_ = p.policy.Do(context.Background(), func(context.Context) error { runtime.Goexit(); return nil })
		})
		if !exited || panicked != nil {
			t.Errorf("the goroutine did not exit, but panicked with %v", panicked)
		}
		if c := p.counts(); c.Requests != 2 || c.TotalFailures != 2 {
			t.Errorf("counted %+v", c)
		}
	})
}

// T13
func TestGobreakerIgnoresWhatIsNeutralIfItIsMadeTo(t *testing.T) {
	onPeers(t, gobreaker.Settings{IsExcluded: breaker.GobreakerExcluded}, func(t *testing.T, p peerUnderTest) {
		ctx, cancel := context.WithCancel(t.Context())
		err := p.policy.Do(ctx, func(ctx context.Context) error {
			cancel()
			return ctx.Err()
		})
		if err != context.Canceled { //nolint:errorlint // op's own
			t.Errorf("the caller got %v", err)
		}
		for _, neutral := range []error{errIgnored, errOverload} {
			_ = p.policy.Do(t.Context(), func(context.Context) error { return neutral })
		}
		_ = seawall.Chain(p.policy, full{}).Do(t.Context(), succeed)
		if c := p.counts(); c.TotalExclusions != 4 || c.TotalFailures != 0 {
			t.Errorf("counted %+v", c)
		}
		_ = p.policy.Do(t.Context(), func(context.Context) error { return context.Canceled }) // op's own
		if c := p.counts(); c.TotalFailures != 1 {
			t.Errorf("counted %+v", c)
		}
	})
}

// T13: what cannot be set from here.
func TestGobreakerCountsCancellationIfItIsNotMadeForIt(t *testing.T) {
	onPeers(t, gobreaker.Settings{}, func(t *testing.T, p peerUnderTest) {
		ctx, cancel := context.WithCancel(t.Context())
		_ = p.policy.Do(ctx, func(ctx context.Context) error {
			cancel()
			return ctx.Err()
		})
		if c := p.counts(); c.TotalFailures != 1 {
			t.Errorf("counted %+v: the documentation can be better now", c)
		}
		if err := p.policy.Do(ctx, fail); err != context.Canceled || p.counts().Requests != 1 { //nolint:errorlint // the cause
			t.Errorf("a dead context ran it: %v, %+v", err, p.counts())
		}
	})
}

// T31: gobreaker itself counts twice.
func TestGobreakerPermitCountsOnceWhenToldTwice(t *testing.T) {
	cb := gobreaker.NewTwoStepCircuitBreaker[int](gobreaker.Settings{})
	g := breaker.FromGobreaker("legacy", cb, quiet())
	for range 100 {
		p, err := g.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var counted atomic.Int64
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if p.Done(nil) {
					counted.Add(1)
				}
			})
		}
		both.Wait()
		if counted.Load() != 1 {
			t.Fatalf("%d of two Done counted", counted.Load())
		}
	}
	if c := cb.Counts(); c.Requests != 100 || c.TotalSuccesses != 100 {
		t.Errorf("counted %+v", c)
	}
}

func TestGobreakerGivesValuesThroughCall(t *testing.T) {
	onPeers(t, gobreaker.Settings{}, func(t *testing.T, p peerUnderTest) {
		got, err := seawall.Call(t.Context(), p.policy, func(context.Context) (string, error) { return "value", nil })
		if got != "value" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if tr := p.policy.Traits(); tr.Kind != "breaker" {
			t.Errorf("the traits are %+v", tr)
		}
		if got := p.policy.String() + p.policy.Name(); got != `breaker "legacy"legacy` {
			t.Errorf("it is called %s", got)
		}
	})
}

// T78
func TestFromGobreakerRefusesNil(t *testing.T) {
	for what, f := range map[string]func(){
		"FromGobreaker":        func() { breaker.FromGobreaker[int]("legacy", nil, quiet()) },
		"FromGobreakerExecute": func() { breaker.FromGobreakerExecute[int]("legacy", nil, quiet()) },
	} {
		if panicked, _, _ := attempt(f); panicked != "breaker: "+what+": the breaker is nil" {
			t.Errorf("%s panics with %v", what, panicked)
		}
	}
}
