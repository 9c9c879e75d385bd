package scene

import (
	"fmt"
	"slices"
	"strings"
)

// Find returns the scenes of a list of names, separated by commas, in its order; "tour" and "all" are lists of their
// own. A name that is not known is an error that suggests the nearest one, and lists all.
func Find(list string) ([]Scene, error) {
	var found []Scene
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		switch name {
		case "":
			return nil, fmt.Errorf("scenario list %q: a name is missing between the commas", list)
		case "tour":
			for _, each := range tour {
				found = append(found, byName(each)...)
			}
			continue
		case "all":
			found = append(found, All()...)
			continue
		}
		known := byName(name)
		if known == nil {
			return nil, unknown(name)
		}
		found = append(found, known...)
	}
	for i, s := range found {
		for _, other := range found[:i] {
			if s.Name == other.Name {
				return nil, fmt.Errorf("scenario list %q: %s is in it twice", list, s.Name)
			}
		}
	}
	return found, nil
}

// Lists returns the names of the lists that Find knows.
func Lists() []string { return []string{"tour", "all"} }

func byName(name string) []Scene {
	for _, s := range All() {
		if s.Name == name {
			return []Scene{s}
		}
	}
	return nil
}

func unknown(name string) error {
	names := Lists()
	for _, s := range All() {
		names = append(names, s.Name)
	}
	nearest := slices.MinFunc(names, func(a, b string) int { return distance(name, a) - distance(name, b) })
	hint := ""
	if distance(name, nearest) <= max(2, len(nearest)/3) {
		hint = fmt.Sprintf("did you mean %s? ", nearest)
	}
	return fmt.Errorf("no scenario %q: %sknown are %s", name, hint, strings.Join(names, ", "))
}

// distance is how many letters must be added, removed or changed to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
