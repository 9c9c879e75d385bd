// Package measure turns what customers saw into numbers: goodput, latency, the time to recover; and it says whether the
// machine was good enough for the numbers to mean something.
//
// Everything is counted by the intended send: an answer belongs to the second in which it should have been asked for,
// and its latency begins there. Percentiles are exact, by sorting all values, and include the requests that failed: to
// leave them out would make a box office that answers one customer in ten look fast.
package measure
