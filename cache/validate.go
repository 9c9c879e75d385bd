package cache

import (
	"fmt"
	"math"
	"time"
)

// Validate returns an error that names a field that is missing or out of its range, its value, and the range.
func (c Config[K, V]) Validate() error {
	if c.Soft > 0 && c.Hard > 0 && c.Soft > c.Hard {
		return bad("Soft", c.Soft, fmt.Sprintf("at most Hard, which is %v", c.Hard))
	}
	c = c.withDefaults()
	for _, d := range []struct {
		field    string
		value    time.Duration
		min, max time.Duration
		off      time.Duration // a value beside the range
	}{
		{"TTL", c.TTL, time.Millisecond, years, 0},
		{"MaxStale", c.MaxStale, 0, years, 0},
		{"RetryEvery", c.RetryEvery, time.Millisecond, day, 0},
		{"NegativeTTL", c.NegativeTTL, 0, day, 0},
		{"Soft", c.Soft, time.Microsecond, time.Hour, 0},
		{"LoadTimeout", c.LoadTimeout, time.Millisecond, time.Hour, 0},
		{"Hard", c.Hard, time.Millisecond, time.Hour, 0},
		{"MaxTTL", c.MaxTTL, c.TTL, years, 0},
		{"L2.TTL", c.L2.TTL, c.TTL, years, 0},
		{"MarksFor", c.MarksFor, c.longest(), math.MaxInt64, 0},
		{"L2.Soft", c.L2.Soft, time.Millisecond, time.Minute, 0},
		{"L2.Hard", c.L2.Hard, time.Millisecond, time.Minute, 0},
		{"L2.Skew", c.L2.Skew, 0, time.Hour, NoSkew},
		{"Peers.Limit", c.Peers.Limit, time.Millisecond, time.Minute, 0},
		{"Peers.RecoverEvery", c.Peers.RecoverEvery, time.Millisecond, time.Hour, 0},
	} {
		if (d.value < d.min || d.value > d.max) && d.value != d.off {
			return bad(d.field, d.value, wanted(d.min, d.max, d.off))
		}
	}
	switch {
	case !(c.Jitter > 0 && c.Jitter <= 0.5) && c.Jitter != NoJitter: // also refuses NaN
		return bad("Jitter", c.Jitter, "more than 0 to 0.5, or NoJitter")
	case !(c.EarlyRefresh > 0 && c.EarlyRefresh <= 100) && c.EarlyRefresh != NoEarlyRefresh:
		return bad("EarlyRefresh", c.EarlyRefresh, "more than 0 to 100, or NoEarlyRefresh")
	case c.MaxEntries < 0 || c.MaxEntries > 1_000_000_000:
		return bad("MaxEntries", c.MaxEntries, "1 to 1000000000, or 0 if MaxBytes is set")
	case c.MaxBytes < 0 || c.MaxBytes > 1<<60:
		return bad("MaxBytes", c.MaxBytes, "0 to 2^60")
	case c.MaxBytes > 0 && c.MaxEntries > 0 && c.MaxBytes < int64(c.MaxEntries):
		return bad("MaxBytes", c.MaxBytes, fmt.Sprintf("at least MaxEntries, which is %d", c.MaxEntries))
	case c.L2.CompressOver < 0:
		return bad("L2.CompressOver", c.L2.CompressOver, "at least 0")
	case c.Peers.Queue < 1 || c.Peers.Queue > 1_000_000:
		return bad("Peers.Queue", c.Peers.Queue, "1 to 1000000")
	case (c.EncodeKey == nil) != (c.DecodeKey == nil):
		return bad("EncodeKey", "set without DecodeKey or the other way round", "both or none")
	case c.shared() && c.EncodeKey == nil:
		return bad("EncodeKey", "nil", fmt.Sprintf("a function, because keys are of type %T", *new(K)))
	}
	if err := c.L2.Breaker.Validate(); err != nil {
		return fmt.Errorf("cache: Config.L2.Breaker: %w", err)
	}
	if err := c.Peers.Breaker.Validate(); err != nil {
		return fmt.Errorf("cache: Config.Peers.Breaker: %w", err)
	}
	return nil
}

// wanted says a range of times. What is longer than a day is said in words: a text of its hours says nothing.
func wanted(least, most, off time.Duration) string {
	text := fmt.Sprintf("%v to %v", least, most)
	switch most {
	case math.MaxInt64:
		text = fmt.Sprintf("at least %v", least)
	case years:
		text = fmt.Sprintf("%v to 10 years", least)
	}
	if off == NoSkew {
		text += ", or NoSkew"
	}
	return text
}

func bad(field string, value any, want string) error {
	return fmt.Errorf("cache: Config.%s is %v, want %s", field, value, want)
}
