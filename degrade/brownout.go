package degrade

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/internal/mono"
)

const brownoutKind = "brownout"

var (
	_ seawall.Gate      = (*Brownout)(nil)
	_ seawall.Describer = (*Brownout)(nil)
	_ seawall.Keeper    = (*Brownout)(nil)
	_ seawall.Member    = (*Brownout)(nil)
)

// ErrBrownout is matched by every rejection of a [Brownout]. The details are in the [*seawall.RejectedError].
var ErrBrownout = errors.New("degrade: switched off by a brownout")

// Brownout switches optional work off while the load is high, the least important first, and on again when it has gone.
// Ask it by [Brownout.Allows] in code, or put [Brownout.Work] into the chain of what is optional. It is a
// [seawall.Gate] itself, for calls whose importance is the priority of their context.
//
// Make it with [NewBrownout]; it is safe for concurrent use. A call costs a reading of the clock and two atomic
// operations, and takes no lock; one call in each BrownoutConfig.Interval reads the signal. A rejection does not
// allocate.
type Brownout struct {
	name  string
	works [seawall.CriticalPlus + 1]Work
	era   atomic.Pointer[era] // written under mu
	// forced is the rejection of seawall.ForcedOpen.
	forced *seawall.RejectedError

	next    atomic.Int64 // reading of mono.Now at which the signal is due
	asked   atomic.Int64 // and at which it was asked last
	reading atomic.Bool  // one call at a time reads it

	mu       sync.Mutex    // guards the fields below, and every change of era
	lastRead time.Duration // when there was a good reading
	signal   float64       // the last good reading
	broken   bool          // the last one was not good
	events   events.Queue[event]

	_      [64]byte // what every call writes, off the line of what every call reads
	counts brownoutCounts
}

// era is a period with one level and one configuration. It is immutable.
type era struct {
	settings  *brownoutSettings
	level     Level
	pinned    bool          // the level was set by hand
	since     time.Duration // when the level was entered, or let go by Auto
	rejection *seawall.RejectedError
}

// NewBrownout makes a Brownout at [Full]. Its name is a constant of the program, for people, metrics and logs.
// NewBrownout panics if cfg is not valid; see [BrownoutConfig.Validate].
func NewBrownout(name string, cfg BrownoutConfig) *Brownout {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	now := mono.Now()
	b := &Brownout{name: name, lastRead: now}
	b.next.Store(int64(now))
	b.asked.Store(int64(now))
	for p := range b.works {
		b.works[p] = Work{b, seawall.Priority(p)}
	}
	b.era.Store(&era{settings: newBrownoutSettings(cfg, cfg.Mode), since: now})
	seawall.Register(cfg.Registry, brownoutKind, &b.name, b)
	b.forced = seawall.Reject(brownoutKind, b.name, seawall.ReasonForced, ErrBrownout, 0)
	return b
}

// Allows reports whether optional work of this importance is to be done now. The work of a less important call counts
// as less important: what decides is the lower one of importance and the priority of ctx. Each question is counted as
// admitted or rejected.
func (b *Brownout) Allows(ctx context.Context, importance seawall.Priority) bool {
	return b.admit(ctx, importance) == nil
}

// Do runs op, if its context's priority is not switched off.
func (b *Brownout) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, b, op)
}

// Acquire asks for one call with the priority of its context. It never waits. The error is a rejection that matches
// [ErrBrownout], or the cause of ctx if that is done. How the call ends does not matter to a brownout: the permit
// belongs to no gate, and its Done does nothing.
func (b *Brownout) Acquire(ctx context.Context) (seawall.Permit, error) {
	return seawall.Permit{}, b.acquire(ctx, seawall.CriticalPlus)
}

func (b *Brownout) acquire(ctx context.Context, importance seawall.Priority) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	rejection := b.admit(ctx, importance)
	if rejection == nil {
		return nil
	}
	if record := seawall.RecordOf(ctx); record != nil {
		record.Note(func(f *seawall.Facts) { f.DecidedBy, f.Reason = b.String(), rejection.Reason })
	}
	return rejection
}

// admit decides and counts.
func (b *Brownout) admit(ctx context.Context, importance seawall.Priority) *seawall.RejectedError {
	e := b.look()
	if e.passes() {
		b.counts.admitted.Add(1)
		return nil
	}
	mode := e.settings.Mode
	switch mode {
	case seawall.Off:
		return nil
	case seawall.ForcedOpen:
		b.counts.forced.Add(1)
		return b.forced
	case seawall.ForcedClosed, seawall.Enforce, seawall.Shadow:
	}
	if importance < seawall.Sheddable || importance > seawall.CriticalPlus {
		importance = seawall.Critical // as without a priority
	}
	p := min(importance, seawall.PriorityOf(ctx))
	switch {
	case mode == seawall.ForcedClosed || !e.level.SwitchesOff(p):
		b.counts.admitted.Add(1)
		return nil
	case mode == seawall.Shadow:
		b.counts.admitted.Add(1)
		b.counts.shadowRejected.Add(1)
		return nil
	}
	b.counts.rejected[p].Add(1)
	return e.rejection
}

// passes reports whether every call passes, whatever its importance.
func (e *era) passes() bool {
	return e.level == Full && e.settings.Mode != seawall.Off && e.settings.Mode != seawall.ForcedOpen
}

// Level returns the level that is in force now. Like a call it reads the signal if that is due, so it is true without
// traffic.
func (b *Brownout) Level() Level { return b.look().level }

// SetLevel sets the level by hand. It stays until the next SetLevel, or until [Brownout.Auto] leaves it to the signal
// again. The error says that there is no such level.
func (b *Brownout) SetLevel(level Level) error {
	if level >= levelCount {
		return fmt.Errorf("degrade: no such level: %v", level)
	}
	b.mu.Lock()
	e := b.era.Load()
	b.enterLocked(e, level, true, LevelEvent{Reason: ReasonManual, Signal: b.signal})
	b.mu.Unlock()
	b.tell()
	return nil
}

// Auto leaves the level to the signal. It stays what it is, and is held as if it had just been entered.
func (b *Brownout) Auto() {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := *b.era.Load()
	if e.pinned {
		e.pinned, e.since = false, mono.Now()
		e.reject(b)
		b.era.Store(&e)
	}
}

// enterLocked makes a level the one in force, and puts an event for it into the queue if it is another one.
func (b *Brownout) enterLocked(old *era, level Level, pinned bool, change LevelEvent) {
	e := &era{settings: old.settings, level: level, pinned: pinned, since: mono.Now()}
	e.reject(b)
	b.era.Store(e)
	if level == old.level {
		return
	}
	if level > old.level {
		b.counts.worse.Add(1)
	} else {
		b.counts.better.Add(1)
	}
	change.Name, change.From, change.To = b.name, old.level, level
	b.events.Put(event{change: change})
}

// reject makes the rejection of a level, one for all calls. Before the level has been held for its time it cannot get
// better, so nobody needs to come again earlier.
func (e *era) reject(b *Brownout) {
	after := e.settings.Recover
	if e.pinned {
		after = 0
	}
	e.rejection = seawall.Reject(brownoutKind, b.name, seawall.ReasonShed, ErrBrownout, after)
}

// Name returns the name, as the registry has it.
func (b *Brownout) Name() string { return b.name }

// String returns such as: brownout "page".
func (b *Brownout) String() string { return fmt.Sprintf("%s %q", brownoutKind, b.name) }

// Traits returns the kind; see [seawall.Describer].
func (b *Brownout) Traits() seawall.Traits { return seawall.Traits{Kind: brownoutKind} }

// Keep reports whether something is switched off, or was set by hand; see [seawall.Keeper]. One whose signal nobody has
// read for as long as it takes to get from its level to [Full] need not be kept: by now a new one is as good.
func (b *Brownout) Keep() bool {
	e := b.era.Load()
	if e.pinned || e.settings.Mode != e.settings.configured {
		return true
	}
	forgotten := time.Duration(b.next.Load()) + time.Duration(e.level)*e.settings.Recover
	return e.level != Full && (!e.automatic() || mono.Now() < forgotten)
}
