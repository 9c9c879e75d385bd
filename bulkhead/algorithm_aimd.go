package bulkhead

import "time"

// AIMDConfig sets the algorithm [AIMD]. Its defaults are those of Netflix's concurrency-limits, but for the floor, which
// is Min. That library's is 20, which is more than a small service can carry.
type AIMDConfig struct {
	// Backoff is the factor by which the limit falls when a call of the window was dropped. Default 0.9; 0.1 to 0.99.
	Backoff float64 `json:"backoff" yaml:"backoff"`
	// Timeout is the time from which on a call counts as dropped, whatever its end. Default 5 s; 1 ms to 1 h. Beyond what
	// callers wait for, the limit is blind to a dependency that queues.
	Timeout time.Duration `json:"timeout" yaml:"timeout"`
	// Window is the time after which the limit changes, once. Default 1 s; 10 ms to 1 min. It lasts until ten calls have
	// ended.
	Window time.Duration `json:"window" yaml:"window"`
}

func (c AIMDConfig) withDefaults() AIMDConfig {
	if c.Backoff == 0 {
		c.Backoff = 0.9
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Window == 0 {
		c.Window = time.Second
	}
	return c
}

// aimd is the algorithm [AIMD]: L ← L·Backoff after a window with a drop, else L ← L + 1 if half of L was in use.
type aimd struct {
	AIMDConfig
	limits
	limit float64
}

func newAIMD(cfg AdaptiveConfig, limit int) *aimd {
	a := &aimd{limit: float64(limit)}
	a.tune(cfg)
	return a
}

func (a *aimd) tune(cfg AdaptiveConfig) {
	a.AIMDConfig = cfg.AIMD
	a.limits = limits{float64(cfg.Min), float64(cfg.Max)}
	a.limit = a.within(a.limit)
}

func (a *aimd) begin(now time.Duration) plan {
	return plan{
		limit: a.learned(), until: now + a.Window, calls: 10,
		clip: never, late: a.Timeout, slow: a.Timeout,
	}
}

func (a *aimd) learn(p period) plan {
	switch {
	case p.dropped > 0:
		a.limit = a.within(a.limit * a.Backoff)
	case !p.lacksSuccess() && p.full && p.served() >= a.limit/2:
		a.limit = a.within(a.limit + 1)
	}
	return a.begin(p.end)
}

func (a *aimd) learned() int            { return int(a.limit) }
func (a *aimd) baseline() time.Duration { return 0 }

// limits are the bounds of a limit.
type limits struct{ lowest, highest float64 }

func (l limits) within(limit float64) float64 { return min(l.highest, max(l.lowest, limit)) }
