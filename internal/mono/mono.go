// Package mono reads the monotonic clock.
//
// It exists because time.Now reads two clocks, the wall's and the monotonic one, and a primitive needs only the second:
// half the price on the path of every call. The readings are time.Since of one fixed instant, so they follow the fake
// clock inside a testing/synctest bubble, where they are negative: only differences mean anything, and 0 is an instant
// like any other.
package mono

import "time"

var epoch = time.Now()

// Now returns the time since a fixed instant of this process. It never jumps when the wall clock is set.
func Now() time.Duration { return time.Since(epoch) }

// Time returns the time at which Now returns d.
func Time(d time.Duration) time.Time { return epoch.Add(d) }

// Of returns what Now returns at t.
func Of(t time.Time) time.Duration { return t.Sub(epoch) }
