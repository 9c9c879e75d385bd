package cache

import (
	"context"
	"slices"
	"sync"
)

// Backplane carries messages of invalidations between caches in different processes: a Redis, a NATS. It is used by many
// goroutines at once. Package cachetest holds what is expected of one as tests. [Bus] is one within a process.
type Backplane interface {
	// Publish sends a message to all who subscribe to a channel, the sender as well, or fails. It heeds ctx. A message
	// that was sent may be lost nevertheless, if the subscribers are told by Gap.
	Publish(ctx context.Context, channel string, message []byte) error
	// Subscribe has a subscriber told of the messages of a channel from now on, until stop is called, which waits for
	// those being told. It returns at once; a connection that is lost later is the backplane's to restore.
	Subscribe(channel string, s Subscriber) (stop func(), err error)
}

// Subscriber is told of messages. Its functions may be called by several goroutines at once; they return soon, and do not
// panic.
type Subscriber struct {
	// Receive takes a message, which it does not keep or change.
	Receive func(message []byte)
	// Gap says that messages may have been lost until now: after a reconnection, or because a buffer was full.
	Gap func()
}

// Bus is a [Backplane] within a process: for several caches in one program, and for tests. A message is told by the
// goroutine that sends it. The zero Bus is ready for use.
type Bus struct {
	mu       sync.RWMutex // guards channels
	channels map[string][]*listener
}

// listener is one subscription.
type listener struct {
	Subscriber
	telling sync.WaitGroup // it grows under the bus's lock, and not when the listener has left
}

// Publish tells the subscribers of a channel. The error is the cause of ctx, if that is done.
func (b *Bus) Publish(ctx context.Context, channel string, message []byte) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	b.mu.RLock()
	all := b.channels[channel]
	for _, l := range all {
		l.telling.Add(1)
	}
	b.mu.RUnlock()
	for _, l := range all {
		l.tell(message)
	}
	return nil
}

func (l *listener) tell(message []byte) {
	defer l.telling.Done()
	l.Receive(message)
}

// Subscribe adds a subscriber. There is no error.
func (b *Bus) Subscribe(channel string, s Subscriber) (stop func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.channels == nil {
		b.channels = map[string][]*listener{}
	}
	own := &listener{Subscriber: s}
	b.channels[channel] = append(slices.Clone(b.channels[channel]), own)
	return func() {
		b.leave(channel, own)
		own.telling.Wait()
	}, nil
}

func (b *Bus) leave(channel string, own *listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(b.channels[channel]), func(l *listener) bool { return l == own })
	if len(left) == 0 {
		delete(b.channels, channel)
		return
	}
	b.channels[channel] = left
}
