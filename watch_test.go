package seawall_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

func TestWatcherHearsEveryEventUntilItStops(t *testing.T) {
	r := silentRegistry()
	var heard []string
	stop := r.Watch(func(e seawall.Event) { heard = append(heard, e.Event+" "+e.Attrs[0].Value.String()) })
	log := func(r *seawall.Registry, name string) {
		r.Log(context.Background(), slog.LevelWarn, "seawall.test", slog.String("name", name))
	}
	log(r, "a")
	log(r.Detached(), "b") // a member of a family
	stop()
	stop()
	log(r, "c")
	if want := []string{"seawall.test a", "seawall.test b"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}

// T3: what watches cannot hurt what is watched.
func TestWatcherThatPanicsOrTurnsBackHarmsNobody(t *testing.T) {
	r := silentRegistry()
	var stop func()
	heard := 0
	stop = r.Watch(func(seawall.Event) {
		stop()
		r.Snapshots()
		heard++
		panic("ouch")
	})
	defer r.Watch(func(seawall.Event) { heard++ })()
	for range 2 {
		r.Log(context.Background(), slog.LevelInfo, "seawall.test")
	}
	if heard != 3 {
		t.Errorf("heard %d times, want 3", heard)
	}
}

func TestWatchersComeAndGoWhileEventsHappen(t *testing.T) {
	r := silentRegistry()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				stop := r.Watch(func(seawall.Event) {})
				r.Log(context.Background(), slog.LevelInfo, "seawall.test")
				stop()
			}
		})
	}
	all.Wait()
}

func ExampleRegistry_Watch() {
	registry := new(seawall.Registry)
	registry.SetLogger(slog.New(slog.DiscardHandler))
	stop := registry.Watch(func(e seawall.Event) { fmt.Println(e.Level, e.Event, e.Attrs) })
	defer stop()

	stock := bulkhead.New("stock", bulkhead.Config{Limit: 10, Registry: registry})
	if err := stock.SetMode(seawall.Shadow); err != nil {
		fmt.Println(err)
	}
	// Output: WARN seawall.gate.mode_changed [kind=bulkhead name=stock from=enforce to=shadow]
}

// panicking is a log handler that panics.
type panicking struct{ slog.Handler }

func (panicking) Handle(context.Context, slog.Record) error { panic("no log") }

func TestLoggerThatPanicsKeepsNoEventFromThoseWhoWatch(t *testing.T) {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(panicking{slog.NewTextHandler(io.Discard, nil)}))
	heard := 0
	defer r.Watch(func(seawall.Event) { heard++ })()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the caller is to shield itself, and has nothing to see")
			}
		}()
		r.Log(context.Background(), slog.LevelWarn, "seawall.test")
	}()
	if heard != 1 {
		t.Errorf("heard %d times, want once", heard)
	}
}
