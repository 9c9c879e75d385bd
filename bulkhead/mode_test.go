package bulkhead_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// T12
func TestBulkheadForcedOpenRunsNothing(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Mode: seawall.ForcedOpen})
	ran := false
	err := b.Do(t.Context(), func(context.Context) error {
		ran = true
		return nil
	})
	wantReason(t, err, seawall.ReasonForced)
	if ran {
		t.Error("op ran")
	}
	_ = b.SetMode(seawall.Enforce)
	if err := b.Do(t.Context(), succeed); err != nil {
		t.Errorf("after the switch back: %v", err)
	}
	if s := b.Stats(); s.Rejected.Forced != 1 || s.Admitted != 1 {
		t.Errorf("stats are %+v, want 1 rejected and 1 admitted", s)
	}
}

// T12: forced open is for those that wait as well.
func TestBulkheadForcedOpenLeavesNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(oneSlot)
		holder := acquire(t, b)
		waiting := []*attempt{start(t.Context(), b), start(t.Context(), b)}
		_ = b.SetMode(seawall.ForcedOpen)
		for _, a := range waiting {
			wantReason(t, a.settle(t), seawall.ReasonForced)
		}
		wantCounts(t, b, 1, 0)
		holder.Done(nil)
		wantIdle(t, b)
	})
}

// T12, T79: the modes without a limit reject nobody and let nobody wait, whoever comes and whoever waits already.
func TestBulkheadModesWithoutALimitLetEverybodyIn(t *testing.T) {
	for _, mode := range []seawall.Mode{seawall.Shadow, seawall.ForcedClosed, seawall.Off} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBulkhead(oneSlot)
				permits := fill(t, b, 1)
				waiting := []*attempt{start(t.Context(), b), start(t.Context(), b)}
				_ = b.SetMode(mode)
				for _, a := range waiting {
					wantAdmitted(t, a)
					permits = append(permits, a.permit)
				}
				wantCounts(t, b, 3, 0)
				permits = append(permits, fill(t, b, 20)...)
				want := bulkhead.Stats{Limit: 1, InUse: 23, Admitted: 23, Waited: 2}
				want.Levels.Critical.Admitted = 2 // those that waited
				switch mode {
				case seawall.Shadow:
					want.ShadowRejected = 12 // a slot and ten places are for 11
				case seawall.Off:
					want.InUse, want.Admitted = 3, 3
				}
				if s := b.Stats(); s != want {
					t.Errorf("stats are %+v, want %+v", s, want)
				}
				_ = b.SetMode(seawall.Enforce)
				for _, p := range permits {
					p.Done(nil)
				}
				wantIdle(t, b)
			})
		})
	}
}

// T12: a surplus from a mode without a limit drains before anybody gets in.
func TestBulkheadKeepsItsLimitAgainAfterAModeWithoutOne(t *testing.T) {
	b := newBulkhead(bulkhead.Config{
		Limit: 2, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}, Mode: seawall.ForcedClosed,
	})
	permits := fill(t, b, 5)
	_ = b.SetMode(seawall.Enforce)
	for i := range 3 {
		_, err := b.Acquire(t.Context())
		wantReason(t, err, seawall.ReasonFull)
		permits[i].Done(nil)
	}
	_, err := b.Acquire(t.Context())
	wantReason(t, err, seawall.ReasonFull)
	permits[3].Done(nil)
	permits = append(permits, acquire(t, b))
	permits[4].Done(nil)
	permits[5].Done(nil)
	wantIdle(t, b)
}

// T79: switching loses no permit. One taken while off takes no slot away when it ends after the switch, and one taken
// before gives its slot back while off.
func TestBulkheadLosesNoPermitWhenItIsSwitchedOff(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Limit: 2})
	before := acquire(t, b)
	_ = b.SetMode(seawall.Off)
	during := acquire(t, b)
	before.Done(nil)
	wantIdle(t, b)
	_ = b.SetMode(seawall.Enforce)
	after := acquire(t, b)
	if during.Done(nil) {
		t.Error("the permit from the time off says that its end counted")
	}
	wantCounts(t, b, 1, 0)
	after.Done(nil)
	wantIdle(t, b)
}

// T79: on the same trace, what shadow mode says that it would have rejected is what an enforcing twin rejects.
func TestBulkheadShadowCountsWhatAnEnforcingTwinRejects(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 79))
		cfg := bulkhead.Config{Limit: 1 + rng.IntN(5), Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}}
		twin := newBulkhead(cfg)
		cfg.Mode = seawall.Shadow
		shadow := newBulkhead(cfg)
		type call struct{ twin, shadow seawall.Permit }
		var calls []*call
		for range 2000 {
			if rng.IntN(2) == 0 && len(calls) > 0 {
				i := rng.IntN(len(calls))
				calls[i].twin.Done(nil)
				calls[i].shadow.Done(nil)
				calls[i] = calls[len(calls)-1]
				calls = calls[:len(calls)-1]
				continue
			}
			c := &call{}
			c.twin, _ = twin.Acquire(t.Context())
			var err error
			if c.shadow, err = shadow.Acquire(t.Context()); err != nil {
				t.Fatalf("seed %d: shadow mode rejected a call: %v", seed, err)
			}
			calls = append(calls, c)
			if want, got := twin.Stats().Rejected.Total(), shadow.Stats().ShadowRejected; got != want {
				t.Fatalf("seed %d: shadow mode would have rejected %d, its twin rejected %d", seed, got, want)
			}
		}
		if twin.Stats().Rejected.Total() == 0 {
			t.Errorf("seed %d: nothing was rejected, so nothing is proved", seed)
		}
	}
}

// T79: the modes are switched while calls run, wait and leave, and every slot comes back.
func TestBulkheadLosesNoSlotWhenModesSwitchUnderLoad(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Limit: 2, Queue: bulkhead.Queue{Limit: 4}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				err := b.Do(t.Context(), succeed)
				if err != nil && !errors.Is(err, bulkhead.ErrFull) {
					t.Errorf("error is %v, want none or a rejection", err)
				}
			}
		})
	}
	for i := range 2000 {
		_ = b.SetMode(seawall.Mode(i % 5))
	}
	_ = b.SetMode(seawall.Enforce)
	wg.Wait()
	wantIdle(t, b)
}

func TestBulkheadRefusesAModeThatDoesNotExist(t *testing.T) {
	b := newBulkhead(bulkhead.Config{})
	if err := b.SetMode(seawall.Off + 1); err == nil || !strings.HasPrefix(err.Error(), "bulkhead: ") {
		t.Errorf("got %v, want an error that begins with the package's name", err)
	}
	if m := b.Config().Mode; m != seawall.Enforce {
		t.Errorf("mode is %v, want it unchanged", m)
	}
}
