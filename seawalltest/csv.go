package seawalltest

import (
	"encoding/csv"
	"io"
	"strconv"
)

// CSV writes the time series as comma-separated values, with a header: one row for each bin, times in seconds.
func (r *Report) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{
		"at", "offered", "attempts", "good", "failed", "rejected", "in_flight", "busy", "waiting", "limit",
	}}
	for _, b := range r.Bins {
		row := []string{strconv.FormatFloat(b.At.Seconds(), 'f', -1, 64)}
		for _, n := range []int{b.Offered, b.Attempts, b.Good, b.Failed, b.Rejected, b.InFlight, b.Busy, b.Waiting} {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, append(row, strconv.FormatFloat(b.Limit, 'f', -1, 64)))
	}
	return out.WriteAll(rows)
}
