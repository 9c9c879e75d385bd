// Package tally counts for Prometheus what customers ask of each arm, and what they get: for people who watch a run on a
// dashboard. The report is made from the answers themselves, and knows nothing of it.
package tally
