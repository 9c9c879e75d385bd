package fault_test

import (
	"bytes"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
)

// logged returns a registry and the buffer that its events go to, without their times.
func logged() (*seawall.Registry, *bytes.Buffer) {
	var buf bytes.Buffer
	r := &seawall.Registry{}
	r.SetLogger(slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "stack" {
				return slog.Attr{}
			}
			return a
		},
	})))
	return r, &buf
}

// T74: every start, end and hit is told, to the listener and to the log, and the numbers match.
func TestEveryStartEndAndHitIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry, log := logged()
		var told []fault.Event
		plan := fault.Plan{Seed: 9, Faults: []fault.Fault{
			failing(time.Second, 2*time.Second, "payments", 1), slow(3*time.Second, time.Second, "db", 4),
		}}
		var i *fault.Injector
		i = fault.New("shop", fault.Config{Plan: plan, Registry: registry, OnChange: func(e fault.Event) {
			told = append(told, e)
			off := i.Point(e.Fault.Target).Off()
			if off != (e.State == fault.Ended) {
				t.Errorf("%+v was told before the point felt it", e)
			}
		}})
		mustStart(t, i)
		start := time.Now()
		hits := [2]uint64{}
		for n := range 10 {
			until(start, time.Duration(n)*500*time.Millisecond)
			if i.Point("payments").Err(t.Context()) != nil {
				hits[0]++
			}
			if i.Point("db").Slow() != 1 {
				hits[1]++
			}
		}
		if hits != [2]uint64{4, 2} {
			t.Fatalf("hits %v", hits)
		}
		want := []fault.Event{
			{Name: "shop", State: fault.Running, Index: 0, Fault: plan.Faults[0], Seed: 9, At: time.Second},
			{Name: "shop", State: fault.Ended, Index: 0, Fault: plan.Faults[0], Seed: 9, Hits: 4, At: 3 * time.Second},
			{Name: "shop", State: fault.Running, Index: 1, Fault: plan.Faults[1], Seed: 9, At: 3 * time.Second},
			{Name: "shop", State: fault.Ended, Index: 1, Fault: plan.Faults[1], Seed: 9, Hits: 2, At: 4 * time.Second},
		}
		if !slices.Equal(told, want) {
			t.Errorf("told %+v", told)
		}
		const lines = `level=WARN msg=seawall.fault.started name=shop kind=error target=payments seed=9 hits=0
level=WARN msg=seawall.fault.stopped name=shop kind=error target=payments seed=9 hits=4
level=WARN msg=seawall.fault.started name=shop kind=slow target=db seed=9 hits=0
level=WARN msg=seawall.fault.stopped name=shop kind=slow target=db seed=9 hits=2
`
		if log.String() != lines {
			t.Errorf("logged\n%s", log)
		}
	})
}

// A machine that was busy for the whole time of a fault skips what is over, and still tells it.
func TestFaultsThatCameAndWentUnseenAreTold(t *testing.T) {
	told := make(chan fault.Event, 8)
	i := fault.New("test", fault.Config{
		Plan: fault.Plan{Faults: []fault.Fault{
			slow(time.Millisecond, time.Millisecond, "a", 2), slow(2*time.Millisecond, time.Hour, "b", 2),
		}},
		OnChange: func(e fault.Event) { told <- e }, Registry: quiet(),
	})
	mustStart(t, i)
	release := i.Hold()
	time.Sleep(10 * time.Millisecond) // real time: a bubble's stands still while a lock is waited for
	release()
	var all []fault.Event
	for range 3 {
		all = append(all, <-told)
	}
	if all[0].Index != 0 || all[1].Index != 0 || all[1].State != fault.Ended || all[2].Index != 1 {
		t.Errorf("told %+v", all)
	}
	if !i.Point("a").Off() || i.Point("b").Slow() != 2 {
		t.Error("the points feel something else than the plan says for now")
	}
	i.Stop()
	alternates(t, append(all, <-told))
}

func TestStopTellsTheEndsItBrings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []fault.Event
		i := fault.New("test", fault.Config{
			Plan: fault.Plan{Faults: []fault.Fault{
				slow(0, time.Hour, "a", 2), slow(time.Hour, time.Hour, "a", 2), slow(0, time.Second, "a", 2),
			}},
			OnChange: func(e fault.Event) { told = append(told, e) }, Registry: quiet(),
		})
		mustStart(t, i)
		time.Sleep(time.Minute)
		i.Stop()
		i.Stop()
		alternates(t, told)
		if len(told) != 4 || told[3].Index != 0 || told[3].At != time.Minute {
			t.Errorf("told %+v", told)
		}
	})
}

// T3: a listener may use the injector, also to stop it.
func TestListenerMayStopTheInjector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var i *fault.Injector
		var told []fault.Event
		i = fault.New("test", fault.Config{
			Plan: fault.Plan{Faults: []fault.Fault{slow(0, time.Hour, "a", 2), slow(0, time.Hour, "b", 2)}},
			OnChange: func(e fault.Event) {
				told = append(told, e)
				i.Stop()
				_, _ = i.Stats(), i.Snapshot()
			},
			Registry: quiet(),
		})
		mustStart(t, i)
		alternates(t, told)
		if len(told) != 4 || !i.Point("a").Off() || !i.Point("b").Off() {
			t.Errorf("told %+v", told)
		}
	})
}

// T3: a listener that panics or leaves its goroutine loses no event, and stops neither the plan nor the program.
func TestListenerCannotHurtThePlan(t *testing.T) {
	for name, hurt := range map[string]func(){
		"panic":  func() { panic("listener") },
		"goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				registry, log := logged()
				var told []fault.Event
				i := fault.New("test", fault.Config{
					Plan: fault.Plan{Faults: []fault.Fault{
						slow(time.Second, time.Second, "a", 2), slow(time.Second, 2*time.Second, "b", 2),
					}},
					OnChange: func(e fault.Event) { told = append(told, e); hurt() },
					Registry: registry,
				})
				mustStart(t, i)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				alternates(t, told)
				if len(told) != 4 || !i.Point("b").Off() {
					t.Errorf("told %+v", told)
				}
				const line = "level=ERROR msg=seawall.listener.panicked kind=fault name=test panic=listener"
				want := map[string]int{"panic": 4}[name]
				if got := strings.Count(log.String(), line); got != want {
					t.Errorf("logged\n%s", log)
				}
			})
		})
	}
}

// T3: faults and Stop do not wait for a listener that hangs.
func TestListenerThatHangsHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, told := make(chan struct{}), 0
		i := fault.New("test", fault.Config{
			Plan: fault.Plan{Faults: []fault.Fault{
				slow(time.Second, time.Second, "a", 2), slow(2*time.Second, time.Hour, "b", 3),
			}},
			OnChange: func(fault.Event) { told++; <-release },
			Registry: quiet(),
		})
		mustStart(t, i)
		start := time.Now()
		until(start, time.Second)
		if i.Point("a").Slow() != 2 {
			t.Error("the fault waits for the listener")
		}
		until(start, 2*time.Second)
		if !i.Point("a").Off() || i.Point("b").Slow() != 3 {
			t.Error("the plan waits for the listener")
		}
		i.Stop()
		if !i.Point("b").Off() || time.Since(start) != 2*time.Second {
			t.Error("Stop waits for the listener")
		}
		close(release)
		synctest.Wait()
		if told != 4 {
			t.Errorf("%d events were told, want 4", told)
		}
	})
}
