package degrade_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/internal/shrink"
)

const tick = time.Millisecond

// twin is the brownout as one would write it without a thought of speed. Time goes in ticks.
type twin struct {
	cfg             degrade.BrownoutConfig
	level           degrade.Level
	pinned          bool
	since, lastGood time.Duration
	due             time.Duration
	want            degrade.BrownoutStats
}

func (w *twin) thresholds(l degrade.Level) degrade.Threshold {
	return [...]degrade.Threshold{{}, w.cfg.Sheddable, w.cfg.SheddablePlus, w.cfg.Critical}[l]
}

// look reads the signal, if that is due.
func (w *twin) look(now time.Duration, signal float64) {
	if w.pinned || w.cfg.Mode == seawall.Off || now < w.due {
		return
	}
	w.due = now + w.cfg.Interval
	w.want.Readings++
	if math.IsNaN(signal) {
		w.want.BadReadings++
		if w.level > degrade.Full && now-w.since >= w.cfg.Recover && now-w.lastGood >= w.cfg.Recover {
			w.move(w.level-1, now)
		}
		return
	}
	w.want.Signal = signal
	before := w.lastGood
	w.lastGood = now
	if w.level < degrade.WithoutCritical {
		if t := w.thresholds(w.level + 1); t.Enter != degrade.Never && signal >= t.Enter {
			if now-w.since >= w.cfg.Hold {
				w.move(w.level+1, now)
			}
			return
		}
	}
	moved := false
	for at := before; at <= now; at += tick { // as if the signal had been this one since the last reading
		if w.level == degrade.Full || at-w.since < w.cfg.Recover {
			continue
		}
		if t := w.thresholds(w.level); t.Enter == degrade.Never || signal <= t.Leave {
			w.move(w.level-1, at)
			moved = true
		}
	}
	if moved {
		w.since = now
	}
}

func (w *twin) move(to degrade.Level, now time.Duration) {
	if to > w.level {
		w.want.Worse++
	} else if to < w.level {
		w.want.Better++
	}
	w.level, w.since = to, now
}

// ask returns the reason for which a call is rejected.
func (w *twin) ask(importance, priority seawall.Priority) seawall.Reason {
	p := min(importance, priority)
	off := int(p) <= int(w.level)
	switch w.cfg.Mode {
	case seawall.Off:
		return ""
	case seawall.ForcedOpen:
		w.want.Rejected.Forced++
		return seawall.ReasonForced
	case seawall.Shadow:
		if off {
			w.want.ShadowRejected++
		}
	case seawall.Enforce:
		if off {
			*[...]*int64{
				nil, &w.want.Rejected.Sheddable, &w.want.Rejected.SheddablePlus, &w.want.Rejected.Critical,
			}[p]++
			return seawall.ReasonShed
		}
	case seawall.ForcedClosed:
	}
	w.want.Admitted++
	return ""
}

// signals are what the signal can be: in every band, at every edge, and none.
var signals = []float64{0, 0.3, 0.6, 0.61, 0.7, 0.8, 0.79, 0.85, 0.9, 0.95, 1, 5, math.Inf(1), math.Inf(-1), math.NaN()}

var configs = []degrade.BrownoutConfig{
	{Hold: 20 * tick, Recover: 50 * tick, Interval: 5 * tick},
	{Hold: 50 * tick, Recover: 7 * tick, Interval: 30 * tick, Critical: degrade.Threshold{Enter: 1, Leave: 0.8}},
	{Hold: tick, Recover: tick, Interval: tick, Sheddable: degrade.Threshold{Enter: 0.7, Leave: 0.3}, Critical: degrade.Threshold{Enter: 1}},
	{Hold: 20 * tick, Recover: 50 * tick, SheddablePlus: degrade.Threshold{Enter: degrade.Never}, Interval: 5 * tick},
}

// runBrownout runs a list of operations, two bytes each, through a brownout and its twin, in a bubble.
func runBrownout(ctx context.Context, ops []byte) error {
	begun, signal := time.Now(), 0.0
	var broken error
	var last time.Duration // of the latest change
	var read time.Duration // the latest good reading
	var readings int64
	var b *degrade.Brownout
	cfg := configs[0]
	cfg.Signal = func() float64 {
		if math.IsNaN(signal) && len(ops)%2 == 1 {
			panic("no signal")
		}
		return signal
	}
	cfg.OnLevelChange = func(e degrade.LevelEvent) {
		now, c := time.Since(begun), b.Config()
		t := [...]degrade.Threshold{{}, c.Sheddable, c.SheddablePlus, c.Critical}[max(e.From, e.To)]
		worse := e.To > e.From
		switch {
		case e.Reason == degrade.ReasonManual:
		case max(e.From, e.To)-min(e.From, e.To) != 1:
			broken = fmt.Errorf("a jump: %+v", e)
		case e.Reason == degrade.ReasonSignal && worse && (e.Signal < t.Enter || t.Enter == degrade.Never):
			broken = fmt.Errorf("below the threshold: %+v, %+v", e, t)
		case e.Reason == degrade.ReasonSignal && !worse && e.Signal > t.Leave && t.Enter != degrade.Never:
			broken = fmt.Errorf("above the threshold: %+v, %+v", e, t)
		case worse && now-last < c.Hold, !worse && now-last < c.Recover && now-read < c.Recover:
			broken = fmt.Errorf("%v after the last change, %v after the last reading: %+v", now-last, now-read, e)
		}
		last = now
	}
	b = newBrownout(cfg)
	w := &twin{cfg: b.Config()}
	for step := 0; len(ops) >= 2; step++ {
		op, arg := ops[0], int(ops[1])
		ops = ops[2:]
		now := time.Since(begun)
		what := ""
		switch op %= 16; {
		case op < 5:
			pause := time.Duration(arg%40) * tick
			if op == 0 {
				pause *= 10
			}
			time.Sleep(pause)
			what = fmt.Sprintf("pass %v", pause)
		case op < 9:
			signal = signals[arg%len(signals)]
			what = fmt.Sprintf("signal %v", signal)
		case op < 13:
			importance, priority := seawall.Priority(1+arg%4), seawall.Priority(1+arg/4%4)
			w.look(now, signal)
			want := w.ask(importance, priority)
			within := seawall.WithPriority(ctx, priority)
			what = fmt.Sprintf("ask for %v in %v", importance, priority)
			if op == 9 {
				if got := b.Allows(within, importance); got != (want == "") {
					return fmt.Errorf("step %d, %s: %t, want reason %q", step, what, got, want)
				}
				break
			}
			_, err := b.Work(importance).Acquire(within)
			got := seawall.Reason("")
			if rejection, ok := errors.AsType[*seawall.RejectedError](err); ok {
				got = rejection.Reason
			}
			if got != want {
				return fmt.Errorf("step %d, %s: rejected because of %q, want %q", step, what, got, want)
			}
		case op == 13:
			level := degrade.Level(arg % 4)
			if arg%5 == 0 {
				_ = b.SetLevel(level)
				w.pinned = true
				w.move(level, now)
				what = "set " + level.String()
				break
			}
			b.Auto()
			if w.pinned {
				w.pinned, w.since = false, now
			}
			what = "auto"
		case op == 14:
			mode := seawall.Mode(max(0, arg%9-4))
			_ = b.SetMode(mode)
			w.cfg.Mode = mode
			what = "mode " + mode.String()
		default:
			next := configs[arg%len(configs)]
			next.Signal, next.OnLevelChange, next.Mode = cfg.Signal, cfg.OnLevelChange, w.cfg.Mode
			if err := b.Update(next); err != nil {
				return err
			}
			w.cfg = b.Config()
			what = fmt.Sprintf("update %d", arg%len(configs))
		}
		now = time.Since(begun)
		w.look(now, signal)
		got := b.Stats()
		if good := got.Readings - got.BadReadings; good > readings {
			read, readings = now, good
		}
		want := w.want
		want.Level, want.Manual, want.For = w.level, w.pinned, now-w.since
		if got != want {
			return fmt.Errorf("step %d, %s:\n%+v, want\n%+v", step, what, got, want)
		}
		if broken != nil {
			return fmt.Errorf("step %d, %s: %w", step, what, broken)
		}
	}
	return nil
}

// T7, T46: with any signal the level moves one step for each time that it has been held, and not inside of the band.
func TestBrownoutEqualsItsSlowTwin(t *testing.T) {
	for range 300 {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		ops := make([]byte, 600)
		for i := range ops {
			ops[i] = byte(random.Uint32())
		}
		check := func(ops []byte) (err error) {
			synctest.Test(t, func(t *testing.T) { err = runBrownout(t.Context(), ops) })
			return err
		}
		if err := check(ops); err != nil {
			ops = shrink.List(ops, 2, func(ops []byte) bool { return check(ops) != nil })
			t.Fatalf("seed %d, operations %v: %v", seed, ops, check(ops))
		}
	}
}

func FuzzBrownout(f *testing.F) {
	f.Add([]byte{5, 11, 1, 30, 9, 0, 1, 39, 9, 0, 1, 39, 9, 1, 5, 0, 0, 39, 9, 0})
	f.Add([]byte{13, 10, 14, 5, 9, 0, 13, 1, 15, 1, 5, 14, 0, 20, 9, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 2000 {
			return
		}
		var err error
		synctest.Test(t, func(t *testing.T) { err = runBrownout(t.Context(), ops) })
		if err != nil {
			t.Fatal(err)
		}
	})
}
