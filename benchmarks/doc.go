// Package benchmarks compares Seawall's policies with those of other libraries on the path that almost every call
// takes, on which nothing goes wrong, and on that of calls that are rejected. It has benchmarks and tests only; README.md
// says how to run and read them.
package benchmarks
