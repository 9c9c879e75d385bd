package fault

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/internal/mono"
)

const kind = "fault"

// Injector carries out a [Plan], once. Until Start, and again after the last fault has ended, it is inert: it has no
// timer, and its points cost one atomic load. It is safe for concurrent use. A nil Injector is one without points, for
// programs that run without faults.
type Injector struct {
	cfg  Config
	name string

	mu      sync.Mutex // guards the fields below, and the state of all runs
	points  map[string]*Point
	runs    []*run // one for each fault of the plan, in its order
	state   State
	start   time.Duration // reading of mono.Now at Start
	due     []change      // what is still to come, the next one first
	timer   *time.Timer   // for the next of due; nil before Start
	unwatch func() bool   // lets go of Start's context
	cuts    []*conn       // connections that a fault has ended, and that are to be closed
	doors   []*door       // of proxies, that are to be opened or shut

	events events.Queue[Event] // put under mu
}

// run is one fault on its way through the plan.
type run struct {
	index     int
	fault     Fault
	point     *Point
	stream    uint64 // of draws
	threshold uint64
	damaged   uint64 // threshold for a byte of Corrupt
	aim       aim
	injected  *InjectedError
	over      chan struct{} // closed when it ends

	draws atomic.Uint64 // without a key
	hits  atomic.Uint64

	// The fields below are guarded by the injector's mu.
	state State
	began time.Duration // since the injector's start
	ended time.Duration
}

// New makes an injector that is inert until Start. Its name is a constant of the program, for people, metrics and logs.
// New panics if cfg is not valid; see [Config.Validate].
func New(name string, cfg Config) *Injector {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	cfg.Plan = cfg.Plan.clone()
	i := &Injector{cfg: cfg, name: name, points: map[string]*Point{}, due: schedule(cfg.Plan)}
	for n, f := range cfg.Plan.Faults {
		i.runs = append(i.runs, &run{
			index: n, fault: f, point: i.Point(f.Target),
			stream: streamOf(cfg.Plan.Seed, n), threshold: thresholdOf(f.share()), damaged: thresholdOf(f.damage()),
			aim: aimOf(f), injected: newInjected(f), over: make(chan struct{}),
		})
	}
	seawall.Register(cfg.Registry, kind, &i.name, i)
	return i
}

// Point returns the seam at which the faults of target act: one and the same for equal targets. Targets are constants
// of the program: the injector keeps a point for each for as long as it lives. A nil Injector returns a nil Point,
// which feels nothing.
func (i *Injector) Point(target string) *Point {
	if i == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	p, ok := i.points[target]
	if !ok {
		p = newPoint(target)
		i.points[target] = p
	}
	return p
}

// Start begins the plan now. It does not block: faults that are due at 0 act when it returns, and timers bring the
// rest. The end of ctx heals everything, as Stop does. The error matches [ErrStarted] if the injector was started or
// stopped before, or it is the cause of ctx if that is done; then nothing was started.
func (i *Injector) Start(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !i.begin() {
		return fmt.Errorf("%w: %q", ErrStarted, i.name)
	}
	unwatch := context.AfterFunc(ctx, i.Stop)
	i.mu.Lock()
	i.unwatch = unwatch
	i.advanceLocked()
	i.unlock()
	return nil
}

func (i *Injector) begin() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.state != Waiting {
		return false
	}
	i.state, i.start = Running, mono.Now()
	return true
}

// Stop ends the plan and heals everything: when it returns no point feels anything, no timer is left, and calls that a
// fault made wait go on. It waits for no call and for no other goroutine. It may be called at any time and several
// times; before Start it makes Start an error.
func (i *Injector) Stop() {
	i.mu.Lock()
	i.stopLocked()
	i.unlock()
}

// unlock ends a section that may have changed something: outside of the lock it opens and shuts doors, closes the
// connections that were cut, lets go of the context if the plan is over, and tells what happened.
func (i *Injector) unlock() {
	var unwatch func() bool
	if i.state == Ended {
		unwatch, i.unwatch = i.unwatch, nil
	}
	cuts, doors := i.cuts, i.doors
	i.cuts, i.doors = nil, nil
	i.mu.Unlock()
	for _, d := range doors {
		d.settle()
	}
	for _, c := range cuts {
		c.cut()
	}
	if unwatch != nil {
		unwatch()
	}
	i.events.Tell(i.tell)
}

// Config returns the configuration.
func (i *Injector) Config() Config {
	cfg := i.cfg
	cfg.Plan = cfg.Plan.clone()
	return cfg
}

// Name returns the injector's name.
func (i *Injector) Name() string { return i.name }

// String returns such as: fault "rehearsal".
func (i *Injector) String() string { return fmt.Sprintf("%s %q", kind, i.name) }
