package hedge_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
)

func TestListenerIsToldOfEachExtraAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []hedge.Event
		h, _ := newHedge(t, hedge.Config{
			Delay: 10 * ms, MaxAttempts: 4, OnHedge: func(e hedge.Event) { told = append(told, e) },
		})
		time.Sleep(time.Minute)
		_ = h.Do(t.Context(), newEnds(end{time.Second, nil}, end{5 * ms, errDown}, end{time.Second, nil}, end{time.Second, nil}).op)
		want := []hedge.Event{
			{"test", 2, 10 * ms, nil},
			{"test", 3, 15 * ms, errDown},
			{"test", 4, 25 * ms, nil},
		}
		if !slices.Equal(told, want) {
			t.Errorf("told %+v, want %+v", told, want)
		}
	})
}

func TestRecordSaysHowManyAttemptsThereWereAndWhichWon(t *testing.T) {
	for _, c := range []struct {
		ends            []end
		hedges, winners int
	}{
		{[]end{{ms, nil}}, 0, 0},
		{[]end{{50 * ms, nil}, {time.Second, nil}}, 1, 1},
		{[]end{{50 * ms, nil}, {ms, nil}}, 1, 2},
		{[]end{{50 * ms, nil}, {ms, verdict(seawall.Success, seawall.RepeatNever, 0)}}, 1, 2},
		{[]end{{50 * ms, errDown}, {ms, errDown}}, 1, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, hedge.Config{Delay: 10 * ms})
			ctx, record := seawall.WithRecord(t.Context())
			_ = h.Do(ctx, newEnds(c.ends...).op)
			if f := record.Facts(); f.Hedges != c.hedges || f.Winner != c.winners {
				t.Errorf("%v: recorded %+v", c.ends, f)
			}
		})
	}
}

func TestSnapshotHasTheDocumentedNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHedge(t, hedge.Config{Delay: 10 * ms, Cap: hedge.Cap{Burst: 2, Ratio: 0.000001}})
		ctx, cancel := context.WithTimeout(t.Context(), 5*ms)
		defer cancel()
		left, leave := context.WithCancel(t.Context())
		time.AfterFunc(8*ms, leave)
		_ = h.Do(ctx, newEnds(end{time.Second, nil}).op)
		_ = h.Do(left, newEnds(end{time.Second, nil}).op)
		_ = h.Do(t.Context(), succeed)
		slowly(t, h)
		_ = h.Do(t.Context(), newEnds(end{50 * ms, nil}, end{ms, nil}).op)
		_ = h.Do(t.Context(), newEnds(end{50 * ms, nil}).op)
		func() {
			defer func() { _ = recover() }()
			_ = h.Do(t.Context(), func(context.Context) error { panic("op") })
		}()
		want := seawall.Snapshot{Kind: "hedge", Name: "test", Values: []seawall.Value{
			{Name: "calls.primary", V: 3},
			{Name: "calls.hedge", V: 1},
			{Name: "calls.failed", V: 1},
			{Name: "calls.canceled", V: 1},
			{Name: "calls.aborted", V: 1},
			{Name: "attempts", V: 9},
			{Name: "denied", V: 1},
			{Name: "delay", V: 0.01},
		}}
		if got := h.Snapshot(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if got := h.Config().Registry.Snapshots(); len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(want) {
			t.Errorf("the registry has %v", got)
		}
	})
}

func TestDelayIsAbsentFromTheSnapshotWhereThereIsNone(t *testing.T) {
	h, _ := newHedge(t, hedge.Config{})
	for _, v := range h.Snapshot().Values {
		if v.Name == "delay" {
			t.Errorf("it is %v", v.V)
		}
	}
}

func TestTraitsAreThoseOfTheConfiguration(t *testing.T) {
	for _, c := range []struct {
		cfg  hedge.Config
		want seawall.Traits
	}{
		{hedge.Config{}, seawall.Traits{Kind: "hedge", Attempts: 2, Delay: ms}},
		{hedge.Config{Latency: hedge.Latency{Min: 7 * ms}, MaxAttempts: 4}, seawall.Traits{Kind: "hedge", Attempts: 4, Delay: 7 * ms}},
		{hedge.Config{Delay: time.Second}, seawall.Traits{Kind: "hedge", Attempts: 2, Delay: time.Second}},
		{hedge.Config{Delay: hedge.OnFailure}, seawall.Traits{Kind: "hedge", Attempts: 2}},
	} {
		h, _ := newHedge(t, c.cfg)
		c.want.Budget = h.Budget()
		if got := h.Traits(); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.cfg, got, c.want)
		}
	}
}

func TestHedgeHasANameAndAText(t *testing.T) {
	h, _ := newHedge(t, hedge.Config{})
	if h.Name() != "test" || h.String() != `hedge "test"` {
		t.Errorf("it is %q, %v", h.Name(), h)
	}
}
