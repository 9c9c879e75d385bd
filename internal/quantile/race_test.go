//go:build race

package quantile_test

const raceEnabled = true
