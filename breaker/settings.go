package breaker

import (
	"math"
	"time"

	"github.com/seawall-go/seawall"
)

// million is the precision of a rate: rates are compared in integers, as parts per million.
const million = 1_000_000

// rate is a share in parts per million. 0 is one that is never reached.
type rate int64

func rateOf(share float64) rate { return rate(math.Round(share * million)) }

// reached reports whether so many of the whole are at least this share of it.
func (r rate) reached(part, whole int64) bool { return r > 0 && part*million >= int64(r)*whole }

// settings is a Config made ready for the path of a call.
type settings struct {
	Config
	failures rate
	slow     rate // 0 if no call is slow
	start    rate // of the ramp
}

func newSettings(cfg Config) *settings {
	cfg = cfg.withDefaults()
	if cfg.Classify == nil {
		cfg.Classify = seawall.Classify
	}
	s := &settings{Config: cfg, failures: rateOf(cfg.FailureRate), start: rateOf(cfg.Ramp.Start)}
	if s.tracks() {
		s.slow = rateOf(cfg.Slow.Rate)
	}
	return s
}

// tracks reports whether calls are tracked while they run.
func (s *settings) tracks() bool { return s.Slow.Over != NoSlowCalls }

// trips returns why what a window holds opens the breaker, or nothing. A success can be what opens it, by completing the
// minimum.
func (s *settings) trips(in evidence, minCalls int64) string {
	calls, failures := in.calls(), in.failures()
	switch {
	case calls >= minCalls && s.failures.reached(failures, calls):
		return reasonFailureRate
	case calls >= minCalls && s.slow.reached(in.slow, calls):
		return reasonSlowRate
	case s.ConsecutiveFailures > 0 && in.run >= int64(s.ConsecutiveFailures):
		return reasonConsecutiveFailures
	}
	return ""
}

// openFor returns how long the breaker stays open the n-th time in a row; u is uniform in [0, 1). The jitter's range is
// cut at the maximum, not its result: else every other breaker would probe at exactly the maximum, together.
func (s *settings) openFor(n int, u float64) time.Duration {
	grown := float64(s.OpenFor) * math.Pow(s.OpenGrowth, float64(n-1))
	d := time.Duration(min(grown, float64(s.MaxOpenFor))) // compared as floats: grown may be infinite
	low, high := d-d/5, min(d+d/5, s.MaxOpenFor)
	return low + time.Duration(u*float64(high-low))
}

// hint returns the instant before which an answer asked for no other call.
func (s *settings) hint(v seawall.Verdict, now time.Duration) (until time.Duration, ok bool) {
	if v.After <= 0 || s.MaxRetryAfter == NoRetryAfter {
		return 0, false
	}
	return now + min(v.After, s.MaxRetryAfter), true
}
