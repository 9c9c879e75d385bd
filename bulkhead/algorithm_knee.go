package bulkhead

import (
	"math"
	"time"
)

// KneeConfig sets the algorithm [Knee].
//
// A dependency that can work on W calls at once answers W of them as quickly as one; further ones wait. What it serves
// grows up to W and not beyond. The algorithm keeps the limit just above W:
//
//	L ← min(L, max(L·B/R, X·B)) + a,    a = max(1, h·L)
//
// after each window, where B is the baseline, the mean latency of a call that does not wait, R the mean latency and X the
// rate of the successes of the window. By Little's law X·B is the number of calls that were being worked on, whatever was
// waiting beside them (BBR's delivery rate times its round-trip propagation time: Cardwell et al., 2016), and L·B/R is the
// same where the limit was not in use all the time (the gradient of Netflix's Gradient2 and Envoy). a is the allowance
// that lets it find more room. It is h of the limit, the Tolerance and the error that the baseline may have by chance, and
// at least one call. So the limit comes to rest where R = B/(1−h).
//
// What goes wrong elsewhere is the baseline: measured under load it contains the wait, the limit rises, and the wait with
// it, without end. Here it is measured only in drains: for some round trips the limit is lowered by a quarter or by two
// allowances, whichever is more. A baseline that was measured while even that was too much is at most the lowered limit
// divided by X, and so brings the limit down, by one allowance at least: it cannot drift up. Where latency rises gently
// with concurrency, the limit comes to rest about where a percent more of concurrency still brings three quarters of a
// percent of throughput. That is a little below Kleinrock's point of maximal power, where it brings half a percent.
//
// A drain comes when the limit is reached, and the latest is longer ago than Remeasure, or the limit has grown by half.
// When latency departs from the baseline for two windows, so far that it cannot be chance, or the limit has fallen by a
// quarter, the baseline itself is in doubt: then the limit is lowered to a half or less for the measurement, and the
// baseline replaced. A service that has become slower keeps its limit this way, and one that has lost workers gets another.
//
// Latency is learned from successes alone. Of a window with drops, which are overload outcomes, timeouts and slow
// failures, the limit falls by their share, though not much below what was served, and at most by half. When the drops
// have ended and latency is the usual one again, it doubles in each round trip until it is where it was, as TCP's
// slow start does (RFC 5681). Drops that do not depend on the limit bring it down all the same, as they do TCP's window:
// one of twenty costs a third of the throughput and more, and one of five nearly all of it. Where a dependency pushes
// back so for reasons of its own, such as a quota by the day, let Classify call that a failure. Where a tenth of the calls
// fails, or the limit was not reached, or less than half of it was in use on average, the limit does not grow.
//
// Clients of one dependency that limit themselves each for its own drain at different times: each sees the queue of the
// others in its baseline. Among many, only drops and Max hold them down. The place for this algorithm is the server, or
// a client that has the dependency nearly to itself.
type KneeConfig struct {
	// Tolerance is the part of the latency that may be waiting for others, at the limit. Default 0.04; 0.01 to 0.5. Lower
	// loses throughput to chance, and higher pays latency for nothing.
	Tolerance float64 `json:"tolerance" yaml:"tolerance"`
	// Window is the time after which the limit changes, or two round trips if they take longer, and until 20 calls have
	// ended. Default 500 ms; 10 ms to 1 min. Shorter follows more quickly, and is led astray more easily.
	Window time.Duration `json:"window" yaml:"window"`
	// Remeasure is the time between two drains while the limit is in use, or forty round trips, if they
	// take longer. It is down to a twelfth of that at first, until a thousand calls stand behind the baseline. Default 45 s;
	// 1 s to 1 h. A drain costs about a quarter of the throughput for some six round trips; all of them
	// together a sixteenth at the most.
	Remeasure time.Duration `json:"remeasure" yaml:"remeasure"`
}

func (c KneeConfig) withDefaults() KneeConfig {
	if c.Tolerance == 0 {
		c.Tolerance = 0.04
	}
	if c.Window == 0 {
		c.Window = 500 * time.Millisecond
	}
	if c.Remeasure == 0 {
		c.Remeasure = 45 * time.Second
	}
	return c
}

const (
	// mostDoubt bounds the allowance for the error of the baseline, so that a limit does not overshoot while little is known.
	mostDoubt = 0.15
	// doubting is how many standard errors of the baseline the allowance covers. With one, a baseline that was by chance a
	// tenth too low held the limit at half of the workers for half a minute and more; two leave more waiting for no gain.
	doubting = 1.5
	// halfWay is the number of calls in a window that moves the limit half of the way to its target, if latencies are
	// exponential. At 300 calls a mean is right to six percent.
	halfWay = 300
	// leastStep keeps a small service, whose windows are small, from learning too slowly.
	leastStep = 0.15
	// fastest is the multiple of the allowance by which the limit grows when there was room for some windows.
	fastest = 3
	// surprising is the number of standard errors that are not chance: 3, and twice in a row.
	surprising = 3
	// doubtful is the share of the limit that makes a surprise, whatever the number of calls.
	doubtful = 0.25
)

// knee is the algorithm [Knee]. Times are in nanoseconds, as floats.
type knee struct {
	KneeConfig
	limits
	limit float64
	base  baseline

	mean, rate float64 // of the latest window: R and X
	pace       float64 // multiple of the allowance that is next
	fullFor    int     // windows in which the limit was reached, up to the latest
	surprises  int     // the same, of windows that depart from the baseline

	drain    drain
	recovery recovery
}

func newKnee(cfg AdaptiveConfig, limit int) *knee {
	k := &knee{limit: float64(limit), pace: 1}
	k.tune(cfg)
	k.drain.limitThen = k.limit
	return k
}

func (k *knee) tune(cfg AdaptiveConfig) {
	k.KneeConfig = cfg.Knee
	k.limits = limits{float64(cfg.Min), float64(cfg.Max)}
	k.limit = k.within(k.limit)
	r := &k.recovery
	r.to, r.least = min(r.to, k.highest), min(r.least, k.highest) // else it could not be reached, and the way back would not end
}

func (k *knee) begin(now time.Duration) plan {
	if k.base.mean == 0 {
		k.drain.next = now
	}
	return k.window(now)
}

func (k *knee) learned() int            { return int(math.Round(k.limit)) }
func (k *knee) baseline() time.Duration { return span(k.base.mean) }

// window starts a period at the limit that was learned.
func (k *knee) window(now time.Duration) plan {
	k.drain.phase = noDrain
	if k.recovery.to > 0 {
		return k.recoveryWindow(now)
	}
	p := k.plan(k.learned(), now, max(k.Window, span(2*max(k.mean, k.base.mean))))
	p.calls = 20
	return p
}

func (k *knee) plan(limit int, now, length time.Duration) plan {
	p := plan{limit: limit, until: now + length, clip: never, late: never, slow: never, vain: span(k.recovery.usual / 2)}
	if k.base.mean > 0 {
		// One call in a hundred that takes a hundred times as long as the others, as a long poll does, must not be half of
		// the mean.
		p.clip = span(4 * max(k.base.mean, k.mean))
		p.slow = span(2 * k.base.mean)
	}
	return p
}

// headroom is the share of the limit that the allowance is.
func (k *knee) headroom() float64 {
	if k.base.weight == 0 {
		return k.Tolerance
	}
	return max(k.Tolerance, min(mostDoubt, k.Tolerance+doubting*k.base.noise(k.base.weight)))
}

func (k *knee) allowance() float64 { return max(1, k.headroom()*k.limit) }

func (k *knee) learn(p period) plan {
	if k.drain.phase != noDrain && !p.collapsed() {
		return k.drained(p)
	}
	doubted, due := k.move(&p)
	if due {
		return k.beginDrain(p.end, doubted)
	}
	return k.window(p.end)
}

// move moves the limit by what a window says. It returns whether a drain is due, and whether the baseline is in doubt.
func (k *knee) move(p *period) (doubted, due bool) {
	if p.dropped > 0 {
		k.yield(p)
	}
	if p.succeeded == 0 {
		return false, false
	}
	k.mean, k.rate = p.mean(), p.rate()
	if k.recovery.to > 0 {
		k.recover(p)
		return false, false
	}
	if p.dropped == 0 {
		k.recovery.goesWell(k.mean)
	}
	if !p.full || p.served() < k.limit/2 {
		k.fullFor = 0
		return false, false
	}
	k.fullFor++
	if k.base.mean == 0 {
		// The first window may contain the filling of the queue, and latencies that are too low by it.
		return true, k.fullFor > 1 && p.end >= k.drain.next
	}
	n, target := float64(p.succeeded), k.carried()
	if threshold := max(doubtful, surprising*k.base.noise(n)); target+k.allowance() < k.limit*(1-threshold) || k.mean < k.base.mean*(1-threshold) {
		k.surprises++
		return true, k.surprises > 1
	}
	k.surprises = 0
	if !p.lacksSuccess() {
		target += k.allowance() * k.pace
		if k.mean < k.base.mean*(1+k.headroom()/2) {
			k.pace = min(fastest, k.pace*1.5)
		} else {
			k.pace = max(1, k.pace/2)
		}
	}
	k.limit = k.within(k.limit + (target-k.limit)*max(leastStep, n/(n+halfWay*k.base.variation2())))
	if k.hasFallen() {
		return true, true
	}
	return false, p.end >= k.drain.next || k.limit > 1.5*k.drain.limitThen
}

// hasFallen reports that the limit is lower by a quarter than at the latest drain, and by a call at least.
func (k *knee) hasFallen() bool { return k.limit+1 < (1-doubtful)*k.drain.limitThen }

// carried is how many calls were being worked on, by the baseline: no more than the limit.
func (k *knee) carried() float64 {
	return min(k.limit, max(k.limit*k.base.mean/k.mean, k.rate*k.base.mean))
}

// yield lowers the limit by the share of calls that were dropped, though not far below what was served.
func (k *knee) yield(p *period) {
	kept := 1 - float64(p.dropped)/float64(p.calls())
	target := max(k.limit*kept, 0.9*p.served())
	before := k.limit
	k.limit = k.within(max(k.limit/2, min(k.limit, target)))
	k.pace = 1
	k.fellBack(before, p.end)
}

// drain is a measurement of the baseline at a lowered limit.
type drain struct {
	phase     phase
	doubted   bool    // the baseline was in doubt before
	low       float64 // the lowered limit
	rounds    int
	began     time.Duration
	measured  measurement
	next      time.Duration // when the next one is due
	limitThen float64       // the limit that was learned, at the latest one
}

type phase uint8

const (
	noDrain   phase = iota
	settling        // calls that came before are still in
	measuring       // in short periods, each a batch
)

func (k *knee) beginDrain(now time.Duration, doubted bool) plan {
	d, whole := &k.drain, math.Floor(k.limit)
	d.phase, d.doubted, d.rounds, d.began = settling, doubted, 0, now
	d.measured.reset()
	switch {
	case !doubted:
		d.low = min(whole*0.75, whole-2*k.allowance())
	case k.base.mean == 0:
		d.low = whole / 2
	default: // if the baseline is right, this is the knee
		d.low = max(whole/8, min(whole/2, k.rate*k.base.mean))
	}
	d.low = math.Floor(max(1, k.lowest, d.low))
	k.surprises = 0
	// All that is in has left after one round trip, which is limit/rate while a queue grows and latencies lag behind.
	p := k.plan(int(d.low), now, max(k.Window/10, span(1.5*max(k.mean, k.limit/k.rate))))
	p.clip = never
	return p
}

// drained goes on with a drain after one of its periods.
func (k *knee) drained(p period) plan {
	d := &k.drain
	if d.phase == measuring {
		d.rounds++
		// Where load has gone away in between, those calls are missing that take long.
		if p.full && p.served() >= 0.7*d.low {
			d.measured.add(&p)
		}
		if k.measuredEnough() {
			return k.endDrain(p.end)
		}
	}
	d.phase = measuring
	next := k.plan(int(d.low), p.end, max(k.Window/10, span(max(k.base.mean, k.mean/8))))
	next.calls = 1
	return next
}

func (k *knee) measuredEnough() bool {
	d := &k.drain
	if d.doubted {
		return d.measured.calls >= 200 || d.rounds >= 16
	}
	return d.measured.calls >= 100 || d.rounds >= 8
}

func (k *knee) endDrain(now time.Duration) plan {
	d := &k.drain
	if d.measured.calls < 8 {
		d.next = now + k.Remeasure/3
		return k.window(now)
	}
	k.base.learn(&d.measured, d.doubted)
	known := k.base.weight / heaviest
	d.next = now + max(span(40*k.base.mean), span(float64(k.Remeasure)*max(1.0/12, known*known)))
	if !d.doubted {
		// What is little calls for many drains, each of which takes much of it away.
		d.next = max(d.next, now+span(16*(1-d.low/k.limit)*float64(now-d.began)))
		d.limitThen = k.limit
		return k.window(now)
	}
	k.limit = k.within(min(k.limit, k.carried()+k.allowance()))
	k.mean = min(k.mean, k.limit/k.rate)
	fell := k.hasFallen()
	d.limitThen = k.limit
	if fell { // so far that what was measured may have been too much as well: it gives way to the next
		k.base.weight = 0
		return k.beginDrain(now, true)
	}
	return k.window(now)
}
