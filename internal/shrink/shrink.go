// Package shrink makes the lists of operations short on which property tests fail.
package shrink

import "slices"

// List leaves elements out of a list that fails, as long as what remains fails as well, and returns that. It leaves out
// unit elements at a time, or a multiple of that: those that make one operation together. In what it returns no single
// operation can be left out. The list itself stays as it is.
func List[E any](list []E, unit int, fails func([]E) bool) []E {
	list = slices.Clone(list)
	for chunk := half(len(list), unit); ; chunk = half(chunk, unit) {
		before := len(list)
		for at := 0; at+chunk <= len(list); {
			if less := slices.Delete(slices.Clone(list), at, at+chunk); fails(less) {
				list = less
			} else {
				at += chunk
			}
		}
		if chunk == unit && len(list) == before { // else one that was needed may not be any more
			return list
		}
	}
}

// half returns half of n in whole units, at least one.
func half(n, unit int) int { return max(n/2/unit, 1) * unit }
