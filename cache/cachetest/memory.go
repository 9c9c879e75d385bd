package cachetest

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// Memory is a [cache.Layer] in the memory of the process. It is not bounded: it is for tests. The zero Memory is empty and
// ready for use, and safe for concurrent use.
type Memory struct {
	mu    sync.Mutex // guards items
	items map[string]item
}

type item struct {
	data  []byte
	until time.Time
}

// Get returns what was set. The error is the cause of ctx, if that is done, as it is with all methods.
func (m *Memory) Get(ctx context.Context, key string) (data []byte, found bool, err error) {
	if ctx.Err() != nil {
		return nil, false, context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	held, found := m.items[key]
	if !found || !time.Now().Before(held.until) {
		delete(m.items, key)
		return nil, false, nil
	}
	return bytes.Clone(held.data), true, nil
}

// Set stores data for a time.
func (m *Memory) Set(ctx context.Context, key string, data []byte, ttl time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.items == nil {
		m.items = map[string]item{}
	}
	m.items[key] = item{bytes.Clone(data), time.Now().Add(ttl)}
	return nil
}

// Delete removes a key.
func (m *Memory) Delete(ctx context.Context, key string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.items, key)
	return nil
}

// Keys returns how many keys there are, expired ones as well.
func (m *Memory) Keys() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.items)
}
