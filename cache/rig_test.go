package cache_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/cache/cachetest"
)

// layer is one node's connection to a second layer, which can break.
type layer struct {
	*cachetest.Memory
	down, panics    atomic.Bool
	slow            atomic.Int64 // time that each call takes
	gets, sets, del atomic.Int64
}

func (l *layer) pass(ctx context.Context, n *atomic.Int64) error {
	n.Add(1)
	if d := time.Duration(l.slow.Load()); d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if l.panics.Load() {
		panic("layer")
	}
	if l.down.Load() {
		return errDown
	}
	return nil
}

func (l *layer) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := l.pass(ctx, &l.gets); err != nil {
		return nil, false, err
	}
	return l.Memory.Get(ctx, key)
}

func (l *layer) Set(ctx context.Context, key string, data []byte, ttl time.Duration) error {
	if err := l.pass(ctx, &l.sets); err != nil {
		return err
	}
	return l.Memory.Set(ctx, key, data, ttl)
}

func (l *layer) Delete(ctx context.Context, key string) error {
	if err := l.pass(ctx, &l.del); err != nil {
		return err
	}
	return l.Memory.Delete(ctx, key)
}

// plane is one node's connection to a bus, which can break.
type plane struct {
	bus     *cache.Bus
	down    atomic.Bool // nothing can be sent
	refuses atomic.Bool // nobody can subscribe

	mu   sync.Mutex // guards the fields below
	deaf bool       // what comes is lost
	gap  func()
}

func (p *plane) Publish(ctx context.Context, channel string, message []byte) error {
	if p.down.Load() {
		return errDown
	}
	return p.bus.Publish(ctx, channel, message)
}

func (p *plane) Subscribe(channel string, s cache.Subscriber) (func(), error) {
	if p.refuses.Load() {
		return nil, errDown
	}
	p.mu.Lock()
	p.gap = s.Gap
	p.mu.Unlock()
	return p.bus.Subscribe(channel, cache.Subscriber{Gap: s.Gap, Receive: func(message []byte) {
		p.mu.Lock()
		deaf := p.deaf
		p.mu.Unlock()
		if !deaf {
			s.Receive(message)
		}
	}})
}

// lose makes the node miss messages until hear.
func (p *plane) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = true
}

// hear connects the node again, which is told of the gap if it had one.
func (p *plane) hear() {
	p.mu.Lock()
	missed, gap := p.deaf, p.gap
	p.deaf = false
	p.mu.Unlock()
	if missed && gap != nil {
		gap()
	}
}

// node is a cache with its connections.
type node struct {
	*cache.Cache[string, int]
	layer *layer
	plane *plane
}

// newNode makes one of several nodes. With neither a memory nor a bus it is alone.
func newNode(t testing.TB, cfg config, memory *cachetest.Memory, bus *cache.Bus) *node {
	t.Helper()
	n := &node{layer: &layer{Memory: memory}, plane: &plane{bus: bus}}
	if memory != nil {
		cfg.L2.Layer = n.layer
		if cfg.L2.Breaker.MinCalls == 0 {
			cfg.L2.Breaker = breaker.Config{MinCalls: 3, OpenFor: time.Second, OpenGrowth: 1, Ramp: breaker.Ramp{Start: breaker.NoRamp}, Probes: breaker.Probes{Calls: 1}}
		}
	}
	if bus != nil {
		cfg.Peers.Backplane = n.plane
		if cfg.Peers.Breaker.MinCalls == 0 {
			cfg.Peers.Breaker = breaker.Config{MinCalls: 3, OpenFor: time.Second, OpenGrowth: 1, Ramp: breaker.Ramp{Start: breaker.NoRamp}, Probes: breaker.Probes{Calls: 1}}
		}
	}
	n.Cache = newCache(t, cfg)
	return n
}
