package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/tally"
	"github.com/seawall-go/seawall/fault"
)

// Play builds the arms and plays one scene. If ctx ends while it is played, the scene is cut off there and judged as
// far as that goes. The error says that it could not begin, or it is the cause of ctx if that ended before; then
// nothing is left behind. Otherwise the caller closes what was played.
func Play(ctx context.Context, cfg Config, s scene.Scene) (*Played, error) {
	s = s.Seed(cfg.Seed)
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if len(cfg.Arms) == 0 {
		return nil, errors.New("runner: Config.Arms is empty, want at least one")
	}
	st := &stage{cfg: cfg, scene: s, teller: startTeller()}
	defer st.teller.stop()
	began := time.Now()
	if err := st.build(ctx); err != nil {
		return nil, errors.Join(err, st.close(ctx))
	}
	if took := time.Since(began); cfg.Hooks.Ready != nil {
		var pages []Page
		for _, a := range st.arms {
			pages = append(pages, a.arm.Operations()...)
		}
		st.teller.tell(func() { cfg.Hooks.Ready(took, pages) })
	}
	st.run(ctx)
	return st.judge(ctx), nil
}

// stage is one scene while it is played.
type stage struct {
	cfg    Config
	scene  scene.Scene
	teller *teller
	arms   []*actor // in the order of Config.Arms
	turns  []*actor // the same ones, in the order in which they are made; whose turn is first goes round from there

	begin       time.Time
	played      time.Duration // how far it came
	interrupted bool
	machine     measure.Machine
	answering   sync.WaitGroup // one for each request that is under way

	mu      sync.Mutex // guards the field below
	offered []int      // by second
}

// actor is one arm on the stage.
type actor struct {
	Spec
	arm      Arm
	faults   *fault.Injector
	recorder *measure.Recorder
	counts   *tally.Arm
	zero     time.Time // when the scene began, on the clock of the arm's databases
}

// build makes the arms, one after the other. What it made is in st.turns also when it fails.
func (st *stage) build(ctx context.Context) error {
	st.arms = make([]*actor, len(st.cfg.Arms))
	for turn := range st.cfg.Arms {
		i := turn
		if st.cfg.LastFirst {
			i = len(st.cfg.Arms) - 1 - turn
		}
		spec := st.cfg.Arms[i]
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		registries := new(Registries)
		// At its only target: there people see what it is hurt by.
		faults := fault.New("scene", fault.Config{
			Plan: st.scene.Plan, OnChange: st.onFault(i), Registry: registries.Of(scene.Inventory),
		})
		arm, err := st.cfg.Build(ctx, Options{
			Name: spec.Name, Kind: spec.Kind, Index: i, Seed: st.cfg.Seed, Scene: st.scene, Faults: faults, Registries: registries,
		})
		if err != nil {
			return fmt.Errorf("arm %s: %w", spec.Name, err)
		}
		st.arms[i] = &actor{
			Spec: spec, arm: arm, faults: faults,
			recorder: measure.NewRecorder(st.scene.SLO), counts: st.cfg.Tally.Arm(spec.Name),
		}
		st.turns = append(st.turns, st.arms[i])
	}
	for _, a := range st.arms[1:] {
		if !a.arm.House().Equal(st.arms[0].arm.House()) {
			return fmt.Errorf("arms %s and %s do not sell the same", st.arms[0].Name, a.Name)
		}
	}
	return nil
}

// onFault tells the faults of the first arm: all arms have the same at the same times.
func (st *stage) onFault(arm int) func(fault.Event) {
	if arm != 0 || st.cfg.Hooks.Fault == nil {
		return nil
	}
	return func(e fault.Event) { st.teller.tell(func() { st.cfg.Hooks.Fault(e) }) }
}

// run is the scene itself.
func (st *stage) run(ctx context.Context) {
	// The requests end when this says so, and not with the caller's context: a customer whose answer comes a little
	// after the last arrival still counts.
	requests, hangUp := context.WithCancelCause(context.WithoutCancel(ctx))
	defer hangUp(nil)
	house := st.arms[0].arm.House()
	var watch *measure.Watch
	if st.cfg.CPU != nil {
		watch = measure.StartWatch(st.cfg.CPU)
	}
	st.begin = time.Now()
	for _, a := range st.arms {
		a.zero = a.arm.Now()
	}
	for _, a := range st.turns {
		_ = a.faults.Start(requests) // it is new, and the context has not ended
	}
	sampler := st.startSampler()

	err := load.Drive(ctx, st.begin, st.arrivals(house), func(r load.Request) { st.send(requests, r) })
	if err == nil {
		// Until the deadlines of the last arrivals have passed and their second has been sampled.
		end := st.scene.Length + st.scene.SLO.Longest() + measure.SampleEvery
		err = sleep(ctx, end-time.Since(st.begin))
	}
	st.played = st.scene.Length
	if err != nil {
		st.interrupted = true
		// Of the last moments it is not known whether the answers would have come in time.
		st.played = min(st.scene.Length, max(0, time.Since(st.begin)-st.scene.SLO.Longest()))
		hangUp(err)
	}
	st.drain(ctx, hangUp)

	for _, a := range st.arms {
		a.faults.Stop()
	}
	sampler.stop()
	if watch != nil {
		st.machine = watch.Stop()
	}
}
