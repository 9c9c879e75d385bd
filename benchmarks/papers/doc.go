// Package papers runs the experiments of papers and articles on resilience with Seawall's own policies: what was
// published, what the same model measures here, and whether the two agree. It has tests only.
//
//	go test ./benchmarks/papers -v -run Papers                       # one table
//	go test ./benchmarks/papers -v -run Papers -args -report "$PWD/out"   # and the plots, in the folder out
//
// The laws of waits are held against a fixture, testdata/backoff.csv, which is recorded from the article's formulas and not
// from our code; -record writes it anew:
//
//	go test ./benchmarks/papers -v -run Fixture -args -record
//
// Each experiment has a fixed seed. Where a figure deviates from the published one, the table says so, and why.
package papers
