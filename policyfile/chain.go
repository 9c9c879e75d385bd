package policyfile

import (
	"context"
	"sync/atomic"

	"github.com/seawall-go/seawall"
)

var _ seawall.Live = (*Chain)(nil)

// Chain is a chain of a [Set], a [seawall.Policy] that stays the same while the file changes. Get it from [Set.Chain]
// once, and keep it. It is safe for concurrent use.
//
// It is a [seawall.Live]: [seawall.Call] walks the policies that it has at that moment, for one atomic load and no
// allocation. As a member of another chain it is a policy of an unknown kind, which costs a closure for each call, and
// [seawall.Pipeline.Lint] does not look into it.
type Chain struct {
	name    string
	used    atomic.Bool // the program has it, so the file must
	current atomic.Pointer[seawall.Pipeline]
}

// Do runs op through the policies of the chain as it is now; see [seawall.Pipeline.Do].
func (c *Chain) Do(ctx context.Context, op func(context.Context) error) error {
	return c.Current().Do(ctx, op)
}

// Current returns the chain as it is now, to look at: its policies, or what Lint finds. Who keeps it gets new settings of
// its policies, and misses policies that come, go or change places.
func (c *Chain) Current() *seawall.Pipeline { return c.current.Load() }

// Name returns the name that the chain has in the file.
func (c *Chain) Name() string { return c.name }

// String returns the policies joined by arrows, as [seawall.Pipeline.String] does.
func (c *Chain) String() string { return c.Current().String() }

// Keep reports whether one of the policies must be kept; see [seawall.Keeper].
func (c *Chain) Keep() bool { return c.Current().Keep() }
