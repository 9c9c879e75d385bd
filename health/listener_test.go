package health_test

import (
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/health"
)

// A client of grpc.health.v1 must not be sent on to a program that drains, because a listener of the program hangs.
func TestOnChangeThatBlocksKeepsNoFollowerFromTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, registry := make(chan struct{}), silent()
		var disk switched
		h := health.New("test", health.Config{Registry: registry, OnChange: func(c health.Change) {
			if c.To == health.Warn {
				<-release
			}
		}})
		if err := h.Add(health.Check{Name: "disk", Run: disk.run}); err != nil {
			t.Fatal(err)
		}
		h.Start()
		synctest.Wait()
		var serving atomic.Bool
		serving.Store(true)
		defer h.OnChange(func() { serving.Store(h.Serving()[""]) })()
		disk.down.Store(true)
		time.Sleep(20 * time.Second) // a warning, that is told forever
		synctest.Wait()
		h.Drain()
		if serving.Load() {
			t.Error("who follows still serves")
		}
		close(release)
		if err := h.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestLogThatBlocksKeepsNoFollowerFromTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, registry := make(chan struct{}), new(seawall.Registry)
		var blocks atomic.Bool
		registry.SetLogger(slog.New(slog.NewTextHandler(writer(func(p []byte) {
			if blocks.Load() {
				<-release
			}
		}), nil)))
		h := health.New("test", health.Config{Registry: registry})
		h.Start()
		synctest.Wait()
		var serving atomic.Bool
		serving.Store(true)
		defer h.OnChange(func() { serving.Store(h.Serving()[""]) })()
		blocks.Store(true)
		go h.Drain() // it waits for the log, as whoever has caused an event does
		synctest.Wait()
		if serving.Load() {
			t.Error("who follows still serves")
		}
		close(release)
		if err := h.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

// What is told by a listener that has come back is the end of the story, and that some of it is missing.
func TestListenerThatBlocksDoesNotPileUpEventsWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var log strings.Builder
		registry := new(seawall.Registry)
		registry.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
		var last health.Change
		told := 0
		h := health.New("test", health.Config{Registry: registry, IgnoreGates: true, OnChange: func(c health.Change) {
			if told++; told == 1 {
				<-release
			}
			last = c
		}})
		go h.Start()
		synctest.Wait()
		w, err := h.Watchdog("loop", 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 { // two events each
			time.Sleep(time.Second)
			w.Beat()
		}
		close(release)
		synctest.Wait()
		h.Drain()
		if told > 1100 || last.ToPhase != health.Draining {
			t.Errorf("%d changes were told, the last is %+v", told, last)
		}
		if !strings.Contains(log.String(), "msg=seawall.health.events_lost name=test lost=1") {
			t.Errorf("that some are lost is not logged")
		}
		if err := h.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Followers run once at a time, are asked again for what came meanwhile, and neither a panic nor the end of its goroutine in
// one of them keeps another from anything.
func TestFollowerThatFailsKeepsNoOtherFromTheLatest(t *testing.T) {
	for name, fails := range map[string]func(){"panic": func() { panic("ouch") }, "Goexit": runtime.Goexit, "": func() {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := health.New("test", health.Config{Registry: silent()})
				var seen []string
				running := false
				defer h.OnChange(func() {
					if running {
						t.Error("it runs twice at once")
					}
					running = true
					defer func() { running = false }()
					if len(seen) == 0 {
						seen = append(seen, "")
						h.Start() // a change within
					}
					seen = append(seen, h.Phase().String())
					fails()
				})()
				second := ""
				defer h.OnChange(func() { second = h.Phase().String() })()
				for _, change := range []func(){h.Start, h.Drain} { // each may end its goroutine
					done := make(chan struct{})
					go func() {
						defer close(done)
						change()
					}()
					<-done
					synctest.Wait() // what checks the gates may be the one that tells
				}
				if !slices.Contains(seen, "draining") || second != "draining" {
					t.Errorf("the one that fails saw %q, the other one %q", seen, second)
				}
				if err := h.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestFollowerThatHasStoppedIsNotAskedAgain(t *testing.T) {
	h := health.New("test", health.Config{Registry: silent()})
	var stop func()
	asked := 0
	stop = h.OnChange(func() {
		asked++
		stop()
		h.Drain()
	})
	h.Start()
	h.Drain()
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	if err := h.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConfigThatWasReadChangesNothingInForce(t *testing.T) {
	h := health.New("test", health.Config{Registry: silent(), FailWhenFull: []string{"stock"}})
	h.Config().FailWhenFull[0] = "x"
	if got := fmt.Sprint(h.Config().FailWhenFull); got != "[stock]" {
		t.Errorf("in force is %s", got)
	}
}

// At least three times as many as for the others, also with a Fall of its own: one lost packet is no reason to leave.
func TestSharedCheckWithAFallOfItsOwnDoesNotTakeTheInstanceOutEarly(t *testing.T) {
	for fall, want := range map[int]time.Duration{1: 30 * time.Second, 20: 100 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			var db switched
			b := start(t, health.Config{Fall: 2, MaxHold: health.NoHold}, health.Check{
				Name: "db", Run: db.run, FailReadiness: true, Fall: fall,
			})
			db.down.Store(true)
			b.after(want - time.Second)
			b.answers("/readyz", 200)
			b.after(time.Second)
			b.answers("/readyz", 503)
		})
	}
}
