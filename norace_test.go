//go:build !race

package seawall_test

const raceEnabled = false
