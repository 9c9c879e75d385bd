package measure

import "time"

// Busiest is the highest share of all processors in any 5 s, from readings as pairs of time and use.
func Busiest(readings [][2]time.Duration, cores int) float64 {
	used := make([]reading, len(readings))
	for i, r := range readings {
		used[i] = reading{r[0], r[1]}
	}
	return busiest(used, cores)
}
