package fault

import (
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// Stats is what an injector has done so far, taken at one instant.
type Stats struct {
	State   State    // of the plan
	Started int      // faults that have started
	Stopped int      // faults that have ended, by themselves or by Stop
	Faults  []Status // one for each fault of the plan, in its order
}

// Status is where one fault of the plan is, and what it has done so far.
type Status struct {
	Index int   // place in the plan, from 0
	Fault Fault // as the plan has it
	// State of the fault. It is still Waiting after a Stop that came before its time.
	State State
	// Elapsed is for how long it has acted: up to now, or in all.
	Elapsed time.Duration
	// Remaining is the time until it ends by itself; 0 unless it is Running.
	Remaining time.Duration
	// Hits is how often it was felt: answers of Slow and Capacity that it changed, calls that it made wait, failed or
	// answered, answers that it cut or changed, chunks of bytes that it held back, swallowed or changed as one, ends that
	// it held back, connections or directions of them that it ended, and dials that it refused or made wait.
	Hits uint64
}

// Stats returns the state of the plan and of each fault.
func (i *Injector) Stats() Stats {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := Stats{State: i.state, Faults: make([]Status, len(i.runs))}
	now := mono.Now() - i.start
	for n, r := range i.runs {
		s.Faults[n] = r.statsLocked(now)
		if r.state != Waiting {
			s.Started++
		}
		if r.state == Ended {
			s.Stopped++
		}
	}
	return s
}

// Active returns the faults that are active now, in the order of the plan.
func (i *Injector) Active() []Status {
	var active []Status
	for _, f := range i.Stats().Faults {
		if f.State == Running {
			active = append(active, f)
		}
	}
	return active
}

func (r *run) statsLocked(now time.Duration) Status {
	s := Status{Index: r.index, Fault: r.fault, State: r.state, Hits: r.hits.Load()}
	switch r.state {
	case Waiting:
	case Running:
		s.Elapsed, s.Remaining = now-r.began, max(0, r.fault.end()-now)
	case Ended:
		s.Elapsed = r.ended - r.began
	}
	return s
}

// Snapshot returns the state of the plan, and for each of its kinds how many faults are active and how often they were
// felt. The kinds are those of the plan from the start, so the series of a plan are few, and all there.
func (i *Injector) Snapshot() seawall.Snapshot {
	stats := i.Stats()
	s := seawall.Snapshot{Kind: kind, Name: i.name, State: stats.State.String()}
	for _, k := range kinds() {
		planned, active, injections := false, 0.0, 0.0
		for _, f := range stats.Faults {
			if f.Fault.Kind != k {
				continue
			}
			planned = true
			injections += float64(f.Hits)
			if f.State == Running {
				active++
			}
		}
		if planned {
			s.Values = append(s.Values,
				seawall.Value{Name: "active." + string(k), V: active},
				seawall.Value{Name: "injections." + string(k), V: injections})
		}
	}
	return s
}
