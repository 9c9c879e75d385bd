package bulkhead

import "math"

// Shares are the guaranteed parts, each 0 to 1, of the slots that come free while calls wait. What a level leaves over,
// and all that is guaranteed to none, goes to the calls that wait in the order of their importance. So no level is shut
// out for as long as a more important one takes all, and no slot stays free while anybody waits.
//
// The parts add up to at most 1. They are parts of slots handed over, not of time: a level whose calls take longer
// holds more of the slots. 0 is the default, and [NoShare] guarantees nothing.
type Shares struct {
	// CriticalPlus is by default not guaranteed anything: it is first in any case.
	CriticalPlus float64 `json:"critical_plus" yaml:"critical_plus"`
	// Critical is by default 0.2. Most calls are critical, and a fifth of the service is what tells an application that
	// works with difficulty from one that does not work.
	Critical float64 `json:"critical" yaml:"critical"`
	// SheddablePlus is by default 0.05: what may be missing for minutes comes through in minutes.
	SheddablePlus float64 `json:"sheddable_plus" yaml:"sheddable_plus"`
	// Sheddable is by default 0.01: batch work crawls, but does not hang.
	Sheddable float64 `json:"sheddable" yaml:"sheddable"`
}

// NoShare as one of the Shares guarantees nothing to the level.
const NoShare = -1

func (s Shares) withDefaults() Shares {
	for _, d := range []struct {
		share *float64
		usual float64
	}{{&s.CriticalPlus, NoShare}, {&s.Critical, 0.2}, {&s.SheddablePlus, 0.05}, {&s.Sheddable, 0.01}} {
		if *d.share == 0 {
			*d.share = d.usual
		}
	}
	return s
}

func (s Shares) validate(bad func(field string, value any, want string) error) error {
	var sum int64
	parts := s.parts()
	for l, f := range []struct {
		name  string
		share float64
	}{
		{"Sheddable", s.Sheddable},
		{"SheddablePlus", s.SheddablePlus},
		{"Critical", s.Critical},
		{"CriticalPlus", s.CriticalPlus},
	} {
		if f.share != NoShare && !(f.share >= 0 && f.share <= 1) { // so written, NaN is bad
			return bad("Shares."+f.name, f.share, "0 to 1, or NoShare")
		}
		sum += parts[l]
	}
	if sum > whole {
		return bad("Shares", float64(sum)/whole, "a sum of at most 1, defaults included")
	}
	return nil
}

// whole is a slot in the unit of parts, so that sums are exact.
const whole = 1_000_000

// parts returns the shares in millionths, by level.
func (s Shares) parts() (parts [levels]int64) {
	for l, share := range [levels]float64{s.Sheddable, s.SheddablePlus, s.Critical, s.CriticalPlus} {
		if share > 0 && share <= 1 {
			parts[l] = int64(math.Round(share * whole))
		}
	}
	return parts
}

// dues are what the levels have coming to them, in millionths of slots: the deficit counters of Shreedhar and Varghese,
// "Efficient Fair Queueing Using Deficit Round Robin" (SIGCOMM 1995), fed with each slot that is handed over.
type dues [levels]int64

// arrears bounds the dues of a level in which nobody waits, so that it does not come back with a claim to all that it
// has not asked for. Two slots, and not one, since a level whose calls come rarely would lose what its claim grows by
// between two of them.
const arrears = 2 * whole

// handedOver takes note of a hand-over of n slots to a call of the level.
func (d *dues) handedOver(to level, n int, parts *[levels]int64, q *queue) {
	for l := range d {
		d[l] += int64(n) * parts[l]
		if level(l) == to {
			d[l] = max(0, d[l]-int64(n)*whole)
		}
		if q.lines[l].calls == 0 {
			d[l] = min(d[l], arrears)
		}
	}
}

// cover reports whether n slots are due to the level.
func (d *dues) cover(l level, n int) bool { return d[l] >= int64(n)*whole }

// calls returns how many calls of one slot are due to the level: so many it may always have in the queue.
func (d *dues) calls(l level) int { return int(min(d[l]/whole, maxLimit)) }
