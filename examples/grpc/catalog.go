package main

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/seawall-go/seawall/examples/grpc/catalogpb"
)

// catalog is a service that fails as many of the next calls as it is told.
type catalog struct {
	catalogpb.UnimplementedCatalogServer

	calls, failures, orders atomic.Int64
	gate                    atomic.Pointer[chan struct{}] // where calls wait; nil if they do not
	inside                  chan struct{}                 // one for each call that waits there
}

func newCatalog() *catalog { return &catalog{inside: make(chan struct{}, 1)} }

// fail lets the next calls fail, and returns how many there were before them.
func (c *catalog) fail(calls int64) (before int64) {
	c.failures.Store(calls)
	return c.calls.Load()
}

// hold lets the next call wait until it is released.
func (c *catalog) hold() (release func()) {
	gate := make(chan struct{})
	c.gate.Store(&gate)
	return func() { close(gate) }
}

// begin is what each method begins with.
func (c *catalog) begin(ctx context.Context) error {
	c.calls.Add(1)
	if gate := c.gate.Swap(nil); gate != nil {
		c.inside <- struct{}{}
		select {
		case <-*gate:
		case <-ctx.Done():
		}
	}
	if c.failures.Add(-1) >= 0 {
		return errNotNow
	}
	return nil
}

func (c *catalog) GetItem(ctx context.Context, req *catalogpb.GetItemRequest) (*catalogpb.Item, error) {
	return &catalogpb.Item{Id: req.GetId(), Title: "Middlemarch"}, c.begin(ctx)
}

func (c *catalog) PutItem(ctx context.Context, req *catalogpb.PutItemRequest) (*catalogpb.Item, error) {
	return req.GetItem(), c.begin(ctx)
}

func (c *catalog) OrderItem(ctx context.Context, _ *catalogpb.OrderItemRequest) (*catalogpb.Order, error) {
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	return &catalogpb.Order{Number: c.orders.Add(1)}, nil
}

func (c *catalog) ListItems(_ *catalogpb.ListItemsRequest, items grpc.ServerStreamingServer[catalogpb.Item]) error {
	if err := c.begin(items.Context()); err != nil {
		return err
	}
	return items.Send(&catalogpb.Item{Id: "1", Title: "Middlemarch"})
}
