// Package xfetch decides when a copy is refreshed before it expires, after A. Vattani, F. Chierichetti and K. Lowenstein,
// "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015. Each request decides for itself, the more likely the
// nearer the expiry is and the longer a load takes, so that of many processes one goes first and the others hardly ever
// meet it.
package xfetch

import (
	"math"
	"time"
)

// Early reports whether a request refreshes a copy now, in the letters of the paper: now − δ·β·ln(U) ≥ expiry. left is
// expiry − now, delta is δ, how long a load takes, beta is β, and u is uniform in [0, 1).
func Early(left, delta time.Duration, beta, u float64) bool {
	return -float64(delta)*beta*math.Log(1-u) >= float64(left) // 1−u is uniform in (0, 1], and has a logarithm
}

// Reach is how long before the expiry Early can be true at all: u has 53 bits, so −ln(1−u) is below 37.
func Reach(delta time.Duration, beta float64) time.Duration {
	if reach := 37 * float64(delta) * beta; reach < math.MaxInt64/4 {
		return time.Duration(reach)
	}
	return math.MaxInt64 / 4
}
