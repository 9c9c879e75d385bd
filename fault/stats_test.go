package fault_test

import (
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
)

func TestStatsSayWhatActsForHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := slow(0, 2*time.Second, "a", 2), capacity(time.Second, 4*time.Second, "a", 0.5)
		third := failing(time.Hour, time.Hour, "b", 1)
		i := started(t, first, second, third)
		start := time.Now()
		until(start, 3*time.Second)
		i.Point("a").Slow()
		i.Point("a").Capacity()
		i.Point("a").Capacity()
		acting := fault.Status{
			Index: 1, Fault: second, State: fault.Running,
			Elapsed: 2 * time.Second, Remaining: 2 * time.Second, Hits: 2,
		}
		want := fault.Stats{State: fault.Running, Started: 2, Stopped: 1, Faults: []fault.Status{
			{Index: 0, Fault: first, State: fault.Ended, Elapsed: 2 * time.Second},
			acting,
			{Index: 2, Fault: third, State: fault.Waiting},
		}}
		if got := i.Stats(); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if got := i.Active(); !reflect.DeepEqual(got, []fault.Status{acting}) {
			t.Errorf("active %+v", got)
		}
		i.Stop()
		s := i.Stats()
		if s.State != fault.Ended || s.Stopped != 2 || s.Faults[1].Elapsed != 2*time.Second ||
			s.Faults[1].Remaining != 0 || s.Faults[2].State != fault.Waiting {
			t.Errorf("after Stop %+v", s)
		}
	})
}

// The instruments have a series for each kind of the plan from the start, with zeros.
func TestSnapshotNamesEveryKindOfThePlanFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := quiet()
		i := fault.New("shop", fault.Config{Registry: registry, Plan: fault.Plan{Faults: []fault.Fault{
			slow(0, time.Second, "a", 2), slow(0, 2*time.Second, "b", 2), failing(0, time.Second, "a", 1),
		}}})
		want := func(state string, values ...float64) {
			t.Helper()
			s := seawall.Snapshot{Kind: "fault", Name: "shop", State: state}
			for n, name := range []string{"slow", "error"} {
				s.Values = append(s.Values, seawall.Value{Name: "active." + name, V: values[2*n]},
					seawall.Value{Name: "injections." + name, V: values[2*n+1]})
			}
			if got := registry.Snapshots(); !reflect.DeepEqual(got, []seawall.Snapshot{s}) {
				t.Errorf("got  %+v\nwant %+v", got, s)
			}
		}
		want("waiting", 0, 0, 0, 0)
		mustStart(t, i)
		start := time.Now()
		i.Point("a").Slow()
		i.Point("b").Slow()
		_ = i.Point("a").Err(t.Context())
		want("running", 2, 2, 1, 1)
		until(start, time.Second)
		want("running", 1, 2, 0, 1)
		until(start, 2*time.Second)
		want("ended", 0, 2, 0, 1)
	})
}

func TestEqualNamesAreToldApart(t *testing.T) {
	registry := quiet()
	first := fault.New("shop", fault.Config{Registry: registry})
	second := fault.New("shop", fault.Config{Registry: registry})
	if first.Name() != "shop" || second.Name() != "shop#2" {
		t.Fatal(first.Name(), second.Name())
	}
}

func TestStatesHaveNames(t *testing.T) {
	got := fmt.Sprint(fault.Waiting, fault.Running, fault.Ended, fault.State(3))
	if got != "waiting running ended unknown" {
		t.Fatal(got)
	}
}
