package fault

import (
	"cmp"
	"slices"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// State is where a plan, or one of its faults, is in its life. It never goes back.
type State uint8

const (
	// Waiting is before the start.
	Waiting State = iota
	// Running is between start and end.
	Running
	// Ended is after the end.
	Ended
)

// String returns "waiting", "running" or "ended".
func (s State) String() string {
	switch s {
	case Waiting:
		return "waiting"
	case Running:
		return "running"
	case Ended:
		return "ended"
	}
	return "unknown"
}

// change is a start or an end of a fault that is still to come.
type change struct {
	at    time.Duration // since the injector's start
	index int
	to    State
}

// schedule returns the changes in their order. At one instant, ends come before starts.
func schedule(p Plan) []change {
	due := make([]change, 0, 2*len(p.Faults))
	for n, f := range p.Faults {
		due = append(due, change{f.At, n, Running}, change{f.end(), n, Ended})
	}
	slices.SortFunc(due, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.to, a.to), cmp.Compare(a.index, b.index))
	})
	return due
}

// advance is what the timer runs.
func (i *Injector) advance() {
	i.mu.Lock()
	i.advanceLocked()
	i.unlock()
}

// advanceLocked carries out what is due, and sets the timer for the next change. There is one timer for all of them,
// set from the plan's start each time, so that delays do not add up.
func (i *Injector) advanceLocked() {
	if i.state != Running {
		return // stopped, while this goroutine waited for the lock
	}
	now := mono.Now() - i.start
	n := 0
	for n < len(i.due) && i.due[n].at <= now {
		n++
	}
	changes := i.due[:n]
	i.due = i.due[n:]
	i.applyLocked(changes, now, scattered)
	switch {
	case len(i.due) == 0:
		i.state = Ended
	case i.timer == nil:
		i.timer = time.AfterFunc(i.due[0].at-now, i.advance)
	default:
		i.timer.Reset(i.due[0].at - now)
	}
}

// stopLocked ends what runs. What is still to come never comes, because the plan has ended.
func (i *Injector) stopLocked() {
	if i.timer != nil {
		i.timer.Stop()
	}
	var changes []change
	now := mono.Now() - i.start
	for _, r := range i.runs {
		if r.state == Running {
			changes = append(changes, change{now, r.index, Ended})
		}
	}
	i.state = Ended
	i.applyLocked(changes, now, atOnce)
}

// applyLocked changes the runs, lets the points feel it, and only then takes the events: so a hit count is final but
// for calls that are at the point in this very moment.
func (i *Injector) applyLocked(changes []change, now time.Duration, p pace) {
	touched := map[*Point]bool{}
	for _, c := range changes {
		r := i.runs[c.index]
		r.state = c.to
		if c.to == Running {
			r.began = now
		} else {
			r.ended = now
			close(r.over)
		}
		touched[r.point] = true
	}
	for point := range touched {
		cuts, doors := point.publish(i.activeLocked(point), p)
		i.cuts, i.doors = append(i.cuts, cuts...), append(i.doors, doors...)
	}
	for _, c := range changes {
		r := i.runs[c.index]
		e := Event{Name: i.name, State: c.to, Index: c.index, Fault: r.fault, Seed: i.cfg.Plan.Seed, At: now}
		if c.to == Ended {
			e.Hits = r.hits.Load()
		}
		i.events.Put(e)
	}
}

// activeLocked returns the runs that act at a point now, in the order of the plan.
func (i *Injector) activeLocked(p *Point) []*run {
	var active []*run
	for _, r := range i.runs {
		if r.point == p && r.state == Running {
			active = append(active, r)
		}
	}
	return active
}
