package seawalltest

import (
	"fmt"
	"math"
	"time"
)

// Phase is what is different about a [Dependency] for a time. Phases may overlap: the speeds multiply, the highest error
// rate holds, and the number of workers of the last one that has one.
type Phase struct {
	From, To time.Duration // since the start; it ends before To
	Speed    float64       // factor of the workers' speed; 1 is normal, 0 is a stall
	Workers  int           // 0 leaves them as they are
	Errors   float64       // share of the requests that fail when they have been served
}

// Stall is a phase in which no work goes on: what was begun before is finished after it.
func Stall(from, to time.Duration) Phase { return Phase{From: from, To: to} }

// Slow is a phase in which all work takes factor times as long.
func Slow(from, to time.Duration, factor float64) Phase {
	return Phase{From: from, To: to, Speed: 1 / factor}
}

// Capacity is a phase with another number of workers. If there are fewer, those that work finish what they do.
func Capacity(from, to time.Duration, workers int) Phase {
	return Phase{From: from, To: to, Speed: 1, Workers: workers}
}

// Errors is a phase in which a share of the requests fails, after as much work as the others take.
func Errors(from, to time.Duration, share float64) Phase {
	return Phase{From: from, To: to, Speed: 1, Errors: share}
}

func (p Phase) validate(at string) error {
	switch {
	case p.From < 0 || p.To <= p.From:
		return bad(at, fmt.Sprintf("from %v to %v", p.From, p.To), "a time that is not empty")
	case math.IsNaN(p.Speed) || p.Speed < 0 || p.Speed > 1e6:
		return bad(at+".Speed", p.Speed, "0 to 1000000")
	case p.Workers < 0:
		return bad(at+".Workers", p.Workers, "at least 1, or 0 for no change")
	case math.IsNaN(p.Errors) || p.Errors < 0 || p.Errors > 1:
		return bad(at+".Errors", p.Errors, "0 to 1")
	}
	return nil
}

func (p Phase) holds(at time.Duration) bool { return p.From <= at && at < p.To }

// condition is what holds at one time, and until when.
type condition struct {
	speed   float64
	workers int
	errors  float64
	until   time.Duration // the next change; math.MaxInt64 if there is none
}

func (d Dependency) at(at time.Duration) condition {
	c := condition{speed: 1, workers: d.Workers, errors: d.Errors, until: math.MaxInt64}
	for _, p := range d.Phases {
		if p.From > at {
			c.until = min(c.until, p.From)
		}
		if !p.holds(at) {
			continue
		}
		c.until = min(c.until, p.To)
		c.speed *= p.Speed
		if p.Workers > 0 {
			c.workers = p.Workers
		}
		c.errors = max(c.errors, p.Errors)
	}
	return c
}

// finish returns when work of the given size, begun at a time, is done: it goes on at the speed of each phase.
func (d Dependency) finish(at, work time.Duration) time.Duration {
	left := float64(work)
	for {
		c := d.at(at)
		if c.until == math.MaxInt64 {
			return at + clamped(left/max(c.speed, 1e-9))
		}
		can := float64(c.until-at) * c.speed
		if can >= left && c.speed > 0 {
			return at + time.Duration(left/c.speed)
		}
		left -= can
		at = c.until
	}
}
