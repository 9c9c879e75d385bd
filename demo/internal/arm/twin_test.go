package arm_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/arm"
	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/verdict"
	"github.com/seawall-go/seawall/demo/internal/wire"
)

// The twins: each scene with the components that people watch, on databases and connections in memory, in virtual time.
// They hold what the demo claims, for five seeds.

// seeds are those for which a scene must come out as claimed. The race detector makes a scene ten times as long, so that
// CI plays all of them without it.
func seeds() []uint64 {
	if testing.Short() || raceEnabled {
		return []uint64{1}
	}
	return []uint64{1, 2, 3, 4, 5}
}

func unlessRace(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector sees the same code in the scenes that come out as claimed")
	}
}

func twinKinds() []string {
	if testing.Short() {
		return []string{verdict.Seawall}
	}
	return []string{verdict.Seawall, verdict.Plain}
}

// play also returns what the policies at the first arm's gateway have counted, by kind, name and value.
func play(t *testing.T, s scene.Scene, cfg runner.Config) (*runner.Played, map[string]float64) {
	t.Helper()
	build, registries := arm.NewBuilder(arm.Config{Wire: new(wire.Memory), InMemory: true}), (*runner.Registries)(nil)
	cfg.Build = func(ctx context.Context, o runner.Options) (runner.Arm, error) {
		if o.Index == 0 {
			registries = o.Registries
		}
		return build(ctx, o)
	}
	played, err := runner.Play(t.Context(), cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, s := range registries.Of("gateway").Snapshots() {
		for _, v := range s.Values {
			counted[s.Kind+" "+s.Name+" "+v.Name] = v.V
		}
	}
	if err := played.Close(context.Background()); err != nil {
		t.Error(err)
	}
	return played, counted
}

// TestScenesComeOutAsClaimed holds the rule and the invariants against the Seawall arm, and the contrast against the
// plain one: a scene in which both do well shows nothing.
func TestScenesComeOutAsClaimed(t *testing.T) {
	for _, s := range scene.All() {
		for _, seed := range seeds() {
			t.Run(fmt.Sprintf("%s/seed=%d", s.Name, seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					played, counted := play(t, s, runner.Config{Seed: seed, Arms: []runner.Spec{
						{Name: "seawall", Kind: verdict.Seawall}, {Name: "plain", Kind: verdict.Plain},
					}})
					r := played.Report
					checkPolicies(t, s.Name, counted)
					of := r.Arms[0]
					t.Logf("seawall: good %.3f before, %.3f during, %.3f after; %.2f attempts per call; p50 %v, p99 %v",
						of.Phases[0].Good.Ratio(), of.Phases[1].Good.Ratio(), of.Phases[2].Good.Ratio(), of.AttemptsPerCall(),
						of.Latency.P50, of.Latency.P99)
					for _, f := range r.Arms[0].Findings {
						if f.State != verdict.Holds {
							t.Errorf("seawall: %s %s: %s: %s %s", f.ID, f.State, f.Claim, f.Measured, f.Witness)
						}
					}
					checkPlain(t, s.Name, r.Arms[1])
				})
			})
		}
	}
}

// checkPolicies asserts that what protects the Seawall arm did so where it is meant to, and nowhere else.
func checkPolicies(t *testing.T, scene string, counted map[string]float64) {
	t.Helper()
	hedged := counted["hedge inventory attempts"]
	for _, end := range []string{"primary", "hedge", "failed", "canceled", "aborted"} {
		hedged -= counted["hedge inventory calls."+end]
	}
	maps, quicker := counted["hedge inventory attempts"]-hedged, counted["hedge inventory calls.hedge"]
	shed, worse, better := counted["brownout seats rejections.sheddable"], counted["brownout seats transitions.worse"],
		counted["brownout seats transitions.better"]
	held, kept := counted["idempotency holds requests.new"], counted["idempotency holds requests.replayed"]
	t.Logf("seawall: %v seat maps asked for, %v more after a while, %v of them quicker; %v not asked for in a brownout; %v holds",
		maps, hedged, quicker, shed, held)
	if in, out := counted["ratelimit gateway.customer calls.allowed"], counted["ratelimit gateway.customer calls.rejected"]; in == 0 || out > 0 {
		t.Errorf("the quota let %v requests in and refused %v, want none", in, out)
	}
	if held == 0 || kept > 0 {
		t.Errorf("%v holds under a key, %v repeated", held, kept)
	}
	switch scene {
	case "brownout":
		if quicker == 0 || hedged > 0.1*maps+10 {
			t.Errorf("%v second attempts at %v seat maps, %v of them quicker", hedged, maps, quicker)
		}
		if worse == 0 || shed == 0 || better < worse {
			t.Errorf("the brownout got worse %v times and better %v times; %v seat maps were not asked for", worse, better, shed)
		}
	case "retrystorm":
		if maps > 0 || shed > 0 {
			t.Errorf("where nobody looks at a seat map, %v calls were hedged, and %v seat maps not asked for", maps, shed)
		}
	}
}

// checkPlain asserts what the plain arm suffers. What is wrong in it is never a lie: it sells no seat twice.
func checkPlain(t *testing.T, scene string, plain report.Arm) {
	t.Helper()
	for _, f := range plain.Findings {
		if f.Safety && f.State != verdict.Holds {
			t.Errorf("plain: %s %s: %s: %s", f.ID, f.State, f.Claim, f.Witness)
		}
	}
	before, during, after := plain.Phases[0].Good.Ratio(), plain.Phases[1].Good.Ratio(), plain.Phases[2].Good.Ratio()
	t.Logf("plain: good %.3f before, %.3f during, %.3f after; %.2f attempts per call",
		before, during, after, plain.AttemptsPerCall())
	if before < 0.99 {
		t.Errorf("plain is good at %.3f before the fault: it is not a decent service", before)
	}
	switch scene {
	case "brownout":
		if during > 0.5 {
			t.Errorf("plain is good at %.3f during the fault, want at most 0.5", during)
		}
	case "retrystorm":
		if after > 0.2 {
			t.Errorf("plain is good at %.3f after the fault, want at most 0.2: the storm does not last", after)
		}
		if plain.Recovered != nil {
			t.Errorf("plain recovered after %v", *plain.Recovered)
		}
	default:
		t.Errorf("no contrast is claimed for scene %q", scene)
	}
}

// TestTheStormIsMadeOfRetries plays the plain arm without its retries: with the same limits of time it recovers by itself,
// so what holds the other one down is its retries.
func TestTheStormIsMadeOfRetries(t *testing.T) {
	unlessRace(t)
	storm, err := scene.Find("retrystorm")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		played, _ := play(t, storm[0], runner.Config{Seed: 1, Arms: []runner.Spec{{Name: "noretry", Kind: verdict.NoRetry}}})
		if recovered := played.Report.Arms[0].Recovered; recovered == nil || *recovered > 10*time.Second {
			t.Errorf("without retries it recovered after %v, want at most 10s", recovered)
		}
	})
}

// TestEqualArmsAreEqual plays the scenes with two arms of one kind: nothing in the frame, the gates, the wires or the
// order of things favours one of them.
func TestEqualArmsAreEqual(t *testing.T) {
	unlessRace(t)
	for _, kind := range twinKinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var twins verdict.Twins
				for i, s := range scene.All() {
					p, _ := play(t, s, runner.Config{
						Seed: 1, LastFirst: i%2 == 1, Arms: []runner.Spec{{Name: "a", Kind: kind}, {Name: "b", Kind: kind}},
					})
					twins.Add(s.SLO, [2][]load.Answer(p.Answers), p.Report.Interrupted)
				}
				if f := twins.Finding(); f.State != verdict.Holds {
					t.Errorf("%+v", f)
				}
			})
		})
	}
}
