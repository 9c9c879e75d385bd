package quantile

import "time"

// Bounds returns from where to where the bucket of a latency goes; the end lies above it.
func Bounds(latency time.Duration) (from, to time.Duration) {
	o, sub := bucket(latency)
	if to = upper(o, sub); sub > 0 {
		return upper(o, sub-1), to
	} else if o > 0 {
		return upper(o-1, perOctave-1), to
	}
	return 0, to
}
