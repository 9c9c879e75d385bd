package ratelimit

import (
	"math"
	"time"

	"golang.org/x/time/rate"

	"github.com/seawall-go/seawall/internal/mono"
)

// scale is how many of x/time/rate's whole tokens stand for one of ours, so that a part of one can be given back.
const scale = 1000

// epoch is what makes an instant of a reading of package mono. It has a monotonic reading, and so has every sum with it.
var epoch = time.Now()

// bucket is the token bucket of x/time/rate, used under the lock of its owner. It is in debt only where a rehearsal has
// borrowed from it, and by what comes in within a nanosecond: x/time/rate cuts a wait down to whole ones, and lets in who
// has to wait for less. So who comes at the time that wait foretold is let in, whatever the floats made of it.
type bucket struct {
	limiter *rate.Limiter
	rate    float64 // our tokens in a second, or Unlimited
	latest  time.Duration
	// rehearsed is when the calls would start that would wait by now.
	rehearsed []time.Duration
	changed   time.Duration // reading of mono.Now at which rate or burst changed
}

func newBucket(now time.Duration, cfg Config) bucket {
	limit, burst := limits(cfg)
	return bucket{limiter: rate.NewLimiter(limit, burst), rate: cfg.Rate, latest: now, changed: now}
}

func limits(cfg Config) (rate.Limit, int) {
	if cfg.Rate == Unlimited {
		return rate.Inf, cfg.Burst * scale
	}
	return rate.Limit(cfg.Rate * scale), cfg.Burst * scale
}

// at makes an instant of a reading of the clock. Of two calls the one that read the clock first may come second to the
// lock. x/time/rate then sets its own clock back, and counts the time between twice: so ours does not go back.
func (b *bucket) at(now time.Duration) time.Time {
	if b.latest-now > heldUp {
		if again := mono.Now(); again < b.latest {
			b.rewind(again)
		}
	}
	b.latest = max(b.latest, now)
	return epoch.Add(b.latest)
}

// heldUp is how far a reading of the clock may be behind before it is read again. Most that are behind are so by less: a
// call was held up on its way to the lock.
const heldUp = time.Millisecond

// rewind lets the bucket go on, with the tokens that it has, by a clock that has gone back. It does so only at the border
// of a testing/synctest bubble, whose time begins in the year 2000: for a limiter that was made outside, or used in an
// earlier bubble, no token would come for a quarter of a century. A debt is forgiven.
func (b *bucket) rewind(now time.Duration) {
	old := b.limiter
	tokens := max(0, old.TokensAt(epoch.Add(b.latest)))
	b.limiter = rate.NewLimiter(old.Limit(), old.Burst())
	b.latest, b.changed, b.rehearsed = now, now, nil
	if missing := old.Burst() - int(tokens); missing > 0 {
		b.limiter.ReserveN(epoch.Add(now), missing)
	}
}

// take takes n tokens if they are there.
func (b *bucket) take(now time.Duration, n int) bool {
	if n > maxBurst { // times the scale it might not fit an int
		return b.rate == Unlimited
	}
	return b.limiter.AllowN(b.at(now), n*scale)
}

// borrow takes n tokens, if need be from the future.
func (b *bucket) borrow(now time.Duration, n int) { b.limiter.ReserveN(b.at(now), n*scale) }

// give puts tokens back, up to the burst. x/time/rate has no verb for it but a negative reservation; a test pins that.
// Its Reservation.Cancel gives nothing back for a call that has begun, and of one that waits only what nobody has
// reserved behind it.
func (b *bucket) give(now time.Duration, tokens float64) {
	const rounding = 1e-6 // of a thousandth: what floats make of a whole number
	b.limiter.ReserveN(b.at(now), -int(math.Ceil(tokens*scale-rounding)))
}

// tokens returns what is in the bucket, below 0 if it is in debt.
func (b *bucket) tokens(now time.Duration) float64 { return b.limiter.TokensAt(b.at(now)) / scale }

// wait returns how long it takes until n tokens are there.
func (b *bucket) wait(now time.Duration, n float64) time.Duration {
	if b.rate == Unlimited {
		return 0
	}
	missing := n - b.tokens(now)
	if missing <= 0 {
		return 0
	}
	const rounding = 1e-3 // of a nanosecond: what floats make of a whole number
	wait := math.Ceil(missing/b.rate*1e9 - rounding)
	if wait >= math.MaxInt64 {
		return math.MaxInt64
	}
	return max(1, time.Duration(wait))
}

// adjust changes rate and burst, and keeps the tokens as far as they fit.
func (b *bucket) adjust(now time.Duration, cfg Config) {
	limit, burst := limits(cfg)
	t := b.at(now)
	b.limiter.SetLimitAt(t, limit)
	b.limiter.SetBurstAt(t, burst)
	b.rate = cfg.Rate
}
