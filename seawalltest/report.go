package seawalltest

import (
	"fmt"
	"slices"
	"time"
)

// Report is what happened in a scenario.
type Report struct {
	Bins   []Bin         // the time series
	Width  time.Duration // of a bin
	Totals Totals
	Seed   uint64

	answers []answer        // the good calls, in the order of their ends
	sorted  []time.Duration // their times
}

// Bin is one step of the time series. Counts are those of the step, the others what stood at its end.
type Bin struct {
	At       time.Duration // its start, since the start of the scenario
	Offered  int           // calls that came
	Attempts int           // requests that were sent, also those that the server's policy rejected
	Good     int           // calls that ended without an error
	Failed   int           // calls that ended with an error
	Rejected int           // calls that ended with a rejection, of a policy of the client's or the server's
	InFlight int           // calls that had not ended
	Busy     int           // workers of the dependency that were
	Waiting  int           // requests in its queue
	Limit    float64       // of the server's policy; 0 if it has none
}

// Totals are the counts of all of a scenario.
type Totals struct {
	Offered, Attempts, Good, Failed, Rejected int
	Unfinished                                int // calls that were under way at the end
}

// between returns the bins that begin in a time.
func (r *Report) between(from, to time.Duration) []Bin {
	var in []Bin
	for _, b := range r.Bins {
		if from <= b.At && b.At < to {
			in = append(in, b)
		}
	}
	return in
}

// Between returns the counts of the bins that begin in a time; Unfinished is 0.
func (r *Report) Between(from, to time.Duration) (sum Totals) {
	for _, b := range r.between(from, to) {
		sum.Offered += b.Offered
		sum.Attempts += b.Attempts
		sum.Good += b.Good
		sum.Failed += b.Failed
		sum.Rejected += b.Rejected
	}
	return sum
}

// Goodput is the share of calls that ended well: those that did so, by the calls that came in the same time. With a backlog
// that is worked off it is above 1 for a while.
func (t Totals) Goodput() float64 { return ratio(t.Good, t.Offered) }

// Amplification is the number of requests for each call: 1 without retries and hedges.
func (t Totals) Amplification() float64 { return ratio(t.Attempts, t.Offered) }

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Latency returns the time within which a share of the good calls was answered, such as 0.99; 0 if there was none.
func (r *Report) Latency(share float64) time.Duration { return quantile(r.sorted, share) }

// LatencyBetween is [Report.Latency] of the calls that ended in a time.
func (r *Report) LatencyBetween(from, to time.Duration, share float64) time.Duration {
	var took []time.Duration
	for _, a := range r.answers {
		if from <= a.at && a.at < to {
			took = append(took, a.took)
		}
	}
	slices.Sort(took)
	return quantile(took, share)
}

func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// steady is over how long goodput is looked at: single bins scatter by the square root of their calls.
const steady = 5 * time.Second

// RecoveryTime returns how long after a time, such as the end of a trigger, goodput was back: the start of the first five
// seconds in which at least the share of the calls that came ended well, and none of the five seconds that follow is so
// bad again until the end. ok is false if it never was.
func (r *Report) RecoveryTime(after time.Duration, share float64) (d time.Duration, ok bool) {
	recovered := time.Duration(-1)
	for _, b := range r.between(after, r.end()-steady+1) {
		if r.Between(b.At, b.At+steady).Goodput() < share {
			recovered = -1
		} else if recovered < 0 {
			recovered = b.At
		}
	}
	return recovered - after, recovered >= 0
}

// latestBelow returns the start of the last five seconds in which less than the share of the calls that came ended well.
func (r *Report) latestBelow(after time.Duration, share float64) (at time.Duration) {
	for _, b := range r.between(after, r.end()-steady+1) {
		if r.Between(b.At, b.At+steady).Goodput() < share {
			at = b.At
		}
	}
	return at
}

func (r *Report) end() time.Duration { return time.Duration(len(r.Bins)) * r.Width }

// PeakInFlight returns the most calls that were under way at the end of a bin.
func (r *Report) PeakInFlight() (most int) {
	for _, b := range r.Bins {
		most = max(most, b.InFlight)
	}
	return most
}

// String returns the totals and percentiles in one line.
func (r *Report) String() string {
	return fmt.Sprintf("seed %d: %d calls, goodput %.1f %%, %d failed, %d rejected, %d unfinished, amplification %.2f, p50 %v, p99 %v",
		r.Seed, r.Totals.Offered, 100*r.Totals.Goodput(), r.Totals.Failed, r.Totals.Rejected, r.Totals.Unfinished,
		r.Totals.Amplification(), r.Latency(0.5).Round(time.Millisecond), r.Latency(0.99).Round(time.Millisecond))
}
