//go:build !race

package quantile_test

const raceEnabled = false
