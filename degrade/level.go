package degrade

import (
	"context"
	"fmt"

	"github.com/seawall-go/seawall"
)

// Level says what a [Brownout] has switched off. A higher one is worse.
type Level uint8

const (
	// Full switches nothing off.
	Full Level = iota
	// WithoutSheddable switches off what may be missing for hours.
	WithoutSheddable
	// WithoutSheddablePlus switches off what may be missing for minutes as well.
	WithoutSheddablePlus
	// WithoutCritical leaves only what is [seawall.CriticalPlus].
	WithoutCritical
	levelCount
)

// String returns "full", "without_sheddable", "without_sheddable_plus" or "without_critical".
func (l Level) String() string {
	if l < levelCount {
		return [levelCount]string{"full", "without_sheddable", "without_sheddable_plus", "without_critical"}[l]
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// SwitchesOff reports whether work of this importance is switched off.
func (l Level) SwitchesOff(importance seawall.Priority) bool {
	return importance >= seawall.Sheddable && uint8(importance) <= uint8(l)
}

// LevelEvent is a change of the level of a [Brownout], one step if it comes from the signal.
type LevelEvent struct {
	Name     string // the brownout's
	From, To Level
	Reason   string  // [ReasonSignal], [ReasonLost] or [ReasonManual]
	Signal   float64 // the last good reading
}

// The reasons of a [LevelEvent].
const (
	ReasonSignal = "signal" // a threshold was reached
	ReasonLost   = "lost"   // there is no signal any more
	ReasonManual = "manual" // by SetLevel
)

// Work is optional work of one importance under a [Brownout], a [seawall.Gate] that rejects it while it is switched
// off. Get it from [Brownout.Work].
type Work struct {
	brownout   *Brownout
	importance seawall.Priority
}

var _ seawall.Gate = (*Work)(nil)

// Work returns the gate for optional work of this importance. It is the same one each time. Work panics if importance is
// none of the priorities.
func (b *Brownout) Work(importance seawall.Priority) *Work {
	if importance < seawall.Sheddable || importance > seawall.CriticalPlus {
		panic(fmt.Sprintf("degrade: Brownout.Work: no such priority: %v", importance))
	}
	return &b.works[importance]
}

// Do runs op, if it is not switched off.
func (w *Work) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, w, op)
}

// Acquire asks for one call, as [Brownout.Allows] does. The error is a rejection that matches [ErrBrownout], or the
// cause of ctx if that is done. The permit's Done does nothing.
func (w *Work) Acquire(ctx context.Context) (seawall.Permit, error) {
	return seawall.Permit{}, w.brownout.acquire(ctx, w.importance)
}

// String returns such as: brownout "page" (sheddable).
func (w *Work) String() string { return fmt.Sprintf("%v (%v)", w.brownout, w.importance) }

// Traits returns the kind; see [seawall.Describer].
func (w *Work) Traits() seawall.Traits { return w.brownout.Traits() }

// Keep is [Brownout.Keep].
func (w *Work) Keep() bool { return w.brownout.Keep() }
