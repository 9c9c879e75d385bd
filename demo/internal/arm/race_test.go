//go:build race

package arm_test

const raceEnabled = true
