package bulkhead

import (
	"context"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/dice"
)

// epoch is for how long the users who are turned away are the same ones. WeChat changes them each hour; a quarter of an
// hour is long for a task, and short for a user.
const epoch = 15 * time.Minute

// hashOf returns the hash by which a call is shed, spread over all values. Calls without a user get one by the dice
// each.
//
// The number of the epoch comes from the clock on the wall, so that all instances of a service, and the services behind
// it, turn the same users away: a task that they work on together has the same fate at each.
func hashOf(ctx context.Context) uint32 {
	user, ok := seawall.UserOf(ctx)
	if !ok {
		return uint32(dice.Uint64() >> 32)
	}
	return hashUser(user, int64(time.Since(origin)/epoch))
}

// origin has no monotonic reading, so that the time since then is the wall clock's.
var origin = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// hashUser is FNV-1a over the number and the user, with the last steps of MurmurHash3 behind it: alone, FNV leaves
// users that differ in the last letter side by side.
func hashUser(user string, number int64) uint32 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for shift := 0; shift < 64; shift += 8 {
		h = (h ^ uint64(number)>>shift&0xff) * prime
	}
	for i := range len(user) {
		h = (h ^ uint64(user[i])) * prime
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return uint32((h ^ h>>33) >> 32)
}
