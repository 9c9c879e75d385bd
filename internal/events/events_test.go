package events_test

import (
	"bytes"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

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

func TestShieldLetsNoPanicThroughButLogsIt(t *testing.T) {
	var log bytes.Buffer
	events.Shield(slog.New(slog.NewTextHandler(&log, nil)), "breaker", "payments", func() { panic("ouch") })
	for _, want := range []string{"seawall.listener.panicked", "kind=breaker", "name=payments", "panic=ouch"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, log.String())
		}
	}
}
