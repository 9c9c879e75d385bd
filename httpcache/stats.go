package httpcache

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/errtype"
	"github.com/seawall-go/seawall/internal/events"
)

type counts struct {
	fresh, stale, miss, errors, passed  atomic.Int64
	success, failure, overload, ignored atomic.Int64
	joined, rescued, confirmed, stored  atomic.Int64
	refreshes, refreshesFailed          atomic.Int64
	tooLarge, invalidations, waiting    atomic.Int64
	failed                              events.Throttle
}

// found counts a request by what the store had for it, and tells the record of the call.
func (c *Cache) found(ctx context.Context, what seawall.CacheResult) {
	n := &c.counts
	counter := [...]*atomic.Int64{
		seawall.CacheFresh: &n.fresh, seawall.CacheMiss: &n.miss, seawall.CacheStale: &n.stale, seawall.CacheError: &n.errors,
	}[what]
	counter.Add(1)
	seawall.RecordOf(ctx).NoteCache(what)
}

// loaded counts a request to the origin by its outcome.
func (c *counts) loaded(resp *http.Response, err error) {
	switch {
	case errors.Is(err, seawall.ErrRejected) || errors.Is(err, errLeft) || errors.Is(err, errClosed) || errors.Is(err, context.Canceled):
		c.ignored.Add(1)
	case err != nil || resp == nil || resp.StatusCode >= 500:
		c.failure.Add(1)
	case resp.StatusCode == http.StatusTooManyRequests:
		c.overload.Add(1)
	default:
		c.success.Add(1)
	}
}

func (c *counts) refreshed(good bool) {
	c.refreshes.Add(1)
	if !good {
		c.refreshesFailed.Add(1)
	}
}

// Stats are counts since [New], and what is stored.
type Stats struct {
	// Each request is counted once.
	Fresh  int64 // answered from the store, fresh
	Stale  int64 // answered from the store, stale
	Miss   int64 // answered by the origin, which may have confirmed what was stored
	Errors int64 // not answered
	Passed int64 // none of the cache's business, such as other methods

	Loads     Loads // requests to the origin, but for those that passed
	Joined    int64 // misses that were answered by another caller's request
	Rescued   int64 // stale answers in the place of an error
	Confirmed int64 // stored answers that the origin found still good

	Refreshes       int64 // in the background, ended
	RefreshesFailed int64 // of them

	Stored        int64 // answers that were stored or updated
	TooLarge      int64 // answers that were too large to be stored
	Invalidations int64

	Usage
	Incoming int64 // bytes of answers that are coming in to be stored
	Waiting  int64 // callers that wait for the origin now, or for each other's request to it
}

// Loads counts requests to the origin by their outcome.
type Loads struct{ Success, Failure, Overload, Ignored int64 }

// Stats returns the counts. The numbers are each exact, but not of one instant while requests run.
func (c *Cache) Stats() Stats {
	n := &c.counts
	return Stats{
		Fresh: n.fresh.Load(), Stale: n.stale.Load(), Miss: n.miss.Load(), Errors: n.errors.Load(), Passed: n.passed.Load(),
		Loads:  Loads{n.success.Load(), n.failure.Load(), n.overload.Load(), n.ignored.Load()},
		Joined: n.joined.Load(), Rescued: n.rescued.Load(), Confirmed: n.confirmed.Load(),
		RefreshesFailed: n.refreshesFailed.Load(), Refreshes: n.refreshes.Load(),
		Stored: n.stored.Load(), TooLarge: n.tooLarge.Load(), Invalidations: n.invalidations.Load(),
		Usage: c.store.Usage(), Incoming: c.incoming.Load(), Waiting: n.waiting.Load(),
	}
}

// Snapshot returns the Stats in the form of the registry.
func (c *Cache) Snapshot() seawall.Snapshot {
	s := c.Stats()
	return seawall.Snapshot{Kind: kind, Name: c.name, Values: []seawall.Value{
		{Name: "requests.fresh", V: float64(s.Fresh)},
		{Name: "requests.stale", V: float64(s.Stale)},
		{Name: "requests.miss", V: float64(s.Miss)},
		{Name: "requests.error", V: float64(s.Errors)},
		{Name: "passed", V: float64(s.Passed)},
		{Name: "loads.success", V: float64(s.Loads.Success)},
		{Name: "loads.failure", V: float64(s.Loads.Failure)},
		{Name: "loads.overload", V: float64(s.Loads.Overload)},
		{Name: "loads.ignored", V: float64(s.Loads.Ignored)},
		{Name: "joined", V: float64(s.Joined)},
		{Name: "served.stale", V: float64(s.Rescued)},
		{Name: "confirmed", V: float64(s.Confirmed)},
		{Name: "refreshes", V: float64(s.Refreshes)},
		{Name: "refreshes.failed", V: float64(s.RefreshesFailed)},
		{Name: "stored", V: float64(s.Stored)},
		{Name: "too_large", V: float64(s.TooLarge)},
		{Name: "invalidations", V: float64(s.Invalidations)},
		{Name: "entries", V: float64(s.Answers)},
		{Name: "bytes", V: float64(s.Bytes)},
		{Name: "waiting", V: float64(s.Waiting)},
		{Name: "evictions", V: float64(s.Evictions)},
	}}
}

// tellFailed logs that the origin could not be asked while a stale answer stands in: once in a second.
func (c *Cache) tellFailed(ctx context.Context, err error, status int) {
	suppressed, ok := c.counts.failed.Allow()
	if !ok {
		return
	}
	attrs := []slog.Attr{
		slog.String("name", c.name), slog.String("error_type", errtype.Of(err, seawall.Classify(err).Outcome)), slog.Int64("suppressed", suppressed),
	}
	if err == nil {
		attrs = append(attrs, slog.Int("status", status))
	}
	c.cfg.Registry.Log(ctx, slog.LevelWarn, "seawall.cache.load_failed", attrs...)
}
