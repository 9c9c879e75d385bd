// Package span writes durations in JSON as people do: "1.5s" and not 1500000000.
package span

import (
	"fmt"
	"time"
)

// Text is a duration whose JSON form is a text such as "1.5s". Types that hold a time.Duration convert to it where they
// are written and read.
type Text time.Duration

// MarshalText returns the form of time.Duration.String.
func (t Text) MarshalText() ([]byte, error) { return []byte(time.Duration(t).String()), nil }

// UnmarshalText reads the form of time.ParseDuration. The error names the text.
func (t *Text) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration, want such as 1.5s", text)
	}
	*t = Text(d)
	return nil
}

// Short returns a duration for people, rounded to three digits, and to 10 ms from one second up: 88.2ms, 4.31s, 1m30s.
func Short(d time.Duration) string {
	if d < 0 {
		return "-" + Short(-d)
	}
	unit := time.Nanosecond
	for d >= 1000*unit && unit < time.Second/100 {
		unit *= 10
	}
	return d.Round(unit).String()
}
