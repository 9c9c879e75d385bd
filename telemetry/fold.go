package telemetry

import "strings"

// fold adds up counters of many into one that never decreases, although they come and go. So it adds what each has grown by
// since the last round, and remembers no one who is gone.
type fold struct {
	sums   map[string]*folded
	last   map[string]float64 // what each one had, in the round before
	now    map[string]float64 // and in this one
	growth map[string]float64 // in this round
}

type folded struct {
	row        int
	attributes []string
	sum        float64
}

func newFold() *fold { return &fold{sums: map[string]*folded{}, now: map[string]float64{}} }

// begin begins a round.
func (f *fold) begin() {
	f.last, f.now, f.growth = f.now, map[string]float64{}, map[string]float64{}
}

// grow adds what one's counter has grown by.
func (f *fold) grow(row int, attributes []string, who string, v float64) {
	f.growth[f.series(row, attributes)] += f.since(row, attributes, who, v)
}

// shrink takes away what one's counter has grown by, because it is shown elsewhere.
func (f *fold) shrink(row int, attributes []string, who string, v float64) {
	f.growth[f.series(row, attributes)] -= f.since(row, attributes, who, v)
}

// since returns by how much a counter has grown since the round before: all of it, if it was not there.
func (f *fold) since(row int, attributes []string, who string, v float64) float64 {
	id := f.series(row, attributes) + "\x00" + who
	f.now[id] = v
	if before := f.last[id]; v >= before {
		return v - before
	}
	return v // it has begun anew
}

func (f *fold) series(row int, attributes []string) string {
	id := table[row].Name + "\x00" + strings.Join(attributes, "\x00")
	if f.sums[id] == nil {
		f.sums[id] = &folded{row: row, attributes: append([]string(nil), attributes...)}
	}
	return id
}

// each ends the round, and gives the sums that are not 0.
func (f *fold) each(give func(row int, attributes []string, v float64)) {
	for id, s := range f.sums {
		// Less than nothing is one who is shown with all that was folded before.
		s.sum += max(0, f.growth[id])
		if s.sum > 0 {
			give(s.row, s.attributes, s.sum)
		}
	}
}
