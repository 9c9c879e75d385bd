package breaker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// step is one operation on a breaker and its model.
type step struct {
	kind stepKind
	arg  int
}

type stepKind uint8

const (
	begin  stepKind = iota // acquire; what is admitted stays out
	finish                 // end one of the calls that are out; arg chooses it and its outcome
	call                   // acquire and end at once; arg chooses the outcome
	wait                   // let time pass; arg chooses how much
	reload                 // update the config; arg chooses it
	kinds
)

func (s step) String() string {
	return fmt.Sprintf("%s(%d)", [...]string{"begin", "finish", "call", "wait", "reload"}[s.kind], s.arg)
}

// ends are the ways in which a call of the model's tests can end.
var ends = []struct {
	err     error
	verdict seawall.Verdict
}{
	{nil, seawall.Verdict{}},
	{errDown, seawall.Classify(errDown)},
	{errOverload, seawall.Classify(errOverload)},
	{errIgnored, seawall.Classify(errIgnored)},
	{nil, seawall.Verdict{}},
	{downFor(5 * time.Second), seawall.Classify(downFor(5 * time.Second))},
	{nil, seawall.Verdict{}},
	{downFor(time.Hour), seawall.Classify(downFor(time.Hour))},
}

// shapes are the windows of the two tests.
var shapes = map[string]breaker.Window{"time": {Time: time.Second}, "calls": {Calls: 8}}

// reloads are the configs that a run switches between, in all modes.
func reloads(shape breaker.Window) []breaker.Config {
	var all []breaker.Config
	off := breaker.SlowCalls{Over: breaker.NoSlowCalls}
	second := breaker.SlowCalls{Over: time.Second, Rate: 0.5}
	for _, mode := range []seawall.Mode{
		seawall.Enforce, seawall.Enforce, seawall.Shadow, seawall.ForcedOpen, seawall.ForcedClosed, seawall.Off,
	} {
		all = append(all,
			breaker.Config{Window: shape, MinCalls: 5, Mode: mode, Slow: second, Probes: breaker.Probes{Calls: 2}},
			breaker.Config{
				Window: shape, MinCalls: 3, FailureRate: 0.33, OpenFor: 100 * time.Millisecond, OpenGrowth: 10,
				Mode: mode, Slow: off, ConsecutiveFailures: 2, Ramp: breaker.Ramp{Start: 0.3, Factor: 1.5, Step: 10 * time.Millisecond},
			},
			breaker.Config{
				Window: shape, MinCalls: 1, FailureRate: 1, Probes: breaker.Probes{Calls: 1}, Mode: mode,
				OpenGrowth: 1, Ramp: breaker.Ramp{Start: breaker.NoRamp},
			},
			breaker.Config{
				Window: shape, MinCalls: 4, Probes: breaker.Probes{Calls: 9, Timeout: time.Second}, Mode: mode,
				OpenFor: 2 * time.Second, OpenGrowth: 2,
				Slow: breaker.SlowCalls{Over: 3 * time.Second, Rate: 0.25}, MaxRetryAfter: breaker.NoRetryAfter,
			},
			breaker.Config{Window: breaker.Window{Calls: 4}, Mode: mode, Slow: second, ConsecutiveFailures: 3},
			breaker.Config{
				Window: breaker.Window{Time: 3 * time.Second}, MinCalls: 2, MaxOpenFor: 2 * time.Second, Mode: mode,
				Slow: breaker.SlowCalls{Over: 50 * time.Millisecond, Rate: 1}, MaxRetryAfter: 3 * time.Second,
				Ramp: breaker.Ramp{Start: 0.5, Factor: 1.2}, Probes: breaker.Probes{Calls: 2, Timeout: 100 * time.Millisecond},
			},
		)
	}
	for i := range all {
		all[i].Registry = quiet()
		all[i] = breaker.New("resolve", all[i]).Config()
	}
	return all
}

// run makes the steps on a breaker and its model, in a bubble, and returns what was told and the first difference. If it
// does not watch, it reads the state at the end only: whether somebody looks must change nothing.
func run(shape breaker.Window, watch bool, steps []step) ([]breaker.Event, error) {
	var told events
	configs := reloads(shape)
	for i := range configs {
		configs[i].OnStateChange = told.add
	}
	start := time.Now()
	b := newBreaker(configs[0])
	b.SetRandom(func() float64 { return 0.5 })
	m := newModel(configs[0], func() time.Duration { return time.Since(start) })
	m.hint = none
	type pair struct {
		real  *seawall.Permit
		model *modelPermit
	}
	var out []pair
	acquire := func() (pair, bool, error) {
		real, err := b.Acquire(context.Background())
		model, admitted := m.acquire()
		if (err == nil) != admitted {
			return pair{}, false, fmt.Errorf("acquire says %v; the model admits: %v", err, admitted) //nolint:errorlint // text
		}
		return pair{&real, model}, admitted, nil
	}
	end := func(p pair, arg int) error {
		with := ends[arg%len(ends)]
		if got, want := p.real.Done(with.err), m.done(p.model, with.verdict); got != want {
			return fmt.Errorf("done with %v: %v, the model says %v", with.verdict, got, want)
		}
		return nil
	}
	compare := func() error {
		if got, want := b.Stats(), m.snapshot(); got != want {
			return fmt.Errorf("\n%+v, the model has\n%+v", got, want)
		}
		if got := told.list(); !slices.Equal(got, m.events) {
			return fmt.Errorf("told of\n%+v, the model has\n%+v", got, m.events)
		}
		return nil
	}
	for i, s := range steps {
		var err error
		switch s.kind {
		case begin:
			var p pair
			var admitted bool
			if p, admitted, err = acquire(); admitted {
				out = append(out, p)
			}
		case finish:
			if len(out) > 0 {
				n := s.arg / len(ends) % len(out)
				err = end(out[n], s.arg)
				out = slices.Delete(out, n, n+1)
			}
		case call:
			var p pair
			var admitted bool
			if p, admitted, err = acquire(); admitted {
				err = end(p, s.arg)
			}
		case wait:
			time.Sleep(m.wait(s.arg))
		case reload:
			cfg := configs[s.arg%len(configs)]
			err = b.Update(cfg)
			m.update(cfg)
		}
		if err == nil && (watch || i == len(steps)-1) {
			err = compare()
		}
		if err != nil {
			return nil, fmt.Errorf("step %d of %v: %w", i, steps, err)
		}
	}
	return told.list(), nil
}

// wait chooses how long to wait. The instants at which something ends are the interesting ones.
func (m *model) wait(arg int) time.Duration {
	left, deadline := max(0, m.until-m.now()), m.deadline()
	for _, p := range m.running {
		deadline = min(deadline, p.due())
	}
	next := time.Duration(0)
	if deadline != never {
		next = max(0, deadline-m.now())
	}
	waits := []time.Duration{
		1, time.Millisecond, 99 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second,
		left, max(0, left-1), m.cfg.Probes.Timeout, m.cfg.Window.Time / 10, m.cfg.Window.Time,
		next, max(0, next-1), max(0, m.cfg.Slow.Over), 100 * time.Second,
	}
	return waits[arg%len(waits)]
}

// shortest leaves steps out as long as what remains still fails.
func shortest(fails func([]step) bool, steps []step) []step {
	for chunk := len(steps) / 2; chunk > 0; {
		smaller := false
		for i := 0; i+chunk <= len(steps); i++ {
			without := slices.Concat(steps[:i], steps[i+chunk:])
			if fails(without) {
				steps, smaller = without, true
				break
			}
		}
		if !smaller {
			chunk /= 2
		}
	}
	return steps
}

func check(t *testing.T, shape breaker.Window, watch bool, steps []step) (told []breaker.Event) {
	t.Helper()
	inBubble := func(steps []step) (err error) {
		synctest.Test(t, func(*testing.T) { told, err = run(shape, watch, steps) })
		return err
	}
	if err := inBubble(steps); err != nil {
		few := shortest(func(s []step) bool { return inBubble(s) != nil }, steps)
		t.Fatalf("%v\n\nfirst seen as: %v", inBubble(few), err)
	}
	return told
}

// T1, T4, T7, T8, T12, T47, T48, T49, T51, T75, T79
func TestBreakerDoesWhatItsModelDoes(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() || raceEnabled {
		seeds = 80 // it runs in one goroutine
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			seen := map[string]int{}
			for seed := range seeds {
				r := rand.New(rand.NewPCG(seed, 99))
				steps := make([]step, 400)
				for i := range steps {
					// Calls are frequent, reloads rare, and failures come in bad times.
					kind := [...]stepKind{begin, begin, finish, finish, call, call, call, call, wait, wait}[r.IntN(10)]
					if r.IntN(15) == 0 {
						kind = reload
					}
					arg := r.IntN(1 << 16)
					if i/50%2 == 1 && kind != wait && kind != reload {
						arg = arg&^7 | 1 // a failure
					}
					steps[i] = step{kind, arg}
				}
				t.Logf("seed %d", seed)
				for _, e := range check(t, shape, seed%2 == 0, steps) {
					seen[e.Reason]++
				}
			}
			for _, reason := range []string{
				"failure_rate", "slow_rate", "consecutive_failures", "open_time_over", "probes_failed", "probes_slow",
				"probes_succeeded", "ramp_stalled", "ramp_completed",
			} {
				if seen[reason] == 0 {
					t.Errorf("nothing happened because of %s, so nothing is proved of it: %v", reason, seen)
				}
				delete(seen, reason)
			}
			if len(seen) > 0 {
				t.Errorf("the documentation does not know of %v", seen)
			}
		})
	}
}

// FuzzBreakerAgainstModel runs a breaker beside its model. Two bytes are a step.
func FuzzBreakerAgainstModel(f *testing.F) {
	f.Add(true, []byte{2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 3, 6, 0, 0, 0, 0, 1, 0, 1, 3})
	f.Add(false, []byte{2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 3, 7, 2, 0, 3, 0, 2, 0, 2, 0, 2, 0})
	f.Add(true, []byte{4, 2, 2, 1, 3, 6, 0, 0, 3, 8, 0, 0, 4, 12, 0, 0, 1, 0})
	f.Add(false, []byte{4, 3, 2, 1, 2, 1, 2, 1, 2, 1, 3, 6, 2, 0, 2, 0, 4, 1, 0, 0})
	f.Fuzz(func(t *testing.T, byTime bool, data []byte) {
		if len(data) > 400 {
			return
		}
		var steps []step
		for ; len(data) >= 2; data = data[2:] {
			steps = append(steps, step{stepKind(data[0]) % kinds, int(data[1])})
		}
		shape := shapes["calls"]
		if byTime {
			shape = shapes["time"]
		}
		check(t, shape, len(steps)%2 == 0, steps)
	})
}
