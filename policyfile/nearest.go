package policyfile

import "strings"

// unknown says that a word is none of the known ones, and which of them may have been meant.
func unknown(word string, known []string) string {
	if len(known) == 0 {
		return "is unknown: there is none"
	}
	text := "is unknown"
	if n := nearest(word, known); n != "" {
		text += ": did you mean " + n + "?"
	}
	return text + " (" + strings.Join(known, ", ") + ")"
}

// nearest returns the known word that is the fewest edits away, if those are so few that it may be a slip, or else the only
// one that is a part of the word or has it as one: attempts may be max_attempts, and circuit_breaker may be breaker.
func nearest(word string, known []string) (best string) {
	if best = slip(word, known); best != "" {
		return best
	}
	for _, k := range known {
		if !partOf(word, k) && !partOf(k, word) {
			continue
		}
		if best != "" {
			return ""
		}
		best = k
	}
	return best
}

// partOf reports whether all parts of one word, between underscores, are in another one side by side.
func partOf(part, whole string) bool { return strings.Contains("_"+whole+"_", "_"+part+"_") }

func slip(word string, known []string) (best string) {
	fewest := 1 + max(1, min(len(word)/3, 4))
	for _, k := range known {
		if d := distance(word, k); d < fewest {
			best, fewest = k, d
		}
	}
	return best
}

// distance is that of Levenshtein, with the swap of two neighbours as one edit: the optimal string alignment.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 { // no key is as long
		return max(len(a), len(b))
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
