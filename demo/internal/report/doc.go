// Package report is what is left of a run: a page for people, the same as data, what is needed to play it again, and
// the whole history of what customers did and saw. Its pictures are drawn from the data alone, so that the same
// report.json gives the same bytes.
package report
