package degrade

import (
	"fmt"
	"math"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/reconfig"
)

// BrownoutConfig sets a [Brownout]. A zero field is its default.
type BrownoutConfig struct {
	// Sheddable is when work that is [seawall.Sheddable] is switched off. Default from 0.8 on, until 0.6.
	Sheddable Threshold `json:"sheddable" yaml:"sheddable"`
	// SheddablePlus is when work that is [seawall.SheddablePlus] is switched off as well. Default from 9/8 of
	// Sheddable.Enter on, which is 0.9, until 3/4 of that, or Sheddable.Leave if that is higher. It may not be below
	// Sheddable.
	SheddablePlus Threshold `json:"sheddable_plus" yaml:"sheddable_plus"`
	// Critical is when work that is [seawall.Critical] is switched off as well, which calls without a priority are.
	// Default [Never]. It may not be below SheddablePlus.
	Critical Threshold `json:"critical" yaml:"critical"`

	// Interval is how often the signal is read at the most. Default 100 ms; 1 ms to 1 min. It is read by a call that
	// comes when it is due: without calls it is not read.
	Interval time.Duration `json:"interval" yaml:"interval"`
	// Hold is how long a level is held before a worse one follows. Default 1 s; 1 ms to 24 h. With a short one a peak
	// of a few readings switches all off that can be; with a long one help comes late.
	Hold time.Duration `json:"hold" yaml:"hold"`
	// Recover is how long a level is held before a better one follows. Default 5 s; 1 ms to 24 h. It should be longer
	// than the load takes to show what has been switched on, or the level swings.
	Recover time.Duration `json:"recover" yaml:"recover"`
	// Mode is how the brownout acts on its level. Default [seawall.Enforce]. See [Brownout.SetMode].
	Mode seawall.Mode `json:"mode" yaml:"mode"`

	// Signal measures the load: how full a bulkhead is, a queue's delay as a share of what is good, a share of CPU
	// time. nil leaves the level to [Brownout.SetLevel]. It should be quick, as one call in each Interval waits for it,
	// and smooth, as a single reading decides. It runs outside of all locks, one at a time. If it panics, or gives what
	// is not a number, that is logged as seawall.degrade.signal_failed; without a good reading for the time of Recover
	// the level gets better, step by step.
	Signal func() float64 `json:"-" yaml:"-"`
	// OnLevelChange is told of every change of the level, in order, outside of all locks, by the goroutine whose call
	// caused it or one that came later. A panic in it is logged and goes no further. nil is off.
	OnLevelChange func(LevelEvent) `json:"-" yaml:"-"`
	// Registry is where the brownout enters itself, and where its events are logged. Default
	// [seawall.DefaultRegistry]. An Update does not change it.
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Threshold is where a level begins and ends. Between the two it stays what it is, so that it does not flap.
type Threshold struct {
	// Enter is the signal at which the level begins, if the one before it is in force: at it or above. Above 0, to 1e9,
	// or [Never].
	Enter float64 `json:"enter" yaml:"enter"`
	// Leave is the signal at which the level ends: at it or below. Default 3/4 of Enter; above 0, and below Enter. Too
	// near to Enter it lets the level flap, because switching work off lowers the load. If Enter is Never it is not to
	// be set.
	Leave float64 `json:"leave" yaml:"leave"`
}

// Never as a Threshold.Enter is a level that the signal does not lead to. [Brownout.SetLevel] does.
const Never float64 = -1

const (
	maxSignal  = 1e9
	maxHold    = 24 * time.Hour
	minHold    = time.Millisecond
	maxReading = time.Minute
)

func (c BrownoutConfig) withDefaults() BrownoutConfig {
	if c.Sheddable.Enter == 0 {
		c.Sheddable.Enter = 0.8
	}
	c.Sheddable = c.Sheddable.withDefaults(0)
	if c.SheddablePlus.Enter == 0 {
		c.SheddablePlus.Enter = Never
		if c.Sheddable.Enter != Never {
			c.SheddablePlus.Enter = min(c.Sheddable.Enter*9/8, maxSignal)
		}
	}
	c.SheddablePlus = c.SheddablePlus.withDefaults(c.Sheddable.Leave)
	if c.Critical.Enter == 0 {
		c.Critical.Enter = Never
	}
	c.Critical = c.Critical.withDefaults(c.SheddablePlus.Leave)
	if c.Interval == 0 {
		c.Interval = 100 * time.Millisecond
	}
	if c.Hold == 0 {
		c.Hold = time.Second
	}
	if c.Recover == 0 {
		c.Recover = 5 * time.Second
	}
	return c
}

// withDefaults fills in Leave, for which the level before gives a floor. One that is never entered has none.
func (t Threshold) withDefaults(floor float64) Threshold {
	if t.Enter != Never && t.Leave == 0 {
		t.Leave = max(t.Enter*3/4, floor)
	}
	return t
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c BrownoutConfig) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("degrade: BrownoutConfig.%s is %v, want %s", field, value, want)
	}
	c = c.withDefaults()
	before, beforeName := Threshold{}, ""
	for _, t := range []struct {
		name string
		Threshold
	}{{"Sheddable", c.Sheddable}, {"SheddablePlus", c.SheddablePlus}, {"Critical", c.Critical}} {
		switch {
		case t.Enter == Never && t.Leave != 0:
			return bad(t.name+".Leave", t.Leave, "above 0, and below Enter, which is Never")
		case t.Enter == Never:
		case !(t.Enter > 0 && t.Enter <= maxSignal): // also refuses NaN
			return bad(t.name+".Enter", t.Enter, "above 0, to 1e9, or Never")
		case !(t.Leave > 0 && t.Leave < t.Enter):
			return bad(t.name+".Leave", t.Leave, fmt.Sprintf("above 0, and below Enter, which is %v", t.Enter))
		case before.Enter == Never:
			return bad(t.name+".Enter", t.Enter, fmt.Sprintf("Never, as %s.Enter is", beforeName))
		case t.Enter < before.Enter:
			return bad(t.name+".Enter", t.Enter, fmt.Sprintf("at least %s.Enter, which is %v", beforeName, before.Enter))
		case t.Leave < before.Leave:
			return bad(t.name+".Leave", t.Leave, fmt.Sprintf("at least %s.Leave, which is %v", beforeName, before.Leave))
		}
		before, beforeName = t.Threshold, t.name
	}
	switch {
	case c.Interval < minHold || c.Interval > maxReading:
		return bad("Interval", c.Interval, "1ms to 1m")
	case c.Hold < minHold || c.Hold > maxHold:
		return bad("Hold", c.Hold, "1ms to 24h")
	case c.Recover < minHold || c.Recover > maxHold:
		return bad("Recover", c.Recover, "1ms to 24h")
	case !c.Mode.Valid():
		return bad("Mode", c.Mode, "one of the modes of package seawall")
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, their functions and registry left
// aside.
func (c BrownoutConfig) Equal(other BrownoutConfig) bool { return len(c.changes(other)) == 0 }

// changes returns the names, as in a file, of the fields that differ in meaning.
func (c BrownoutConfig) changes(other BrownoutConfig) (fields reconfig.Fields) {
	c, other = c.withDefaults(), other.withDefaults()
	fields.Add("sheddable", c.Sheddable != other.Sheddable)
	fields.Add("sheddable_plus", c.SheddablePlus != other.SheddablePlus)
	fields.Add("critical", c.Critical != other.Critical)
	fields.Add("interval", c.Interval != other.Interval)
	fields.Add("hold", c.Hold != other.Hold)
	fields.Add("recover", c.Recover != other.Recover)
	fields.Add("mode", c.Mode != other.Mode)
	return fields
}

// brownoutSettings is a BrownoutConfig made ready for the path of a call.
type brownoutSettings struct {
	BrownoutConfig
	configured   seawall.Mode // that of NewBrownout or Update: another one was set by hand
	enter, leave [levelCount]float64
}

func newBrownoutSettings(cfg BrownoutConfig, configured seawall.Mode) *brownoutSettings {
	s := &brownoutSettings{BrownoutConfig: cfg.withDefaults(), configured: configured}
	for i, t := range []Threshold{s.Sheddable, s.SheddablePlus, s.Critical} {
		s.enter[i+1], s.leave[i+1] = t.Enter, t.Leave
		if t.Enter == Never { // no signal leads into it, not even +Inf, and any one out of it, if it was set by hand
			s.enter[i+1], s.leave[i+1] = math.NaN(), math.Inf(1)
		}
	}
	return s
}

// automatic reports whether the level follows the signal.
func (e *era) automatic() bool {
	return e.settings.Signal != nil && !e.pinned && e.settings.Mode != seawall.Off
}

func (s *brownoutSettings) worse(level Level, signal float64) bool {
	return level+1 < levelCount && signal >= s.enter[level+1]
}

func (s *brownoutSettings) better(level Level, signal float64) bool {
	return level > Full && signal <= s.leave[level]
}

// Config returns the configuration in force, defaults filled in.
func (b *Brownout) Config() BrownoutConfig { return b.era.Load().settings.BrownoutConfig }

// Update changes the configuration while calls run. It validates first, and changes all or nothing. The level stays, and
// so does the time for which it has been held; the registry is the one of NewBrownout. A change is logged as
// seawall.config.updated, and one of the mode as seawall.gate.mode_changed.
func (b *Brownout) Update(cfg BrownoutConfig) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	b.change(func(old *brownoutSettings) *brownoutSettings {
		cfg.Registry = old.Registry
		return newBrownoutSettings(cfg, cfg.Mode)
	})
	return nil
}

// SetMode switches how the brownout acts on its level, while calls run and with its counts kept:
//
//   - [seawall.Enforce] is the normal mode.
//   - [seawall.Shadow] follows the signal, lets every call pass, and counts those that would have been rejected.
//   - [seawall.ForcedOpen] rejects every call, whatever its importance.
//   - [seawall.ForcedClosed] follows the signal and rejects no call.
//   - [seawall.Off] lets every call pass, uncounted, and does not read the signal.
//
// SetMode is logged as seawall.gate.mode_changed. The error says that m is none of the modes.
func (b *Brownout) SetMode(m seawall.Mode) error {
	if !m.Valid() {
		return fmt.Errorf("degrade: no such mode: %v", m)
	}
	b.change(func(old *brownoutSettings) *brownoutSettings {
		next := *old
		next.Mode = m
		return &next
	})
	return nil
}

// change swaps the settings and then logs what has changed.
func (b *Brownout) change(edit func(old *brownoutSettings) *brownoutSettings) {
	b.mu.Lock()
	next := *b.era.Load()
	old := next.settings
	next.settings = edit(old)
	b.era.Store(&next)
	b.mu.Unlock()
	cfg := next.settings.BrownoutConfig
	reconfig.ModeChanged(cfg.Registry, brownoutKind, b.name, old.Mode, cfg.Mode)
	reconfig.Updated(cfg.Registry, brownoutKind, b.name, old.changes(cfg))
}
