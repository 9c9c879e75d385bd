package cachetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/seawall-go/seawall/cache"
)

// Backplane runs the tests that every [cache.Backplane] must pass. connect gives one for each process that the tests
// play, all of them connected with each other. cut breaks the connection of one for a moment, so that it may miss
// messages; nil if there is nothing to break.
func Backplane(t *testing.T, connect func(t *testing.T) cache.Backplane, cut func(t *testing.T, b cache.Backplane)) {
	t.Run("TellsAllSubscribers", func(t *testing.T) { backplaneTellsAll(t, connect(t), connect(t)) })
	t.Run("KeepsChannelsApart", func(t *testing.T) { backplaneKeepsChannelsApart(t, connect(t), connect(t)) })
	t.Run("KeepsTheOrderOfOneSender", func(t *testing.T) { backplaneKeepsOrder(t, connect(t), connect(t)) })
	t.Run("TellsNothingAfterStop", func(t *testing.T) { backplaneStops(t, connect(t), connect(t)) })
	t.Run("HeedsItsContext", func(t *testing.T) { backplaneHeedsItsContext(t, connect(t)) })
	t.Run("CarriesInvalidations", func(t *testing.T) { backplaneCarriesInvalidations(t, connect) })
	if cut != nil {
		t.Run("TellsOfGaps", func(t *testing.T) { backplaneTellsOfGaps(t, connect(t), connect(t), cut) })
	}
}

// ear is a subscriber that keeps what it is told.
type ear struct {
	mu       sync.Mutex // guards the fields below
	messages []string
	gaps     int
}

func listen(t *testing.T, b cache.Backplane, channel string) (*ear, func()) {
	t.Helper()
	e := &ear{}
	stop, err := b.Subscribe(channel, cache.Subscriber{
		Receive: func(message []byte) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.messages = append(e.messages, string(message))
		},
		Gap: func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.gaps++
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	once := sync.OnceFunc(stop)
	t.Cleanup(once)
	return e, once
}

func (e *ear) heard() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.messages...)
}

func (e *ear) missed() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.gaps
}

func publish(t *testing.T, b cache.Backplane, channel, message string) {
	t.Helper()
	if err := b.Publish(t.Context(), channel, []byte(message)); err != nil {
		t.Fatal(err)
	}
}

func backplaneTellsAll(t *testing.T, a, b cache.Backplane) {
	first, _ := listen(t, a, "all")
	second, _ := listen(t, b, "all")
	third, _ := listen(t, b, "all")
	message := string(bytes.Repeat([]byte{0, 0xff, '\n', 'x'}, 1000))
	publish(t, a, "all", message)
	for i, e := range []*ear{first, second, third} {
		eventually(t, fmt.Sprintf("the message at subscriber %d", i), func() bool { return len(e.heard()) == 1 })
		if e.heard()[0] != message {
			t.Errorf("subscriber %d got another message", i)
		}
	}
}

func backplaneKeepsChannelsApart(t *testing.T, a, b cache.Backplane) {
	one, _ := listen(t, b, "one")
	two, _ := listen(t, b, "two")
	publish(t, a, "one", "1")
	publish(t, a, "two", "2")
	eventually(t, "both messages", func() bool { return len(one.heard()) > 0 && len(two.heard()) > 0 })
	if fmt.Sprint(one.heard(), two.heard()) != "[1] [2]" {
		t.Errorf("channel one got %v, channel two %v", one.heard(), two.heard())
	}
}

func backplaneKeepsOrder(t *testing.T, a, b cache.Backplane) {
	const messages = 200
	e, _ := listen(t, b, "order")
	for i := range messages {
		publish(t, a, "order", fmt.Sprint(i))
	}
	eventually(t, "all messages", func() bool { return len(e.heard()) >= messages })
	for i, message := range e.heard() {
		if message != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, message)
		}
	}
}

func backplaneStops(t *testing.T, a, b cache.Backplane) {
	gone, stop := listen(t, b, "stop")
	stays, _ := listen(t, b, "stop")
	stop()
	publish(t, a, "stop", "late")
	eventually(t, "the message at the other subscriber", func() bool { return len(stays.heard()) == 1 })
	if got := gone.heard(); len(got) > 0 {
		t.Errorf("told after stop: %v", got)
	}
}

func backplaneHeedsItsContext(t *testing.T, b cache.Backplane) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Publish(ctx, "context", []byte("x")); err == nil {
		t.Error("Publish with a context that is done gives no error")
	}
}

func backplaneCarriesInvalidations(t *testing.T, connect func(t *testing.T) cache.Backplane) {
	source, version := &sync.Mutex{}, 1
	load := func(context.Context, string) (int, error) {
		source.Lock()
		defer source.Unlock()
		return version, nil
	}
	var nodes []*cache.Cache[string, int]
	for range 3 {
		c := cache.New("cachetest", cache.Config[string, int]{Peers: cache.PeersConfig{Backplane: connect(t)}})
		t.Cleanup(func() { _ = c.Close(context.Background()) })
		nodes = append(nodes, c)
		if v, err := c.Get(t.Context(), "key", load); err != nil || v != 1 {
			t.Fatalf("the first value is %d, %v", v, err)
		}
	}
	source.Lock()
	version = 2
	source.Unlock()
	nodes[0].Expire(t.Context(), "key")
	for i, c := range nodes {
		eventually(t, fmt.Sprintf("the new value at node %d", i), func() bool {
			v, err := c.Get(t.Context(), "key", load)
			return err == nil && v == 2
		})
	}
}

func backplaneTellsOfGaps(t *testing.T, a, b cache.Backplane, cut func(t *testing.T, b cache.Backplane)) {
	e, _ := listen(t, b, "gap")
	publish(t, a, "gap", "before")
	eventually(t, "the message before", func() bool { return len(e.heard()) == 1 })
	cut(t, b)
	eventually(t, "word of the gap", func() bool { return e.missed() > 0 })
	eventually(t, "messages after the gap", func() bool {
		publish(t, a, "gap", "after")
		heard := e.heard()
		return heard[len(heard)-1] == "after"
	})
}
