package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
)

const kind = "health"

// Health runs checks and knows what they mean together. Make it with [New]. It is safe for concurrent use. Between
// [Health.Start] and [Health.Stop] it has one goroutine for each check, and one for the gates.
type Health struct {
	name string
	cfg  Config

	view   atomic.Pointer[view] // what the handlers write
	events events.Queue[happening]
	lost   atomic.Int64 // events that were dropped and not yet told of
	loops  sync.WaitGroup
	wake   chan struct{} // to the gates' goroutine: something has happened

	mu        sync.Mutex // guards the fields below; no code of the user runs under it
	started   bool
	stopped   bool
	endGates  context.CancelFunc // of the gates' goroutine
	phase     Phase
	since     time.Time // of the phase
	begun     bool      // the start has finished
	status    Status
	checks    []*check // in the order in which they were added
	gates     []gate
	watchdogs []*Watchdog
	services  map[string][]string // the checks of each
	runs      map[*run]bool       // that are under way, also of checks that were removed
	back      chan struct{}       // closed when all goroutines have ended; nil before Stop
	listeners []*listener         // replaced, never written to
	changes   int64               // that have happened
	timers    []*time.Timer
	unwatch   func()
}

// New makes a Health without checks. Nothing runs until [Health.Start]. The name is a constant of the program. New panics
// if cfg is not valid.
func New(name string, cfg Config) *Health {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	h := &Health{name: name, cfg: cfg.withDefaults(), since: time.Now(), status: Fail, wake: make(chan struct{}, 1), runs: map[*run]bool{}}
	h.mu.Lock()
	h.renderLocked()
	h.mu.Unlock()
	seawall.Register(cfg.Registry, kind, &h.name, h)
	return h
}

var (
	// ErrDuplicate is the error of a check, watchdog or service whose name is taken.
	ErrDuplicate = errors.New("health: the name is taken")
	// ErrStopped is the error of adding something after Stop.
	ErrStopped = errors.New("health: stopped")
)

// Add adds checks, all or none. They begin to run at once, or at Start. A check is a warning until it has passed for the
// first time, or has failed Fall times in a row; what is added after the start has finished takes no instance out before
// that.
func (h *Health) Add(checks ...Check) error {
	defer h.tell()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return ErrStopped
	}
	for i, c := range checks {
		if err := c.Validate(); err != nil {
			return err
		}
		same := func(other Check) bool { return other.Name == c.Name }
		if h.takenLocked(c.Name) || slices.ContainsFunc(checks[:i], same) {
			return fmt.Errorf("%w: check %q", ErrDuplicate, c.Name)
		}
	}
	if err := h.circleLocked(checks); err != nil {
		return err
	}
	for _, c := range checks {
		added := newCheck(h, c.withDefaults(h.cfg))
		h.checks = append(h.checks, added)
		if c.FailReadiness {
			h.log(riskEvent(h.name, c.Name, added.Fall, "when it fails, every instance that shares it takes itself out of service"))
		}
		if h.started {
			added.startLocked()
		}
	}
	if h.started {
		h.unknownCausesLocked(h.checks[len(h.checks)-len(checks):])
	}
	h.refreshLocked()
	return nil
}

// unknownCausesLocked warns of checks that depend on none that there is: most likely a name is misspelled, and a failure
// that has a cause would be told as one of its own. It is no error, since the other check may be added later.
func (h *Health) unknownCausesLocked(checks []*check) {
	for _, c := range checks {
		for _, cause := range c.DependsOn {
			if !slices.ContainsFunc(h.checks, func(other *check) bool { return other.Name == cause }) {
				h.log(unknownCauseEvent(h.name, c.Name, cause))
			}
		}
	}
}

// circleLocked returns an error if a check would be its own cause: two that name each other would excuse each other.
func (h *Health) circleLocked(added []Check) error {
	causes := map[string][]string{}
	for _, c := range h.checks {
		causes[c.Name] = c.DependsOn
	}
	for _, c := range added {
		causes[c.Name] = c.DependsOn
	}
	for _, c := range added {
		seen := map[string]bool{}
		var leadsTo func(name string) bool
		leadsTo = func(name string) bool {
			for _, cause := range causes[name] {
				if cause == c.Name || !seen[cause] {
					seen[cause] = true
					if cause == c.Name || leadsTo(cause) {
						return true
					}
				}
			}
			return false
		}
		if leadsTo(c.Name) {
			return fmt.Errorf("health: check %q depends on itself, by way of %q", c.Name, c.DependsOn)
		}
	}
	return nil
}

// Remove removes a check and ends its run. It reports whether there was one of that name.
func (h *Health) Remove(name string) bool {
	defer h.tell()
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.findLocked(name)
	if c == nil {
		return false
	}
	c.stopLocked()
	h.checks = slices.DeleteFunc(h.checks, func(other *check) bool { return other == c })
	h.refreshLocked()
	return true
}

// takenLocked reports whether a check or a watchdog has the name: metrics and pages know both by it.
func (h *Health) takenLocked(name string) bool {
	return h.findLocked(name) != nil || slices.ContainsFunc(h.watchdogs, func(w *Watchdog) bool { return w.name == name })
}

func (h *Health) findLocked(name string) *check {
	for _, c := range h.checks {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Start begins to run the checks and to look at the gates. A second Start, and one after Stop, does nothing.
func (h *Health) Start() {
	defer h.tell()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.started || h.stopped {
		return
	}
	h.started = true
	for _, c := range h.checks {
		c.startLocked()
	}
	h.unknownCausesLocked(h.checks)
	if !h.cfg.IgnoreGates {
		for _, name := range h.cfg.FailWhenFull {
			h.log(riskEvent(h.name, "bulkhead "+name, int(fullFall*h.cfg.SaturatedAfter/h.cfg.Interval),
				"when all instances are full, which a busy hour is enough for, they take themselves out of service one after the other"))
		}
		h.watchGatesLocked()
	}
	h.timers = append(h.timers, time.AfterFunc(h.cfg.StartDeadline, h.startIsLate))
	h.refreshLocked()
}

// Drain begins the end: readiness fails from now on, whatever the checks say, and liveness goes on as before. It cannot
// be taken back. It works after Stop as well.
func (h *Health) Drain() {
	defer h.tell()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.phase != Draining {
		h.enterLocked(Draining)
		h.becomeLocked(Fail, time.Now())
	}
}

// Stop ends the contexts of all runs and waits until they have come back, or until ctx ends: then its error names the
// checks that still run. What the handlers answer stays as it is, until Drain. Stop may be called more than once.
func (h *Health) Stop(ctx context.Context) error {
	h.mu.Lock()
	h.stopped = true
	if h.endGates != nil {
		h.endGates()
	}
	for _, c := range h.checks {
		c.stopLocked()
	}
	for _, w := range h.watchdogs {
		w.stopLocked()
	}
	for _, t := range h.timers {
		t.Stop()
	}
	if h.unwatch != nil {
		h.unwatch()
	}
	if h.back == nil {
		h.back = make(chan struct{})
		go func() { // ends with the last run
			h.loops.Wait()
			close(h.back)
		}()
	}
	h.mu.Unlock()

	select {
	case <-h.back:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-h.back: // in the same moment
		return nil
	default:
	}
	if names := h.running(); len(names) > 0 {
		return fmt.Errorf("health: checks that do not return: %q: %w", names, context.Cause(ctx))
	}
	return fmt.Errorf("health: not all has ended: %w", context.Cause(ctx)) // OnChange, or nobody had time
}

func (h *Health) running() (names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.runs {
		names = append(names, r.check.Name)
	}
	slices.Sort(names)
	return names
}

// Name returns the name under which the registry knows it.
func (h *Health) Name() string { return h.name }

// String returns such as: health "box-office".
func (h *Health) String() string { return fmt.Sprintf("%s %q", kind, h.name) }

// Config returns a copy of the configuration with its defaults filled in. It does not change while the Health lives; what it
// looks at does, by [Health.Add] and [Health.Remove].
func (h *Health) Config() Config { return h.cfg.withDefaults() }
