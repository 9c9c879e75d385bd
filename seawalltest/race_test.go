//go:build race

package seawalltest_test

const raceEnabled = true
