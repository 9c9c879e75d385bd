package events_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"weak"

	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// T3: events keep their order, whoever tells them.
func TestEventsAreToldOnceAndInOrder(t *testing.T) {
	var q events.Queue[int]
	var order sync.Mutex
	var told []int // written by one goroutine at a time, which is what is tested
	next := 0
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				order.Lock()
				q.Put(next)
				next++
				order.Unlock()
				q.Tell(func(e int) { told = append(told, e) })
			}
		})
	}
	all.Wait()
	if len(told) != 8000 || !slices.IsSorted(told) {
		t.Errorf("%d events were told, sorted: %t", len(told), slices.IsSorted(told))
	}
}

func TestEventOfAListenerIsToldBehindItself(t *testing.T) {
	var q events.Queue[int]
	var told []int
	var tell func(int)
	tell = func(e int) {
		if e < 3 {
			q.Put(e + 1)
			q.Tell(tell) // the goroutine that tells is this one: it goes on when this returns
		}
		told = append(told, e)
	}
	q.Put(0)
	q.Tell(tell)
	if want := []int{0, 1, 2, 3}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

func TestEventBehindAGoexitIsNotLost(t *testing.T) {
	var q events.Queue[int]
	var told []int
	q.Put(1)
	q.Put(2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.Tell(func(e int) {
			told = append(told, e)
			runtime.Goexit()
		})
	}()
	<-done
	if want := []int{1, 2}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

func TestPanicOfTellIsTheCallersAndTheEventsBehindItAreTold(t *testing.T) {
	var q events.Queue[int]
	var told []int
	q.Put(1)
	q.Put(2)
	func() {
		defer func() {
			if value := recover(); value != 1 {
				t.Errorf("the caller saw %v", value)
			}
		}()
		q.Tell(func(e int) {
			told = append(told, e)
			if e == 1 {
				panic(e)
			}
		})
	}()
	q.Put(3)
	q.Tell(func(e int) { told = append(told, e) })
	if want := []int{1, 2, 3}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

// A queue that has told all once kept the last event, with its errors, until the next one came.
func TestQueueDoesNotKeepWhatItHasTold(t *testing.T) {
	var q events.Queue[*[1 << 10]byte]
	var kept []weak.Pointer[[1 << 10]byte]
	for range 5 {
		e := new([1 << 10]byte)
		kept = append(kept, weak.Make(e))
		q.Put(e)
	}
	q.Tell(func(*[1 << 10]byte) {})
	runtime.GC()
	for i, e := range kept {
		if e.Value() != nil {
			t.Errorf("event %d is kept", i)
		}
	}
	runtime.KeepAlive(&q)
}

func TestQueueWithALimitKeepsTheLatest(t *testing.T) {
	var q events.Queue[int]
	dropped := 0
	for e := range 10 {
		dropped += q.PutLast(e, 3)
	}
	var told []int
	q.Tell(func(e int) { told = append(told, e) })
	if want := []int{7, 8, 9}; !slices.Equal(told, want) || dropped != 7 {
		t.Errorf("told %v, want %v; %d were dropped", told, want, dropped)
	}
}

func TestShieldSurvivesALogThatPanics(t *testing.T) {
	ran := false
	events.Shield(slog.New(panicking{slog.DiscardHandler}), "breaker", "payments", func() { ran = true; panic("ouch") })
	if !ran {
		t.Error("nothing ran")
	}
}

// panicking is the handler of a log.
type panicking struct{ slog.Handler }

func (panicking) Enabled(context.Context, slog.Level) bool  { panic("log") }
func (panicking) Handle(context.Context, slog.Record) error { panic("log") }

func TestShieldLetsNoPanicThroughButLogsIt(t *testing.T) {
	var log bytes.Buffer
	events.Shield(slog.New(slog.NewTextHandler(&log, nil)), "breaker", "payments", func() { panic("ouch") })
	for _, want := range []string{"seawall.listener.panicked", "kind=breaker", "name=payments", "panic=ouch"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, log.String())
		}
	}
}
