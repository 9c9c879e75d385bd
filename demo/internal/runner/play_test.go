package runner_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/armtest"
	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/tally"
	"github.com/seawall-go/seawall/demo/internal/verdict"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func named(t *testing.T, name string) scene.Scene {
	t.Helper()
	found, err := scene.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

// short is a scene for tests that look at the machinery and not at its numbers.
func short(t *testing.T) scene.Scene {
	t.Helper()
	s, err := named(t, "brownout").Times(6 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pair() []runner.Spec {
	return []runner.Spec{{Name: "seawall", Kind: verdict.Seawall}, {Name: "plain", Kind: verdict.Plain}}
}

func play(t *testing.T, cfg runner.Config, s scene.Scene) *runner.Played {
	t.Helper()
	p, err := runner.Play(t.Context(), cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	return p
}

func bad(a report.Arm) string {
	var ids []string
	for _, f := range a.Findings {
		if f.State != verdict.Holds {
			ids = append(ids, f.ID)
		}
	}
	return strings.Join(ids, " ")
}

// The whole frame, over arms with the modelled capacity: without the contrast that the scene is about, the frame would
// not show it on real sockets either.
func TestFrameShowsAStormThatDoesNotEnd(t *testing.T) {
	for _, seed := range []uint64{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			p := play(t, runner.Config{Seed: seed, Arms: pair(), Build: armtest.Builder(armtest.Bugs{})}, named(t, "retrystorm"))
			seawall, plain := p.Report.Arms[0], p.Report.Arms[1]
			if found := bad(seawall); found != "" {
				t.Errorf("seawall: %s: %+v", found, seawall.Findings)
			}
			for i, phase := range []string{"before", "during", "after"} {
				if seawall.Phases[i].Name != phase || plain.Phases[i].Name != phase {
					t.Fatalf("phases %+v", seawall.Phases)
				}
			}
			if good := plain.Phases[0].Good.Ratio(); good < 0.95 {
				t.Errorf("plain before the fault: %v", good)
			}
			if good := plain.Phases[2].Good.Ratio(); good > 0.2 || plain.Recovered != nil || bad(plain) != "I11" {
				t.Errorf("plain after the fault: %v, recovered %v, violated %s", good, plain.Recovered, bad(plain))
			}
			if seawall.AttemptsPerCall() > 1.1 || plain.AttemptsPerCall() < 2 {
				t.Errorf("attempts per call: seawall %.2f, plain %.2f", seawall.AttemptsPerCall(), plain.AttemptsPerCall())
			}
			if seawall.Recovered == nil || *seawall.Recovered > 4*time.Second {
				t.Errorf("seawall recovered after %v", seawall.Recovered)
			}
			if r := (report.Report{Scenes: []report.Scene{p.Report}}); r.ExitCode() != 0 {
				t.Errorf("exit code %d: %s", r.ExitCode(), r.Line())
			}
		})
	}
}

func TestFrameShowsABrownoutThatReadsSurvive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := play(t, runner.Config{Seed: 1, Arms: pair(), Build: armtest.Builder(armtest.Bugs{})}, named(t, "brownout"))
		seawall, plain := p.Report.Arms[0], p.Report.Arms[1]
		if found := bad(seawall); found != "" {
			t.Errorf("seawall: %s: %+v", found, seawall.Findings)
		}
		s := p.Report.Scene
		reads := measure.Goodput(s.SLO, p.Answers[1], 8*time.Second, 20*time.Second, load.SeatMap)
		if reads.Ratio() > 0.2 {
			t.Errorf("plain seat maps during the fault: %v", reads)
		}
		if before, during := seawall.Bins[5], seawall.Bins[15]; before.Stale > 10 || during.Stale < 80 {
			t.Errorf("%d stale answers in a second before the fault, %d in one during it", before.Stale, during.Stale)
		}
		if plain.Bins[3].Offered != seawall.Bins[3].Offered {
			t.Error("the arms were offered different loads")
		}
	})
}

// A/A: what differs between two equal arms is made by the frame.
func TestFrameDoesNotFavourAnArm(t *testing.T) {
	for _, kind := range []string{verdict.Seawall, verdict.Plain} {
		synctest.Test(t, func(t *testing.T) {
			arms := []runner.Spec{{Name: kind + "-a", Kind: kind}, {Name: kind + "-b", Kind: kind}}
			p := play(t, runner.Config{Seed: 1, Arms: arms, Build: armtest.Builder(armtest.Bugs{})}, named(t, "retrystorm"))
			var twins verdict.Twins
			twins.Add(p.Report.Scene.SLO, [2][]load.Answer(p.Answers), p.Report.Interrupted)
			if f := twins.Finding(); f.State != verdict.Holds {
				t.Errorf("%s: %+v", kind, f)
			}
		})
	}
}

// echo is an arm whose answers depend on nothing but the request.
func echo(context.Context, runner.Options) (runner.Arm, error) { return &echoArm{}, nil }

type echoArm struct {
	mu   sync.Mutex
	seen []load.Request
}

func (a *echoArm) Do(_ context.Context, r load.Request) load.Answer {
	a.mu.Lock()
	a.seen = append(a.seen, r)
	a.mu.Unlock()
	time.Sleep(time.Duration(r.N%700) * time.Millisecond)
	if r.N%5 == 0 {
		return load.Answer{Err: "no"}
	}
	return load.Answer{Status: 200, Valid: true, Stale: r.N%7 == 0}
}

func (a *echoArm) Status() measure.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := uint64(len(a.seen))
	return measure.Status{Calls: n, Attempts: n, Shed: n / 10}
}

func (a *echoArm) Now() time.Time { return time.Now() }

func (a *echoArm) Operations() []runner.Page { return nil }

func (a *echoArm) House() load.House { return load.House{{ID: 1, Seats: []int64{1, 2, 3, 4, 5}}} }

func (a *echoArm) Settings() []report.Setting { return nil }

func (a *echoArm) Ledger(context.Context) (verdict.Ledger, error) { return verdict.Ledger{}, nil }

func (a *echoArm) Close(context.Context) error { return nil }

func TestFrameGivesEqualArmsEqualLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var arms []runner.Spec
		for _, name := range []string{"a", "b", "c"} {
			arms = append(arms, runner.Spec{Name: name, Kind: verdict.Plain})
		}
		lines := map[string][]string{}
		cfg := runner.Config{Seed: 3, Arms: arms, Build: echo, Hooks: runner.Hooks{
			Second: func(_ time.Duration, arms []runner.Second) {
				for _, a := range arms {
					lines[a.Name] = append(lines[a.Name], fmt.Sprintf("%+v", a.Live))
				}
			},
		}}
		p := play(t, cfg, short(t))
		for i, name := range []string{"b", "c"} {
			if !reflect.DeepEqual(p.Report.Arms[0].Bins, p.Report.Arms[i+1].Bins) {
				t.Errorf("arms a and %s differ:\n%+v\n%+v", name, p.Report.Arms[0].Bins, p.Report.Arms[i+1].Bins)
			}
			if !reflect.DeepEqual(lines["a"], lines[name]) {
				t.Errorf("the lines of a and %s differ:\n%s\n%s", name, lines["a"], lines[name])
			}
			if !reflect.DeepEqual(p.Answers[0], p.Answers[i+1]) {
				t.Errorf("the answers of a and %s differ", name)
			}
		}
	})
}

func TestFrameSendsEachRequestAtItsTimeToAllArms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := short(t)
		p := play(t, runner.Config{Seed: 1, Arms: pair(), Build: echo}, s)
		want := slices.Collect(load.Config{
			Seed: 1, Scene: s.Name, Rate: s.Rate, Length: s.Length, Mix: s.Mix, House: (&echoArm{}).House(),
		}.Arrivals())
		for arm, answers := range p.Answers {
			if len(answers) != len(want) {
				t.Fatalf("arm %d: %d answers to %d requests", arm, len(answers), len(want))
			}
			for i, a := range answers {
				if !reflect.DeepEqual(a.Request, want[i]) || a.Sent != a.At ||
					a.Done != a.Sent+time.Duration(a.N%700)*time.Millisecond {
					t.Fatalf("arm %d: %+v, want %+v", arm, a, want[i])
				}
			}
		}
		if late := p.Report.Machine.Late; late.Part != 0 || late.Whole != 2*len(want) {
			t.Errorf("late: %+v", late)
		}
	})
}

// Whose turn it is goes round, and begins with the arm that was made first.
func TestTheLastArmMayHaveTheFirstTurn(t *testing.T) {
	for _, lastFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var made, served, closed []string
			into := func(list *[]string, o runner.Options) {
				mu.Lock()
				defer mu.Unlock()
				*list = append(*list, o.Name)
			}
			p := play(t, runner.Config{Seed: 1, Arms: pair(), LastFirst: lastFirst, Build: armtest.Builder(armtest.Bugs{
				Build:  func(o runner.Options) error { into(&made, o); return nil },
				Status: func(o runner.Options, s measure.Status) measure.Status { into(&served, o); return s },
				Close:  func(o runner.Options) error { into(&closed, o); return nil },
			})}, short(t))
			want := []string{"seawall", "plain"}
			if lastFirst {
				want = []string{"plain", "seawall"}
			}
			if !slices.Equal(made, want) || !slices.Equal(closed, want) || !slices.Equal(served[:4], []string{want[0], want[1], want[1], want[0]}) {
				t.Errorf("made are %v, asked %v, closed %v", made, served[:4], closed)
			}
			for i, spec := range pair() {
				if a := p.Report.Arms[i]; a.Name != spec.Name || a.Kind != spec.Kind || len(p.Answers[i]) == 0 {
					t.Errorf("arm %d of the report is %s", i, a.Name)
				}
			}
		})
	}
}

func TestHooksTellEachSecondOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := short(t)
		var told []string
		begin := time.Now()
		note := func(format string, args ...any) {
			told = append(told, time.Since(begin).Round(time.Millisecond).String()+" "+fmt.Sprintf(format, args...))
		}
		cfg := runner.Config{Seed: 1, Arms: pair(), Build: echo, Hooks: runner.Hooks{
			Ready: func(took time.Duration, _ []runner.Page) { note("ready %v", took) },
			Second: func(at time.Duration, arms []runner.Second) {
				note("second %v of %s and %s", at, arms[0].Name, arms[1].Name)
			},
			Fault: func(e fault.Event) { note("fault %v", e.State) },
		}}
		play(t, cfg, s)
		want := []string{
			"0s ready 0s",
			"1.5s second 1s of seawall and plain",
			"1.6s fault running",
			"2.5s second 2s of seawall and plain",
			"3.5s second 3s of seawall and plain",
			"4s fault ended",
			"4.5s second 4s of seawall and plain",
			"5.5s second 5s of seawall and plain",
			"6.5s second 6s of seawall and plain",
		}
		if !slices.Equal(told, want) {
			t.Errorf("told:\n%s", strings.Join(told, "\n"))
		}
	})
}

// The dashboard and the report tell of the same answers.
func TestTallyHasTheAnswersOfTheReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, counts := short(t), tally.New("seawall", "plain")
		p := play(t, runner.Config{Seed: 1, Arms: pair(), Build: armtest.Builder(armtest.Bugs{}), Tally: counts}, s)
		w := httptest.NewRecorder()
		counts.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
		for i, a := range pair() {
			got := map[measure.Grade]int{}
			for _, answer := range p.Answers[i] {
				got[s.SLO.Grade(answer)]++
			}
			want := []string{fmt.Sprintf("boxoffice_offered_total{arm=%q} %d\n", a.Name, len(p.Answers[i]))}
			for _, g := range measure.Grades() {
				labels := fmt.Sprintf("{arm=%q,result=%q} %d\n", a.Name, g, got[g])
				want = append(want, "boxoffice_arrivals_total"+labels, "boxoffice_latency_seconds_count"+labels)
			}
			for _, line := range want {
				if !strings.Contains(w.Body.String(), line) {
					t.Errorf("no %q in\n%s", line, w.Body)
				}
			}
			if got[measure.Good] == 0 || a.Name == "plain" && len(got) < 2 {
				t.Errorf("%s: %v: this shows little", a.Name, got)
			}
		}
	})
}

// Whoever watches must not slow down what is measured.
func TestHooksThatBlockDoNotDelayTheScene(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := runner.Config{Seed: 1, Arms: pair(), Build: echo, Hooks: runner.Hooks{
			Second: func(time.Duration, []runner.Second) { time.Sleep(time.Minute) },
		}}
		p := play(t, cfg, short(t))
		for _, a := range p.Answers[0] {
			if a.Sent != a.At {
				t.Fatalf("request %d of %v was sent at %v", a.N, a.At, a.Sent)
			}
		}
	})
}

func TestInterruptionLeavesAReportOfWhatWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Second, cancel)
		begin := time.Now()
		cfg := runner.Config{Seed: 1, Arms: pair(), Build: armtest.Builder(armtest.Bugs{})}
		p, err := runner.Play(ctx, cfg, named(t, "retrystorm"))
		if err != nil {
			t.Fatal(err)
		}
		// What has begun in the gate runs to its end.
		if took := time.Since(begin); took < 20*time.Second || took > 21*time.Second {
			t.Errorf("ended after %v", took)
		}
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
		r := p.Report
		if !r.Interrupted || r.Played != 19500*time.Millisecond || len(r.Arms[0].Bins) != 20 {
			t.Errorf("interrupted %v, played %v, %d bins", r.Interrupted, r.Played, len(r.Arms[0].Bins))
		}
		for _, f := range r.Arms[0].Findings {
			rule := strings.HasPrefix(f.ID, "R")
			if rule && f.State != verdict.Unjudged || f.Safety && f.State != verdict.Holds {
				t.Errorf("%+v", f)
			}
		}
		// The requests that were cut off are no evidence against the arm.
		if good := r.Arms[0].Phases[2].Good; good.Ratio() < 0.9 || good.Whole == 0 {
			t.Errorf("good after the fault: %v of %d", good, good.Whole)
		}
		whole := report.Report{Scenes: []report.Scene{r}, Wanted: []string{"retrystorm"}}
		if whole.ExitCode() != report.ExitInvalid {
			t.Errorf("exit code %d", whole.ExitCode())
		}
	})
}

func TestInterruptionBeforeTheSceneIsAnErrorAndLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		closed := 0
		build := armtest.Builder(armtest.Bugs{
			Build: func(o runner.Options) error {
				if o.Index == 1 {
					cancel()
					return context.Canceled
				}
				return nil
			},
			Close: func(runner.Options) error { closed++; return nil },
		})
		_, err := runner.Play(ctx, runner.Config{Seed: 1, Arms: pair(), Build: build}, short(t))
		if !errors.Is(err, context.Canceled) || closed != 1 {
			t.Errorf("%v, %d arms closed", err, closed)
		}
	})
}

func TestAnArmThatCannotStartIsNamedAndTheOthersAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("disk full")
		var closed []string
		build := armtest.Builder(armtest.Bugs{
			Build: func(o runner.Options) error {
				if o.Name == "plain" {
					return full
				}
				return nil
			},
			Close: func(o runner.Options) error {
				closed = append(closed, o.Name)
				return errors.New("and it does not close")
			},
		})
		_, err := runner.Play(t.Context(), runner.Config{Seed: 1, Arms: pair(), Build: build}, short(t))
		text := fmt.Sprint(err)
		if !errors.Is(err, full) || !strings.Contains(text, "arm plain") || !strings.Contains(text, "does not close") {
			t.Errorf("%v", err)
		}
		if !slices.Equal(closed, []string{"seawall"}) {
			t.Errorf("closed %v", closed)
		}
	})
}

// otherHouse sells something else than the arm that it wraps.
type otherHouse struct{ runner.Arm }

func (otherHouse) House() load.House { return load.House{{ID: 9, Seats: []int64{9}}} }

func TestArmsThatSellDifferentThingsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		build := func(ctx context.Context, o runner.Options) (runner.Arm, error) {
			a, err := echo(ctx, o)
			if o.Index == 1 {
				a = otherHouse{a}
			}
			return a, err
		}
		_, err := runner.Play(t.Context(), runner.Config{Seed: 1, Arms: pair(), Build: build}, short(t))
		if err == nil || !strings.Contains(err.Error(), "seawall and plain do not sell the same") {
			t.Errorf("%v", err)
		}
	})
}

// hanging answers only when its context ends.
type hanging struct{ runner.Arm }

func (hanging) Do(ctx context.Context, _ load.Request) load.Answer {
	<-ctx.Done()
	return load.Answer{Err: context.Cause(ctx).Error()}
}

func TestAnArmThatNeverAnswersDoesNotHoldTheFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		build := func(ctx context.Context, o runner.Options) (runner.Arm, error) {
			a, err := echo(ctx, o)
			return hanging{a}, err
		}
		begin := time.Now()
		s := short(t)
		p := play(t, runner.Config{Seed: 1, Arms: pair()[1:], Build: build, Drain: 3 * time.Second}, s)
		if took, want := time.Since(begin), s.Length+600*time.Millisecond+3*time.Second; took != want {
			t.Errorf("took %v, want %v", took, want)
		}
		if good := p.Report.Arms[0].Phases[0].Good; good.Part != 0 || good.Whole == 0 || p.Report.Interrupted {
			t.Errorf("good %v of %d, interrupted %v", good, good.Whole, p.Report.Interrupted)
		}
		if got := p.Answers[0][0].Err; got != "the scene is over" {
			t.Errorf("the first request ended with %q", got)
		}
	})
}

func TestWhatTheDatabasesDoNotSayIsNotAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		build := armtest.Builder(armtest.Bugs{Ledger: func(runner.Options, verdict.Ledger) (verdict.Ledger, error) {
			return verdict.Ledger{}, errors.New("locked")
		}})
		p := play(t, runner.Config{Seed: 1, Arms: pair()[:1], Build: build}, short(t))
		unknown := 0
		for _, f := range p.Report.Arms[0].Findings {
			if f.State == verdict.Unknown {
				unknown++
				if !strings.Contains(f.Measured, "locked") {
					t.Errorf("%+v", f)
				}
			}
		}
		if r := (report.Report{Scenes: []report.Scene{p.Report}}); unknown != 4 || r.ExitCode() != report.ExitBroken {
			t.Errorf("%d unknown, exit code %d", unknown, r.ExitCode())
		}
	})
}

func TestMachineDecidesOnlyWhereItIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var used time.Duration
		var mu sync.Mutex
		busy := func() (time.Duration, bool) {
			mu.Lock()
			defer mu.Unlock()
			used += time.Hour
			return used, true
		}
		cfg := runner.Config{Seed: 1, Arms: pair(), Build: echo}
		if p := play(t, cfg, short(t)); p.Report.Machine.Watched || len(p.Report.Objections) != 0 {
			t.Errorf("%+v", p.Report.Machine)
		}
		cfg.CPU = busy
		p := play(t, cfg, short(t))
		found := p.Report.Objections
		if !p.Report.Machine.Watched || len(found) != 1 || !strings.Contains(found[0].What, "processors") {
			t.Errorf("%+v: %v", p.Report.Machine, p.Report.Objections)
		}
	})
}

func TestPlayRefusesNonsense(t *testing.T) {
	cfg := runner.Config{Build: echo}
	if _, err := runner.Play(t.Context(), cfg, short(t)); err == nil {
		t.Error("a run without arms began")
	}
	cfg.Arms = pair()
	s := short(t)
	s.Rate = 0
	if _, err := runner.Play(t.Context(), cfg, s); err == nil {
		t.Error("a scene without customers began")
	}
}
