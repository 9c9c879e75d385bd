package measure

import (
	"fmt"
	"slices"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
)

// Share is a part of a whole, counted.
type Share struct {
	Part  int `json:"part"`
	Whole int `json:"whole"`
}

// Ratio returns part ÷ whole, 0 if there is nothing.
func (s Share) Ratio() float64 {
	if s.Whole == 0 {
		return 0
	}
	return float64(s.Part) / float64(s.Whole)
}

// String returns such as: 99.3 %. A share that is not all is never shown as 100.0 %, and one that is not nothing never
// as 0.0 %. Without a whole it is "-".
func (s Share) String() string {
	if s.Whole == 0 {
		return "-"
	}
	percent := 100 * s.Ratio()
	if s.Part < s.Whole {
		percent = min(percent, 99.9)
	}
	if s.Part > 0 {
		percent = max(percent, 0.1)
	}
	return fmt.Sprintf("%.1f %%", percent)
}

// Goodput returns how many of the requests that were meant for the time in [from, to) were answered well. No kinds
// means all of them.
func Goodput(slo SLO, answers []load.Answer, from, to time.Duration, kinds ...load.Kind) Share {
	var s Share
	for _, a := range answers {
		if a.At < from || a.At >= to || len(kinds) > 0 && !slices.Contains(kinds, a.Kind) {
			continue
		}
		s.Whole++
		if slo.Grade(a) == Good {
			s.Part++
		}
	}
	return s
}

// Latencies returns the distribution over the requests that were meant for the time in [from, to).
func Latencies(answers []load.Answer, from, to time.Duration) Latency {
	var values []time.Duration
	for _, a := range answers {
		if a.At >= from && a.At < to {
			values = append(values, a.Latency())
		}
	}
	return LatencyOf(values)
}
