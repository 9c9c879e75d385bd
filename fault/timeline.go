package fault

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// barWidth is how many cells a timeline has.
const barWidth = 40

// String returns a timeline for people, a line for each fault in the order in which they start:
//
//	seed 1, 2 faults in 20s
//	 1s to  3s  error  payments   |..####..................................|  rate 0.3
//	 8s to 20s  slow   inventory  |................########################|  factor 40
func (p Plan) String() string {
	faults, total := slices.Clone(p.Faults), time.Duration(0)
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	rows := make([][4]string, len(faults))
	var width [4]int
	for i, f := range faults {
		total = max(total, f.end())
		rows[i] = [4]string{short(f.At), short(f.end()), string(f.Kind), f.Target}
		for n, cell := range rows[i] {
			width[n] = max(width[n], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, %d faults in %s\n", p.Seed, len(faults), short(total))
	for i, f := range faults {
		r := rows[i]
		line := fmt.Sprintf("%*s to %*s  %-*s  %-*s  |%s|  %s",
			width[0], r[0], width[1], r[1], width[2], r[2], width[3], r[3], f.bar(total), f.strength())
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// bar shows when the fault acts, in a plan that is so long.
func (f Fault) bar(total time.Duration) string {
	cells := []byte(strings.Repeat(".", barWidth))
	for i := range cells {
		from, to := total*time.Duration(i)/barWidth, total*time.Duration(i+1)/barWidth
		if f.At < to && f.end() > from {
			cells[i] = '#'
		}
	}
	return string(cells)
}

// strength names the fields that are set.
func (f Fault) strength() string {
	set := f.given()
	texts := make([]string, len(set))
	for i, s := range set {
		texts[i] = s.name + " " + s.text()
		if s.name == toxicityField {
			texts[i] = fmt.Sprintf("%s %v", s.name, max(0, f.Toxicity)) // Never is 0
		}
		if s.name == bodyField {
			texts[i] = fmt.Sprintf("%s %q", s.name, s.text())
		}
	}
	return strings.Join(texts, ", ")
}

// short is a duration without the units that are zero at its end.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
