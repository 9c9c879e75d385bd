package bulkhead_test

import (
	"slices"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// reference is the bulkhead as one would write it without a thought of speed: one step at a time, in plain lists.
type reference struct {
	cfg       bulkhead.Config
	in        []*modelCall  // those that hold slots
	queue     []*modelCall  // in the order of arrival
	pace      time.Duration // the moving average of the gaps between hand-overs, since the queue was last empty
	handOvers int
	handedAt  time.Duration
	services  []time.Duration // of calls that came through the queue, since it was last empty
	dues      map[seawall.Priority]int
	crowds    map[seawall.Priority]*modelCrowd
	want      bulkhead.Stats
}

// modelCrowd is what has been seen of a level in which the oldest was old.
type modelCrowd struct {
	sights   []time.Duration // since when the oldest was old, without an end
	standing bool
	latest   time.Duration
}

// modelCall is one call, and how it should stand.
type modelCall struct {
	priority seawall.Priority
	asked    int
	since    time.Duration
	deadline time.Duration // 0 is none
	until    time.Duration // while it waits
	state    callState
	reason   seawall.Reason // if rejected
	beyond   bool           // in the slot that shadow mode gave it
	slots    int            // that it holds
	waited   bool
	started  time.Duration // if it has waited
}

type callState string

const (
	isWaiting  callState = "waiting"
	isIn       callState = "in"
	isRejected callState = "rejected"
	isCanceled callState = "canceled"
	hasEnded   callState = "ended"
)

// fewest are the fewest slots that will do for a call.
func (r *reference) fewest(c *modelCall) int { return min(c.asked, r.cfg.Limit) }

func (r *reference) places() int { return max(0, r.cfg.Queue.Limit) }

func (r *reference) inUse() (n int) {
	for _, c := range r.in {
		n += c.slots
	}
	return n
}

func (r *reference) arrive(c *modelCall, now time.Duration) {
	c.since = now
	switch r.cfg.Mode {
	case seawall.ForcedOpen:
		r.reject(c, seawall.ReasonForced, &r.want.Rejected.Forced)
		return
	case seawall.Off:
		c.state = isIn
		return
	case seawall.Shadow:
		judged := 0
		for _, other := range r.in {
			if !other.beyond {
				judged += other.slots
			}
		}
		if c.beyond = judged+r.fewest(c) > r.cfg.Limit+r.places(); c.beyond {
			r.want.ShadowRejected++
		}
		r.admit(c)
		return
	case seawall.ForcedClosed:
		r.admit(c)
		return
	case seawall.Enforce:
	}
	if len(r.queue) == 0 && r.inUse()+r.fewest(c) <= r.cfg.Limit {
		r.admit(c)
		return
	}
	r.queueUp(c, now)
}

// goesFirst reports whether c gets its slots at once: if it were in the queue, it would be the next.
func (r *reference) goesFirst(c *modelCall) bool {
	if r.inUse()+r.fewest(c) > r.cfg.Limit {
		return false
	}
	r.queue = append(r.queue, c)
	defer func() { r.queue = r.queue[:len(r.queue)-1] }()
	return r.next() == c
}

func (r *reference) queueUp(c *modelCall, now time.Duration) {
	switch full := len(r.queue) >= r.places(); {
	case r.places() == 0:
		r.turnAway(c, seawall.ReasonFull, &r.want.Rejected.Full)
		return
	case full && r.victim(c) == nil:
		r.turnAway(c, seawall.ReasonQueueFull, &r.want.Rejected.QueueFull)
		return
	}
	if len(r.queue) > 0 { // who comes to it looks after it first
		r.look(now)
		r.dropStale(now)
		r.settle(now)
	}
	r.enqueue(c, now)
}

func (r *reference) enqueue(c *modelCall, now time.Duration) {
	if r.goesFirst(c) {
		r.admit(c)
		r.level(c).Admitted++
		if len(r.queue) > 0 {
			r.pay(c)
			r.settle(now)
		}
		return
	}
	c.until = now + r.cfg.Queue.MaxWait
	if c.deadline != 0 {
		c.until = min(c.until, c.deadline)
	}
	expected := r.expect(c)
	late := c.deadline != 0 && (now+expected >= c.deadline || now+expected+r.service() > c.deadline)
	victim := r.victim(c)
	switch full := len(r.queue) >= r.places(); {
	case full && victim == nil:
		r.turnAway(c, seawall.ReasonQueueFull, &r.want.Rejected.QueueFull)
	case late && c.until == c.deadline:
		r.turnAway(c, seawall.ReasonDeadline, &r.want.Rejected.Deadline)
	case expected >= r.cfg.Queue.MaxWait:
		r.turnAway(c, seawall.ReasonQueueTimeout, &r.want.Rejected.QueueTimeout)
	case late:
		r.turnAway(c, seawall.ReasonDeadline, &r.want.Rejected.Deadline)
	default:
		if full {
			r.leave(victim)
			r.turnAway(victim, seawall.ReasonShed, &r.want.Rejected.Shed)
			r.settle(now)
			r.enqueue(c, now)
			return
		}
		c.state = isWaiting
		r.queue = append(r.queue, c)
	}
}

func (r *reference) reject(c *modelCall, reason seawall.Reason, count *int64) {
	c.state, c.reason = isRejected, reason
	*count++
}

func (r *reference) turnAway(c *modelCall, reason seawall.Reason, count *int64) {
	r.level(c).Rejected++
	r.reject(c, reason, count)
}

func (r *reference) level(c *modelCall) *bulkhead.Level { return levelIn(&r.want.Levels, c.priority) }

func levelIn(levels *bulkhead.Levels, p seawall.Priority) *bulkhead.Level {
	switch p {
	case seawall.CriticalPlus:
		return &levels.CriticalPlus
	case seawall.SheddablePlus:
		return &levels.SheddablePlus
	case seawall.Sheddable:
		return &levels.Sheddable
	}
	return &levels.Critical
}

func (r *reference) admit(c *modelCall) {
	c.state, c.slots = isIn, r.fewest(c)
	r.in = append(r.in, c)
	r.want.Admitted++
}

func (r *reference) leave(c *modelCall) {
	r.queue = slices.DeleteFunc(r.queue, func(other *modelCall) bool { return other == c })
}

func (r *reference) end(c *modelCall, now time.Duration) {
	c.state = hasEnded
	if c.slots == 0 {
		return
	}
	r.in = slices.DeleteFunc(r.in, func(other *modelCall) bool { return other == c })
	if len(r.queue) == 0 {
		return
	}
	if c.waited {
		r.services = append(r.services, now-c.started)
	}
	r.look(now)
	if n := r.admitAll(now); n > 0 {
		switch gap := (now - r.handedAt) / time.Duration(n); {
		case r.handOvers == 1:
			r.pace = gap
		case r.handOvers > 1:
			r.pace += (gap - r.pace) / 8
		}
		r.handOvers, r.handedAt = r.handOvers+1, now
	}
	r.dropStale(now)
	r.settle(now)
}

// settle gives free slots to those who wait for them, and forgets the past of a queue in which nobody is left.
func (r *reference) settle(now time.Duration) {
	r.admitAll(now)
	if len(r.queue) == 0 {
		r.pace, r.handOvers, r.services, r.dues = 0, 0, nil, nil
	}
	for p, c := range r.crowds {
		if len(r.line(p)) == 0 {
			c.sights = nil
		}
	}
}

func (r *reference) admitAll(now time.Duration) (slots int) {
	for c := r.next(); c != nil; c = r.next() {
		if c.deadline != 0 && c.deadline-now < r.service() { // it would be served in vain
			r.leave(c)
			r.turnAway(c, seawall.ReasonDeadline, &r.want.Rejected.Deadline)
			continue
		}
		if r.cfg.Mode == seawall.Enforce && r.inUse()+r.fewest(c) > r.cfg.Limit {
			break
		}
		r.leave(c)
		c.waited, c.started = true, now
		r.want.Waited++
		r.admit(c)
		r.level(c).Admitted++
		r.pay(c)
		slots += c.slots
	}
	return slots
}

// next is whose turn it is: the most important call to whose level enough is due, else the most important call.
func (r *reference) next() *modelCall {
	var heads []*modelCall
	for p := seawall.CriticalPlus; p >= seawall.Sheddable; p-- {
		if line := r.line(p); len(line) > 0 && r.newestFirst(p) {
			heads = append(heads, line[len(line)-1])
		} else if len(line) > 0 {
			heads = append(heads, line[0])
		}
	}
	for _, c := range heads {
		if r.dues[c.priority] >= 100*r.fewest(c) {
			return c
		}
	}
	if len(heads) == 0 {
		return nil
	}
	return heads[0]
}

// victim is who has to leave a full queue for c.
func (r *reference) victim(c *modelCall) *modelCall {
	if len(r.queue) > r.places() {
		return nil
	}
	for p := seawall.Sheddable; p <= seawall.CriticalPlus; p++ {
		line := r.line(p)
		if p == c.priority || len(line) <= r.dues[p]/100 {
			continue
		}
		if p < c.priority || len(r.line(c.priority)) < r.dues[c.priority]/100 {
			if r.newestFirst(p) {
				return line[0]
			}
			return line[len(line)-1]
		}
	}
	return nil
}

func (r *reference) line(p seawall.Priority) (line []*modelCall) {
	for _, c := range r.queue {
		if c.priority == p {
			line = append(line, c)
		}
	}
	return line
}

// percent is what is guaranteed to a level.
func (r *reference) percent(p seawall.Priority) int {
	s := r.cfg.Shares
	for _, l := range []struct {
		p     seawall.Priority
		share float64
		usual int
	}{
		{seawall.CriticalPlus, s.CriticalPlus, 0},
		{seawall.Critical, s.Critical, 20},
		{seawall.SheddablePlus, s.SheddablePlus, 5},
		{seawall.Sheddable, s.Sheddable, 1},
	} {
		switch {
		case l.p != p:
		case l.share == 0:
			return l.usual
		case l.share > 0:
			return int(l.share*100 + 0.5)
		}
	}
	return 0
}

// pay keeps the account of what is due to the levels, in hundredths of slots, when a call gets its own.
func (r *reference) pay(c *modelCall) {
	if r.dues == nil {
		r.dues = map[seawall.Priority]int{}
	}
	for p := seawall.Sheddable; p <= seawall.CriticalPlus; p++ {
		r.dues[p] += c.slots * r.percent(p)
		if p == c.priority {
			r.dues[p] = max(0, r.dues[p]-100*c.slots)
		}
		if len(r.line(p)) == 0 {
			r.dues[p] = min(r.dues[p], 200)
		}
	}
}

func (r *reference) newestFirst(p seawall.Priority) bool {
	return r.crowds[p] != nil && r.crowds[p].standing && r.cfg.Queue.Order == bulkhead.AdaptiveLIFO
}

// target is the age from which on a call in the queue is old.
func (r *reference) target() time.Duration { return max(r.cfg.Queue.Target, r.pace) }

// look decides in which levels the queue is a standing one.
func (r *reference) look(now time.Duration) {
	if r.crowds == nil {
		r.crowds = map[seawall.Priority]*modelCrowd{}
	}
	for p := seawall.Sheddable; p <= seawall.CriticalPlus; p++ {
		line := r.line(p)
		if len(line) == 0 {
			continue
		}
		if r.crowds[p] == nil {
			r.crowds[p] = &modelCrowd{}
		}
		c := r.crowds[p]
		if now-c.latest >= r.cfg.Queue.Interval {
			c.standing = false
		}
		old := line[0].since + r.target()
		if now < old {
			c.sights = nil
			continue
		}
		c.sights = append(c.sights, old)
		if now-c.sights[0] >= r.cfg.Queue.Interval {
			c.standing = true
		}
		if c.standing {
			c.latest = now
		}
	}
}

func (r *reference) dropStale(now time.Duration) {
	for p := seawall.Sheddable; p <= seawall.CriticalPlus; p++ {
		line := r.line(p)
		if len(line) == 0 || !r.newestFirst(p) {
			continue
		}
		target := r.target()
		for _, c := range line[:len(line)-1] {
			if now-c.since >= target {
				r.leave(c)
				r.turnAway(c, seawall.ReasonQueueTimeout, &r.want.Rejected.QueueTimeout)
			}
		}
	}
}

func (r *reference) cancel(c *modelCall, now time.Duration) {
	c.state = isCanceled
	r.want.Canceled++
	r.leave(c)
	r.settle(now)
}

// pass lets a millisecond go by.
func (r *reference) pass(now time.Duration) {
	left := false
	for _, c := range slices.Clone(r.queue) {
		switch {
		case now < c.until:
			continue
		case c.until == c.deadline:
			c.state = isCanceled
			r.want.Canceled++
		default:
			r.turnAway(c, seawall.ReasonQueueTimeout, &r.want.Rejected.QueueTimeout)
		}
		r.leave(c)
		left = true
	}
	if left { // else there is nobody who would look
		r.settle(now)
	}
}

func (r *reference) update(cfg bulkhead.Config, now time.Duration) {
	if cfg.Mode == seawall.ForcedOpen {
		for _, c := range r.queue {
			r.reject(c, seawall.ReasonForced, &r.want.Rejected.Forced)
		}
		r.queue = nil
	}
	was := r.cfg.Limit
	r.cfg = cfg
	r.settle(now)
	r.pace = r.pace * time.Duration(was) / time.Duration(cfg.Limit)
}

// service is how long a call takes at the least.
func (r *reference) service() time.Duration {
	var average, deviation time.Duration
	for i, took := range r.services {
		if i == 0 {
			average, deviation = took, took/2
			continue
		}
		deviation += ((average - took).Abs() - deviation) / 4
		average += (took - average) / 8
	}
	return max(0, average-deviation)
}

// expect is how long c has to wait for the slots that it asks for.
func (r *reference) expect(c *modelCall) time.Duration {
	mine := r.fewest(c)
	if !r.newestFirst(c.priority) {
		for _, other := range r.line(c.priority) {
			mine += r.fewest(other)
		}
	}
	ahead := mine
	for p := c.priority + 1; p <= seawall.CriticalPlus; p++ {
		for _, other := range r.line(p) {
			ahead += r.fewest(other)
		}
	}
	if percent := r.percent(c.priority); percent > 0 {
		ahead = min(ahead, max(0, mine*100-r.dues[c.priority])/percent+1)
	}
	return time.Duration(ahead) * r.pace
}

func (r *reference) stats() bulkhead.Stats {
	s := r.want
	s.Limit, s.InUse, s.Waiting = r.cfg.Limit, r.inUse(), len(r.queue)
	s.ExpectedWait = r.expect(&modelCall{priority: seawall.Critical, asked: 1})
	for p := seawall.Sheddable; p <= seawall.CriticalPlus; p++ {
		levelIn(&s.Levels, p).Waiting = len(r.line(p))
	}
	return s
}
