//go:build !race

package policyfile_test

const raceEnabled = false
