package telemetry

import "slices"

// fold adds up counters of many into some that never decrease, although they come and go. So it adds what each has grown by
// since the last round, and remembers no one who is gone.
//
// Of a family it is given the sums over all members and, to be taken from them, those members that are shown elsewhere.
// How much a member has grown that was not shown in the round before is not known. If all that it has fits into what the
// family has grown by, it is taken for new; else for one that was folded so far, and nothing is taken. The fold is then
// wrong by what that one has grown by in this round, and in this one only.
type fold struct {
	sums   map[sum]*total
	last   map[source]float64 // what each one had, in the round before
	now    map[source]float64 // and in this one
	rounds int
}

// sum is a series of the fold.
type sum struct {
	row        int
	attributes attributes
}

// source is one whose counter is added to a sum, or taken from it.
type source struct {
	sum
	who policy
}

// total is what a sum has come to.
type total struct {
	v      float64
	growth float64   // in this round, and what is left of the rounds before if that is less than nothing
	fresh  []float64 // those that are shown since this round
}

func newFold() *fold { return &fold{sums: map[sum]*total{}, now: map[source]float64{}} }

// begin begins a round.
func (f *fold) begin() {
	f.rounds++
	f.last, f.now = f.now, map[source]float64{}
}

// grow adds what one's counter has grown by: all of it, if it was not there before, or has begun anew.
func (f *fold) grow(s sum, who policy, v float64) {
	id := source{s, who}
	f.now[id] = v
	if before := f.last[id]; v >= before {
		v -= before
	}
	f.total(s).growth += v
}

// hide takes away what one's counter has grown by, because it is shown elsewhere.
func (f *fold) hide(s sum, who policy, v float64) {
	id, t := source{s, who}, f.total(s)
	f.now[id] = v
	switch before, known := f.last[id]; {
	case !known && f.rounds > 1:
		t.fresh = append(t.fresh, v)
	case v >= before:
		t.growth -= v - before
	default:
		t.growth -= v
	}
}

func (f *fold) total(s sum) *total {
	t := f.sums[s]
	if t == nil {
		t = new(total)
		f.sums[s] = t
	}
	return t
}

// each ends the round, and gives the sums that are not 0.
func (f *fold) each(give func(row int, a attributes, v float64)) {
	for s, t := range f.sums {
		slices.Sort(t.fresh)
		for _, v := range t.fresh {
			if v <= t.growth*1.25 { // they are not read in the same moment
				t.growth -= min(v, t.growth)
			}
		}
		t.fresh = nil
		if t.growth > 0 { // else members were read later than the sum, which the next round makes good
			t.v += t.growth
			t.growth = 0
		}
		if t.v > 0 {
			give(s.row, s.attributes, t.v)
		}
	}
}
