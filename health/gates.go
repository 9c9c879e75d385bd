package health

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
)

// gate is what one member of the registry has to say about the health of the program.
type gate struct {
	kind, name string
	status     Status // Fail only of a bulkhead in Config.FailWhenFull
	note       string
}

func (g gate) String() string { return g.kind + " " + g.name }

// watchGatesLocked begins to look at the gates: at each interval, and when one of them tells of a change.
func (h *Health) watchGatesLocked() {
	h.unwatch = h.cfg.Registry.Watch(func(e seawall.Event) {
		switch e.Event {
		case "seawall.breaker.state_changed", "seawall.gate.mode_changed", "seawall.degrade.level_changed",
			"seawall.fault.started", "seawall.fault.stopped",
			"seawall.ratelimit.shared_lost", "seawall.ratelimit.shared_restored",
			"seawall.idempotency.store_lost", "seawall.idempotency.store_restored":
			select {
			case h.wake <- struct{}{}:
			default: // it is awake already
			}
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	h.endGates = cancel
	h.loops.Go(func() { h.readGates(ctx, 0) })
}

// fullFall is how many times longer than for a warning a bulkhead has to be full before that takes the instance out.
const fullFall = 3

// wakePause is between two readings for which changes are the cause, so that a gate that comes and goes does not have all
// gates read without end.
const wakePause = 100 * time.Millisecond

// readGates reads the gates until ctx ends: after first, and then at each interval and change. A listener that leaves by
// runtime.Goexit takes this goroutine with it: then another one goes on.
func (h *Health) readGates(ctx context.Context, first time.Duration) {
	returned := false
	defer func() {
		if !returned {
			h.loops.Go(func() { h.readGates(ctx, h.cfg.Interval) })
		}
	}()
	reading := gateReading{cfg: &h.cfg}
	round := time.NewTimer(first)
	defer round.Stop()
	wake, rest := h.wake, (<-chan time.Time)(nil)
	for {
		select {
		case <-ctx.Done():
			returned = true
			return
		case <-round.C:
			round.Reset(jittered(h.cfg.Interval, h.cfg.Jitter))
			reading.round()
		case <-wake:
			wake = nil
			rest = time.After(wakePause)
		case <-rest:
			wake = h.wake
			continue
		}
		h.takeGates(reading.read(reading.snapshots(), time.Now()))
	}
}

func (h *Health) takeGates(gates []gate) {
	defer h.tell()
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	before, after := statuses(h.gates), statuses(gates)
	change := func(g gate, from, to Status) {
		h.log(h.statusEvent(Change{
			Time: now, Health: h.name, Check: g.String(), From: from, To: to, FromPhase: h.phase, ToPhase: h.phase, Err: g.note,
		}, "gate"))
	}
	for _, g := range gates {
		if was := before[g.String()]; was != g.status {
			change(g, was, g.status)
		}
	}
	for _, g := range h.gates {
		if _, still := after[g.String()]; !still && g.status != Pass {
			change(gate{kind: g.kind, name: g.name}, g.status, Pass)
		}
	}
	h.gates = gates
	h.refreshLocked()
}

func statuses(gates []gate) map[string]Status {
	m := make(map[string]Status, len(gates))
	for _, g := range gates {
		m[g.String()] = g.status
	}
	return m
}

// gateReading is what has to be remembered from one look at the registry to the next.
type gateReading struct {
	cfg             *Config
	full            map[string]saturation // bulkheads that are full
	before, counted map[string]float64    // degraded answers up to the round before this one, and up to this one
	unknown         map[string]time.Time  // names of Config.FailWhenFull that nothing has, and since when
}

// saturation is since when a bulkhead is full, and since when that counts for readiness, if it does, after which this
// instance holds out.
type saturation struct {
	since, counts time.Time
	hold          time.Duration
}

// round begins a round. Degraded answers are those since the round before: a reading in between, which a change has caused,
// does not begin to count anew.
func (r *gateReading) round() { r.before, r.counted = r.counted, nil }

// read returns the gates that have something to say.
func (r *gateReading) read(snapshots []seawall.Snapshot, now time.Time) (gates []gate) {
	full, served := map[string]saturation{}, map[string]float64{}
	var read func(s seawall.Snapshot, shown seawall.Mode)
	read = func(s seawall.Snapshot, shown seawall.Mode) {
		for _, member := range s.Members {
			read(member, s.Mode)
		}
		g := gate{kind: s.Kind, name: s.Name}
		key := g.String()
		var notes []string
		warn := func(format string, args ...any) {
			g.status = max(g.status, Warn)
			notes = append(notes, fmt.Sprintf(format, args...))
		}
		if s.Mode != shown { // a member of a family in a mode says nothing new
			notes = append(notes, "mode "+s.Mode.String())
		}
		if s.Mode == seawall.ForcedOpen {
			g.status = Warn
		}
		switch {
		case s.Kind == "breaker" && len(s.Members) == 0:
			r.breaker(s, warn)
		case isFull(s):
			counts := s.Mode == seawall.Enforce && slices.Contains(r.cfg.FailWhenFull, s.Name)
			is, known := r.full[key]
			if !known {
				is.since = now
			}
			switch { // who was full in another mode must not go at the moment at which the fleet enforces
			case !counts:
				is.counts = time.Time{}
			case is.counts.IsZero():
				is.counts, is.hold = now, holdOf(*r.cfg)
			}
			full[key] = is
			if is := now.Sub(is.since); is >= r.cfg.SaturatedAfter {
				warn("full for %v", is.Round(time.Second))
			}
			if counts && now.Sub(is.counts) >= fullFall*r.cfg.SaturatedAfter+is.hold {
				g.status = Fail
			}
		}
		if valueOf(s, "local_fallback") > 0 {
			warn("the shared store is lost, the limit is local")
		}
		if strings.HasSuffix(s.State, "_lost") {
			warn("%s", strings.ReplaceAll(s.State, "_", " "))
		}
		if n := sumOf(s, "active."); s.Kind == "fault" && n > 0 {
			warn("%v faults are injected", n)
		}
		if n := sumOf(s, "served."); n > 0 {
			served[key] = n
			if before, known := r.before[key]; known && n > before {
				warn("%v degraded answers", n-before)
			}
		}
		if len(notes) > 0 {
			g.note = strings.Join(notes, ", ")
			gates = append(gates, g)
		}
	}
	for _, s := range snapshots {
		read(s, seawall.Enforce)
	}
	r.full = full
	if r.counted == nil {
		r.counted = served
	}
	return append(gates, r.misnamed(snapshots, now)...)
}

func (r *gateReading) breaker(s seawall.Snapshot, warn func(string, ...any)) {
	since := seconds(valueOf(s, "since"))
	switch s.State {
	case "open":
		warn("open for %v, probes in %v", since, seconds(valueOf(s, "reopen")))
	case "half_open", "ramping":
		warn("%s for %v", s.State, since)
	}
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(10 * time.Millisecond)
}

func valueOf(s seawall.Snapshot, name string) float64 {
	for _, v := range s.Values {
		if v.Name == name {
			return v.V
		}
	}
	return 0
}

// sumOf adds up the values whose name begins so.
func sumOf(s seawall.Snapshot, prefix string) (sum float64) {
	for _, v := range s.Values {
		if strings.HasPrefix(v.Name, prefix) {
			sum += v.V
		}
	}
	return sum
}

// isFull reports whether a limit is reached. The sums of a family say nothing of that.
func isFull(s seawall.Snapshot) bool {
	limit := valueOf(s, "limit")
	return limit > 0 && valueOf(s, "active") >= limit && valueOf(s, "members") == 0
}
