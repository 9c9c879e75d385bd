package debugpage

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// value is a number of a snapshot. One that is not finite is null in JSON, which has no words for it.
type value struct {
	Name string `json:"name"`
	V    number `json:"value"`
}

type number float64

// String writes a count without a point, and anything else with few digits.
func (n number) String() string {
	if v := float64(n); v != math.Trunc(v) || math.Abs(v) >= 1<<53 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatInt(int64(n), 10)
}

// MarshalJSON writes the number.
func (n number) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// now are the values that say how a policy is doing; what begins so as well. The others are counted since it was made.
var now = []string{
	"window.", "failure.ratio", "slow.ratio", "reject.ratio", "share", "hung", "since", "reopen", "limit", "limit.learned", "active",
	"pending", "expected_wait", "latency.baseline", "tokens", "rate", "burst", "level", "level.manual", "signal", "members", "members.",
	"keys", "entries", "bytes", "waiting", "budget.available", "delay", "parallel", "active.", "status.", "phase.", "checks",
	"recovery.waiting",
}

// seconds are the values that are times.
var seconds = []string{"since", "reopen", "expected_wait", "latency.baseline", "delay"}

// isNow reports whether the value is of this moment.
func (v value) isNow() bool { return among(now, v.Name) }

// textOf writes the value of a kind for people.
func (v value) textOf(kind string) string {
	n := float64(v.V)
	switch {
	case math.IsNaN(n) || math.IsInf(n, 0):
	case among(seconds, v.Name) || kind == "timeout" && v.Name == "limit":
		return readable(n)
	case strings.HasSuffix(v.Name, ".ratio") || v.Name == "share" || v.Name == "signal":
		return strconv.FormatFloat(100*n, 'g', 3, 64) + " %"
	}
	return v.V.String()
}

// readable writes seconds with few digits.
func readable(s float64) string {
	d := time.Duration(s * float64(time.Second))
	unit := time.Nanosecond
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}
