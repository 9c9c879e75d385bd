package keyed

import "iter"

// Foremost returns the members of a family that have most to say, at most n: those that must be kept first, then any. It
// stops at n of those that must be kept.
func Foremost[V any](members iter.Seq[V], n int, keep func(V) bool) []V {
	var kept, others []V
	for v := range members {
		switch {
		case keep(v):
			if kept = append(kept, v); len(kept) == n {
				return kept
			}
		case len(others) < n:
			others = append(others, v)
		}
	}
	return append(kept, others[:min(len(others), n-len(kept))]...)
}
