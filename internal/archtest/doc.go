// Package archtest holds the architecture of the repository: which package may import which, what no package does, and
// what a program pays that imports one primitive. It has tests only.
//
// A new package gets a row in layers_test.go; a new primitive also a program in outsider_test.go.
package archtest
