package degrade_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
)

func TestBrownoutByHandStaysUntilAuto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l load
		registry, log := logged()
		b := newBrownout(degrade.BrownoutConfig{Signal: l.signal, Registry: registry})
		if b.Keep() {
			t.Error("a full one must be kept")
		}
		if err := b.SetLevel(degrade.WithoutCritical); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		wantLevel(t, b, degrade.WithoutCritical)
		if !b.Keep() || !b.Stats().Manual || b.Stats().Readings != 0 {
			t.Errorf("stats %+v, keep: %t", b.Stats(), b.Keep())
		}
		b.Auto()
		b.Auto()
		wantLevel(t, b, degrade.WithoutCritical)
		for _, want := range []degrade.Level{degrade.WithoutSheddablePlus, degrade.WithoutSheddable, degrade.Full} {
			time.Sleep(5*time.Second - 1)
			wantLevel(t, b, want+1)
			time.Sleep(100*time.Millisecond + 1)
			wantLevel(t, b, want)
		}
		if want := "level=WARN msg=seawall.degrade.level_changed name=page from=full to=without_critical reason=manual"; !strings.Contains(log.String(), want) {
			t.Errorf("want %q in\n%s", want, log.String())
		}
		_ = b.SetLevel(degrade.Full)
		l.set(9)
		time.Sleep(time.Hour)
		wantLevel(t, b, degrade.Full)
		if !b.Keep() {
			t.Error("one that was set to full by hand may be forgotten")
		}
	})
}

// T76: a family of brownouts is bounded: one is kept for what it knows, not for the mode that its file gives it, and not
// for the load of an hour ago.
func TestBrownoutIsKeptOnlyAsLongAsItKnowsSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l load
		wantKeep := func(b *degrade.Brownout, want bool) {
			t.Helper()
			if b.Keep() != want {
				t.Errorf("keep: %t, want %t; %+v", b.Keep(), want, b.Snapshot())
			}
		}
		for m := range seawall.Off + 1 {
			b := newBrownout(degrade.BrownoutConfig{Signal: l.signal, Mode: m})
			wantKeep(b, false)
			other := (m + 1) % (seawall.Off + 1)
			_ = b.SetMode(other)
			wantKeep(b, true)
			_ = b.Update(degrade.BrownoutConfig{Signal: l.signal, Mode: other})
			wantKeep(b, false)
		}
		b := newBrownout(degrade.BrownoutConfig{Signal: l.signal})
		l.set(1)
		time.Sleep(time.Second)
		wantLevel(t, b, degrade.WithoutSheddable)
		time.Sleep(time.Second)
		wantLevel(t, b, degrade.WithoutSheddablePlus)
		time.Sleep(10 * time.Second)
		wantKeep(b, true)
		wantLevel(t, b, degrade.WithoutSheddablePlus) // a call: it is in use
		time.Sleep(10 * time.Second)
		wantKeep(b, true)
		time.Sleep(100 * time.Millisecond)
		wantKeep(b, false)
	})
}

// T79
func TestBrownoutModes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry, log := logged()
		var l load
		l.set(1)
		b := newBrownout(degrade.BrownoutConfig{Signal: l.signal, Registry: registry})
		time.Sleep(time.Second)
		wantLevel(t, b, degrade.WithoutSheddable)
		for _, c := range []struct {
			mode                          seawall.Mode
			sheddable, critical           bool
			admitted, rejected, shadow    int64
			reason                        seawall.Reason
			keeps, reads, highestPriority bool
		}{
			{seawall.Enforce, false, true, 2, 1, 0, seawall.ReasonShed, true, true, true},
			{seawall.Shadow, true, true, 3, 0, 1, "", true, true, true},
			{seawall.ForcedOpen, false, false, 0, 3, 0, seawall.ReasonForced, true, true, false},
			{seawall.ForcedClosed, true, true, 3, 0, 0, "", true, true, true},
			{seawall.Off, true, true, 0, 0, 0, "", true, false, true},
		} {
			if err := b.SetMode(c.mode); err != nil {
				t.Fatal(err)
			}
			l.set(0.7) // inside the band
			time.Sleep(time.Second)
			before := b.Stats()
			ctx := seawall.WithPriority(t.Context(), seawall.CriticalPlus)
			err := b.Work(seawall.Sheddable).Do(ctx, succeed)
			rejection, _ := errors.AsType[*seawall.RejectedError](err)
			if rejection == nil {
				rejection = &seawall.RejectedError{}
			}
			if (err == nil) != c.sheddable || rejection.Reason != c.reason {
				t.Errorf("%v: sheddable ends with %v", c.mode, err)
			}
			if got := b.Allows(ctx, seawall.Critical); got != c.critical {
				t.Errorf("%v: critical is allowed: %t", c.mode, got)
			}
			if got := b.Allows(ctx, seawall.CriticalPlus); got != c.highestPriority {
				t.Errorf("%v: critical-plus is allowed: %t", c.mode, got)
			}
			after := b.Stats()
			if after.Admitted-before.Admitted != c.admitted || after.ShadowRejected-before.ShadowRejected != c.shadow ||
				after.Rejected.Total()-before.Rejected.Total() != c.rejected {
				t.Errorf("%v: from %+v to %+v", c.mode, before, after)
			}
			time.Sleep(time.Second)
			if reads := b.Stats().Readings > after.Readings; reads != c.reads {
				t.Errorf("%v: the signal was read: %t", c.mode, reads)
			}
			if b.Keep() != c.keeps || b.Snapshot().Mode != c.mode {
				t.Errorf("%v: keep: %t, %+v", c.mode, b.Keep(), b.Snapshot())
			}
		}
		if err := b.SetMode(9); err == nil {
			t.Error("mode 9 is accepted")
		}
		if want := "level=WARN msg=seawall.gate.mode_changed kind=brownout name=page from=enforce to=shadow"; strings.Count(log.String(), want) != 1 {
			t.Errorf("want once %q in\n%s", want, log.String())
		}
	})
}

// T75
func TestBrownoutKeepsItsLevelThroughAnUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l load
		l.set(0.85)
		registry, log := logged()
		b := newBrownout(degrade.BrownoutConfig{Signal: l.signal, Registry: registry})
		time.Sleep(time.Second)
		wantLevel(t, b, degrade.WithoutSheddable)
		time.Sleep(time.Second)
		cfg := b.Config()
		cfg.Sheddable, cfg.SheddablePlus, cfg.Registry = degrade.Threshold{Enter: 2}, degrade.Threshold{}, nil
		before := b.Stats().For
		if err := b.Update(cfg); err != nil {
			t.Fatal(err)
		}
		if s := b.Stats(); s.Level != degrade.WithoutSheddable || s.For != before {
			t.Errorf("stats %+v", s)
		}
		if b.Config().Registry != registry || b.Config().SheddablePlus.Enter != 2.25 {
			t.Errorf("config %+v", b.Config())
		}
		if err := b.Update(degrade.BrownoutConfig{Hold: -1, Mode: seawall.Off}); err == nil || b.Config().Mode != seawall.Enforce {
			t.Errorf("%v, %+v", err, b.Config())
		}
		time.Sleep(4*time.Second - 1)
		wantLevel(t, b, degrade.WithoutSheddable)
		time.Sleep(100 * time.Millisecond)
		wantLevel(t, b, degrade.Full)
		if want := `msg=seawall.config.updated kind=brownout name=page fields="sheddable sheddable_plus"`; strings.Count(log.String(), want) != 1 {
			t.Errorf("want once %q in\n%s", want, log.String())
		}
	})
}

// T46: one config per call. Each of these two is consistent: the one rejects with a level, the other rejects nothing.
func TestBrownoutNeverMixesTwoConfigs(t *testing.T) {
	b := newBrownout(degrade.BrownoutConfig{Mode: seawall.ForcedOpen})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5000 {
				err := b.Work(seawall.Sheddable).Do(context.Background(), succeed)
				if rejection, ok := errors.AsType[*seawall.RejectedError](err); ok && rejection.Reason != seawall.ReasonForced {
					t.Errorf("got %v", err)
					return
				}
			}
		})
	}
	all.Go(func() {
		for range 1000 {
			_ = b.Update(degrade.BrownoutConfig{Mode: seawall.Shadow})
			_ = b.Update(degrade.BrownoutConfig{Mode: seawall.ForcedOpen})
		}
	})
	all.Wait()
}

// What a person has set while the signal was read is not overruled by that reading.
func TestBrownoutDoesNotOverruleAHandByAnOldReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *degrade.Brownout
		var reading float64
		b = newBrownout(degrade.BrownoutConfig{Signal: func() float64 {
			_ = b.SetLevel(degrade.WithoutSheddable)
			time.Sleep(time.Second) // longer than the level is held
			return reading
		}, Hold: time.Millisecond, Recover: time.Millisecond})
		for _, reading = range []float64{9, 0, math.NaN()} {
			b.Auto()
			time.Sleep(time.Second)
			wantLevel(t, b, degrade.WithoutSheddable)
			if s := b.Stats(); !s.Manual || s.Worse != 1 || s.Better != 0 {
				t.Errorf("stats %+v", s)
			}
		}
	})
}
