// Package hop is how facts are written where they cross from one process to the next: the remaining time, the number of
// the attempt, the priority, and what a server that sheds says. HTTP fields and gRPC metadata share these forms, so that
// a hop of one kind and a hop of the other understand each other. [Repeats] is how the client of a hop tells its server, in
// one process, that a request was repeated as often as may be.
//
// Nothing here decides whether a peer is believed: that is asked before. What is read is clamped always, since a peer
// that is believed may still be wrong.
package hop

import (
	"math"
	"strconv"
	"time"

	"github.com/seawall-go/seawall/internal/dice"
)

// What a server that sheds says beside its status, in the Seawall-Pushback field or the seawall-pushback trailer.
const (
	Refused = "refused" // nothing was started
	Final   = "final"   // do not repeat
)

// Bounds of what is believed of a peer.
const (
	MaxTimeout = 24 * time.Hour
	MaxAttempt = 1000
	// MaxHint is the longest wait that is told to the policies, which have a much lower cap of their own. It keeps their
	// arithmetic far from an overflow.
	MaxHint = 365 * 24 * time.Hour
)

// ParseDigits reads a number that consists of digits only, without sign, space or point. What does not fit into an
// int64 is the largest one.
func ParseDigits(s string) (n int64, ok bool) {
	for i := range len(s) {
		digit := int64(s[i]) - '0'
		switch {
		case digit < 0 || digit > 9:
			return 0, false
		case n > (math.MaxInt64-digit)/10:
			n = math.MaxInt64
		default:
			n = n*10 + digit
		}
	}
	return n, s != ""
}

// ParseMillis reads a timeout as a positive number of whole milliseconds, and caps it at MaxTimeout. 0 means no limit to
// the proxies that send such a field, so it is not understood here.
func ParseMillis(s string) (time.Duration, bool) {
	return timeoutOf(s, time.Millisecond)
}

// ParseSeconds reads a timeout as a positive number of whole seconds, as ParseMillis does.
func ParseSeconds(s string) (time.Duration, bool) {
	return timeoutOf(s, time.Second)
}

// ParseGRPCTimeout reads a timeout in gRPC's grammar: up to eight digits and one of the units H, M, S, m, u and n, where m
// is milliseconds. It is capped at MaxTimeout; less than a millisecond counts as one, because it came from a wire.
func ParseGRPCTimeout(s string) (time.Duration, bool) {
	if len(s) < 2 || len(s) > 9 {
		return 0, false
	}
	var unit time.Duration
	switch s[len(s)-1] {
	case 'H':
		unit = time.Hour
	case 'M':
		unit = time.Minute
	case 'S':
		unit = time.Second
	case 'm':
		unit = time.Millisecond
	case 'u':
		unit = time.Microsecond
	case 'n':
		unit = time.Nanosecond
	default:
		return 0, false
	}
	d, ok := timeoutOf(s[:len(s)-1], unit)
	return max(d, time.Millisecond), ok
}

func timeoutOf(digits string, unit time.Duration) (time.Duration, bool) {
	n, ok := ParseDigits(digits)
	if !ok || n == 0 {
		return 0, false
	}
	return time.Duration(min(n, int64(MaxTimeout/unit))) * unit, true
}

// FormatMillis writes the time that is left. It never writes 0, which proxies take for no limit at all.
func FormatMillis(left time.Duration) string {
	return strconv.FormatInt(max(1, left.Milliseconds()), 10)
}

// ParseAttempt reads the number of an attempt, the first being 1. 0 is not understood; what is too large is MaxAttempt.
func ParseAttempt(s string) (int, bool) {
	n, ok := ParseDigits(s)
	return int(min(n, MaxAttempt)), ok && n > 0
}

// SpreadUp returns a wait that is at least the given one and up to a quarter longer, at random, so that those who are
// refused together do not come back together.
func SpreadUp(after time.Duration) time.Duration {
	after = min(max(0, after), MaxHint)
	return after + time.Duration(dice.Uint64N(uint64(after/4)+1))
}
