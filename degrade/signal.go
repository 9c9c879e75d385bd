package degrade

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/internal/mono"
)

// look returns the era in force. If the signal is due, it is read first.
func (b *Brownout) look() *era {
	e := b.era.Load()
	if !e.automatic() || !b.due(mono.Now()) {
		return e
	}
	if b.read(e.settings) {
		b.tell()
	}
	return b.era.Load()
}

// due reports whether the signal is to be read. It also is where the clock has gone back since it was asked, at the border
// of a testing/synctest bubble.
func (b *Brownout) due(now time.Duration) bool {
	return now >= time.Duration(b.next.Load()) || now < time.Duration(b.asked.Load())
}

// read asks the signal, outside of all locks, and does what it means. One call at a time does so: the others go on with
// the level that there is. It returns whether it did.
func (b *Brownout) read(s *brownoutSettings) bool {
	if !b.reading.CompareAndSwap(false, true) {
		return false
	}
	defer b.reading.Store(false) // also if the signal calls runtime.Goexit
	now := mono.Now()
	if !b.due(now) {
		return false // another call was quicker
	}
	b.asked.Store(int64(now))
	b.next.Store(int64(now + s.Interval))
	signal, err := s.ask()
	b.counts.readings.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if broken := err != nil; broken != b.broken {
		b.broken = broken
		b.events.Put(event{edge: true, err: err})
	}
	if now = mono.Now(); err == nil {
		b.signal = signal
		b.stepLocked(signal, now)
	} else {
		b.counts.badReadings.Add(1)
		b.loseLocked(now)
	}
	return true
}

// ask reads the signal. The error says that there was a panic instead, or no number.
func (s *brownoutSettings) ask() (signal float64, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic: %v", value)
		}
	}()
	if signal = s.Signal(); math.IsNaN(signal) {
		err = errNoNumber
	}
	return signal, err
}

var errNoNumber = errors.New("not a number")

// stepLocked does what a reading means: at most one step for the worse; for the better one for each Recover that has
// passed without a reading, because a brownout that nobody has asked for a while is not to keep an old level.
func (b *Brownout) stepLocked(signal float64, now time.Duration) {
	b.rewindLocked(now)
	e, before := b.era.Load(), b.lastRead
	b.lastRead = now
	if !e.automatic() {
		return // the level was set by hand while the signal was read
	}
	s, change := e.settings, LevelEvent{Reason: ReasonSignal, Signal: signal}
	if s.worse(e.level, signal) {
		if now-e.since >= s.Hold {
			b.enterLocked(e, e.level+1, false, change)
		}
		return
	}
	for at := max(e.since+s.Recover, before); at <= now && s.better(e.level, signal); at += s.Recover {
		b.enterLocked(e, e.level-1, false, change)
		e = b.era.Load()
	}
}

// loseLocked does what a reading means that is not good: nothing, until there has been no good one for as long as a
// level is held. Then the brownout fails open, step by step.
func (b *Brownout) loseLocked(now time.Duration) {
	b.rewindLocked(now)
	e := b.era.Load()
	if e.automatic() && e.level > Full && now-max(e.since, b.lastRead) >= e.settings.Recover {
		b.enterLocked(e, e.level-1, false, LevelEvent{Reason: ReasonLost, Signal: b.signal})
	}
}

// rewindLocked counts from now how long the level has been held, if the clock has gone back.
func (b *Brownout) rewindLocked(now time.Duration) {
	b.lastRead = min(b.lastRead, now)
	if e := *b.era.Load(); now < e.since {
		e.since = now
		b.era.Store(&e)
	}
}

// event is what a Brownout has to tell: a change of its level, or the edge at which its signal breaks or is back.
type event struct {
	change LevelEvent
	edge   bool
	err    error // what is wrong with the signal
}

// tell gives the events to the log and the listener.
func (b *Brownout) tell() {
	b.events.Tell(func(e event) {
		s := b.era.Load().settings
		logger := s.Registry.Logger()
		if e.edge {
			events.Shield(logger, brownoutKind, b.name, func() { b.logEdge(s, e.err) })
			return
		}
		events.Shield(logger, brownoutKind, b.name, func() { b.logChange(s, e.change) })
		if s.OnLevelChange != nil {
			events.Shield(logger, brownoutKind, b.name, func() { s.OnLevelChange(e.change) })
		}
	})
}

func (b *Brownout) logChange(s *brownoutSettings, e LevelEvent) {
	level := slog.LevelInfo
	if e.To > e.From {
		level = slog.LevelWarn
	}
	s.Registry.Log(context.Background(), level, "seawall.degrade.level_changed", slog.String("name", b.name),
		slog.String("from", e.From.String()), slog.String("to", e.To.String()),
		slog.String("reason", e.Reason), slog.Float64("signal", e.Signal))
}

func (b *Brownout) logEdge(s *brownoutSettings, err error) {
	if err != nil {
		s.Registry.Log(context.Background(), slog.LevelWarn, "seawall.degrade.signal_failed",
			slog.String("name", b.name), slog.String("error", err.Error()))
		return
	}
	s.Registry.Log(context.Background(), slog.LevelInfo, "seawall.degrade.signal_restored", slog.String("name", b.name))
}
