package gate

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/demo/internal/draw"
	"github.com/seawall-go/seawall/internal/mono"
)

// Gate lets a limited number of requests in at a time, in the order of their arrival, and keeps each of them for its
// service time. The queue before it has no limit. Use [New]; the zero value is not usable. A Gate is safe for
// concurrent use, and has no goroutine: requests wait in those of their callers.
type Gate struct {
	name  string
	cfg   Config
	draws draw.Stream
	queue queue
	short atomic.Uint64
}

// Key names a request, and so its service time: the same key always draws the same one.
type Key struct {
	// Arrival is the number of the customer's request, the same in each arm.
	Arrival uint64
	// Attempt is the number of the attempt at it: 1 for the first, or 0 where attempts are not told apart.
	Attempt uint64
}

// New returns a gate. It panics if cfg is not valid.
func New(name string, cfg Config) *Gate {
	if err := cfg.Validate(); err != nil {
		panic(fmt.Sprintf("gate: New(%q): %v", name, err))
	}
	cfg = cfg.withDefaults()
	return &Gate{name: name, cfg: cfg, draws: cfg.Draws.Stream("service/" + name)}
}

// Name returns the gate's name.
func (g *Gate) Name() string { return g.name }

// Config returns the configuration with its defaults filled in.
func (g *Gate) Config() Config { return g.cfg }

// Run waits for a worker, runs work, keeps the worker until the service time is over, and returns work's error.
//
// A request whose ctx ends before its work has begun leaves the queue at once, or never joins it: Run returns the
// context's cause, and work is not called. Work that has begun runs to its end, as a statement or a commit does, and
// the worker stays busy for the whole service time, even if nobody waits for the answer any more: work gets a context
// with the values of ctx that never ends. If work panics or calls Goexit, the worker is free at once.
//
// The service time is drawn by the key, and multiplied by the fault's Slow as it is when the work begins. The work is a
// part of it; one that takes longer than its service time is counted as short.
func (g *Gate) Run(ctx context.Context, key Key, work func(context.Context) error) error {
	if err := g.queue.enter(ctx, g.workers); err != nil {
		return err
	}
	defer g.queue.leave(g.workers)
	begin := mono.Now()
	service := g.service(key)
	err := work(context.WithoutCancel(ctx))
	rest := service - (mono.Now() - begin)
	if rest < 0 {
		g.short.Add(1)
	}
	time.Sleep(rest)
	return err
}

// workers returns how many workers are in use: the share that the fault has left, in whole workers and at least one.
func (g *Gate) workers() int {
	whole, _ := g.share()
	return whole
}

// share splits the capacity that the fault has left into whole workers and the factor of their service times that makes
// up for the rounding. Of 8 workers 40 % are 3.2: that is 3 workers who take 3/3.2 of the time, and serve as many
// requests per second as 3.2 would; 5 % are 0.4: one worker who takes 2.5 times as long.
func (g *Gate) share() (whole int, factor float64) {
	exact := float64(g.cfg.Workers) * min(max(g.cfg.Fault.Capacity(), leastShare), 1)
	whole = max(int(exact+0.5), 1)
	return whole, float64(whole) / exact
}

// leastShare keeps a service time finite whatever the fault says.
const leastShare = 1e-6

// service returns the time that a request takes if it begins now.
func (g *Gate) service(key Key) time.Duration {
	_, factor := g.share()
	sigma := max(g.cfg.Sigma, 0) // of NoSpread
	drawn := g.draws.LogNormal(float64(g.cfg.Mean), sigma, key.Arrival, key.Attempt)
	return time.Duration(min(drawn*max(g.cfg.Fault.Slow(), 1)*factor, float64(longest)))
}

// longest is the end of every service time: it keeps the product of extreme factors inside of a time.Duration.
const longest = 24 * time.Hour
