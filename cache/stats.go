package cache

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/errtype"
	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/internal/mono"
)

// stripes is how many counters share the hits: goroutines that run at once mostly use different lines of memory.
const stripes = 16

type counts struct {
	_    [64]byte
	hits [stripes]struct {
		n atomic.Int64
		_ [56]byte
	}
	misses atomic.Int64
	used   atomic.Int64 // weight of all entries, or their number

	negative, errors, defaults, joined    atomic.Int64
	staleBy                               [len(whys)]atomic.Int64
	loads                                 [loadOutcomes]atomic.Int64
	softTimeouts, hardTimeouts, early     atomic.Int64
	evictions, tooLarge, expired, removed atomic.Int64
	encodeErrors                          atomic.Int64
}

// hit counts a fresh answer.
func (n *counts) hit() { n.hits[stripe()].n.Add(1) }

// stripe returns the same number for a goroutine again and again: stacks lie apart, so the address of what is on one
// tells them from each other without a lock or a draw.
func stripe() uint32 {
	var here byte
	page := uint32(uintptr(unsafe.Pointer(&here)) >> 12)
	return page * 0x9E3779B9 >> 28 // the golden ratio spreads neighbours; the upper 4 bits are below stripes
}

func (n *counts) served(why Why) { n.staleBy[slices.Index(whys[:], why)].Add(1) }

// loadOutcome is how a load ended.
type loadOutcome uint8

const (
	loadedWell loadOutcome = iota
	notModifiedLoad
	notFoundLoad
	failedLoad
	panickedLoad
	loadOutcomes
)

// Stats are the counts since [New], and what there is now. A call for one key is counted once, as Fresh, Stale,
// Negative, Missed, Defaults or Errors.
type Stats struct {
	Fresh    int64 // answers from a copy within its time to live
	Stale    Served
	Negative int64 // answers that there is no such key, loaded or remembered
	Missed   int64 // answers that were loaded, or came from the second layer
	Defaults int64 // answers of Config.Default
	Errors   int64 // calls that ended with an error, but for ErrNotFound

	Loads        Loads
	Joined       int64 // calls that waited for the load of another one
	Early        int64 // loads that began before the expiry, in the background
	SoftTimeouts int64
	HardTimeouts int64

	Entries   int   // now
	Bytes     int64 // now; 0 without Config.MaxBytes
	Marks     int   // tags and keys whose invalidation is remembered
	Evictions int64 // entries that had to make room
	TooLarge  int64 // values that were too large to be kept
	Expired   int64 // keys and tags that were expired by this process
	Removed   int64 // keys and tags that were removed by this process

	L2       L2Stats
	Messages Messages
	Recovery Recovery
}

// Served are the answers past their time to live, by [Why].
type Served struct {
	LoadFailed, RetryLater, SoftTimeout, HardTimeout, OutOfTime, NoLoad, AsFallback int64
}

// Total returns their sum.
func (s Served) Total() int64 {
	return s.LoadFailed + s.RetryLater + s.SoftTimeout + s.HardTimeout + s.OutOfTime + s.NoLoad + s.AsFallback
}

// Loads are the loads of single keys by how they ended.
type Loads struct{ Succeeded, NotModified, NotFound, Failed, Panicked int64 }

// L2Stats are the counts of the second layer.
type L2Stats struct {
	Hits, Misses int64 // values that were fresh there, and others
	Writes       int64
	Errors       int64 // calls that failed
	Skipped      int64 // calls that were not made, because its breaker is open
	Corrupt      int64 // payloads of another version or codec, or damaged: misses
	EncodeErrors int64 // values that the codec refused
	Open         bool  // its breaker is open, or half-open
}

// Messages are the counts of the backplane.
type Messages struct {
	Sent, Received int64
	Lost           int64 // tries to send that failed; each is made again
	Echoes         int64 // own messages
	Unreadable     int64 // messages of another version: each is a gap
	Gaps           int64
	Listening      bool // there is a subscription
}

// Recovery is what waits for the second layer or the backplane.
type Recovery struct {
	Waiting   int   // now
	Recovered int64 // changes that were taken late
	Folded    int64 // changes that were too many, and became one of everything
}

// Stats returns the counts.
func (c *Cache[K, V]) Stats() Stats {
	n := &c.counts
	s := Stats{
		Stale: Served{
			n.staleBy[0].Load(), n.staleBy[1].Load(), n.staleBy[2].Load(), n.staleBy[3].Load(), n.staleBy[4].Load(),
			n.staleBy[5].Load(), n.staleBy[6].Load(),
		},
		Negative: n.negative.Load(), Missed: n.misses.Load(), Defaults: n.defaults.Load(), Errors: n.errors.Load(),
		Loads: Loads{
			Succeeded: n.loads[loadedWell].Load(), NotModified: n.loads[notModifiedLoad].Load(),
			NotFound: n.loads[notFoundLoad].Load(), Failed: n.loads[failedLoad].Load(), Panicked: n.loads[panickedLoad].Load(),
		},
		Joined: n.joined.Load(), Early: n.early.Load(),
		SoftTimeouts: n.softTimeouts.Load(), HardTimeouts: n.hardTimeouts.Load(),
		Entries: c.Len(), Bytes: c.Bytes(), Marks: c.marks.len(),
		Evictions: n.evictions.Load(), TooLarge: n.tooLarge.Load(), Expired: n.expired.Load(), Removed: n.removed.Load(),
		Recovery: Recovery{
			Waiting: c.recovery.len(), Recovered: c.recovery.recovered.Load(), Folded: c.recovery.folded.Load(),
		},
	}
	for i := range n.hits {
		s.Fresh += n.hits[i].n.Load()
	}
	if l := c.second; l != nil {
		s.L2 = L2Stats{
			Hits: l.counts.hits.Load(), Misses: l.counts.misses.Load(), Writes: l.counts.writes.Load(),
			Errors: l.counts.errors.Load(), Skipped: l.counts.skipped.Load(), Corrupt: l.counts.corrupt.Load(),
			EncodeErrors: n.encodeErrors.Load(), Open: isOpen(l.breaker),
		}
	}
	if p := c.peers; p != nil {
		s.Messages = Messages{
			Sent: p.sent.Load(), Received: p.received.Load(), Lost: p.lost.Load(), Echoes: p.echoes.Load(),
			Unreadable: p.unreadable.Load(), Gaps: p.gaps.Load(), Listening: p.listening(),
		}
	}
	return s
}

func isOpen(b *breaker.Breaker) bool {
	state := b.State()
	return state == breaker.Open || state == breaker.HalfOpen
}

// Snapshot returns the Stats in the form of the registry. The state is what health should know, the worst first:
// "stale" while answers are not the source's, which is until RetryEvery after the last one; "l2_lost" while the breaker
// of the second layer is open; "backplane_lost" while messages wait or nobody listens; else "ok".
func (c *Cache[K, V]) Snapshot() seawall.Snapshot {
	s := c.Stats()
	values := []seawall.Value{
		{Name: "requests.fresh", V: float64(s.Fresh)},
		{Name: "requests.stale", V: float64(s.Stale.Total())},
		{Name: "requests.miss", V: float64(s.Missed + s.Negative)},
		{Name: "requests.error", V: float64(s.Errors)},
		{Name: "requests.default", V: float64(s.Defaults)},
		{Name: "negative", V: float64(s.Negative)},
		{Name: "loads.success", V: float64(s.Loads.Succeeded + s.Loads.NotModified + s.Loads.NotFound)},
		{Name: "loads.failure", V: float64(s.Loads.Failed + s.Loads.Panicked)},
		{Name: "joined", V: float64(s.Joined)},
		{Name: "loads.early", V: float64(s.Early)},
		{Name: "timeouts.soft", V: float64(s.SoftTimeouts)},
		{Name: "timeouts.hard", V: float64(s.HardTimeouts)},
		{Name: "entries", V: float64(s.Entries)},
		{Name: "bytes", V: float64(s.Bytes)},
		{Name: "evictions", V: float64(s.Evictions)},
		{Name: "too_large", V: float64(s.TooLarge)},
		{Name: "served.stale", V: float64(s.Stale.Total())},
		{Name: "served.static", V: float64(s.Defaults)},
	}
	if c.second != nil {
		values = append(values,
			seawall.Value{Name: "l2.hits", V: float64(s.L2.Hits)},
			seawall.Value{Name: "l2.misses", V: float64(s.L2.Misses)},
			seawall.Value{Name: "l2.errors", V: float64(s.L2.Errors)},
			seawall.Value{Name: "l2.skipped", V: float64(s.L2.Skipped)},
			seawall.Value{Name: "l2.corrupt", V: float64(s.L2.Corrupt)})
	}
	if c.peers != nil {
		values = append(values,
			seawall.Value{Name: "messages.sent", V: float64(s.Messages.Sent)},
			seawall.Value{Name: "messages.received", V: float64(s.Messages.Received)},
			seawall.Value{Name: "messages.lost", V: float64(s.Messages.Lost)},
			seawall.Value{Name: "messages.gaps", V: float64(s.Messages.Gaps)})
	}
	if c.second != nil || c.peers != nil {
		values = append(values, seawall.Value{Name: "recovery.waiting", V: float64(s.Recovery.Waiting)})
	}
	return seawall.Snapshot{Kind: kind, Name: c.name, State: c.state(s), Values: values}
}

func (c *Cache[K, V]) state(s Stats) string {
	recently := mono.Now() - time.Duration(c.degraded.Load())
	switch {
	case c.everDegraded.Load() && recently <= c.cfg.Load().RetryEvery:
		return "stale"
	case s.L2.Open:
		return "l2_lost"
	case c.peers != nil && (!s.Messages.Listening || s.Recovery.Waiting > 0):
		return "backplane_lost"
	}
	return "ok"
}

// hit counts a call that a fresh copy answers, and tells its record.
func (c *Cache[K, V]) hit(ctx context.Context) {
	c.counts.hit()
	seawall.RecordOf(ctx).NoteCache(seawall.CacheFresh)
}

func (c *Cache[K, V]) missed(ctx context.Context) {
	c.counts.misses.Add(1)
	seawall.RecordOf(ctx).NoteCache(seawall.CacheMiss)
}

func (c *Cache[K, V]) negative(ctx context.Context) {
	c.counts.negative.Add(1)
	seawall.RecordOf(ctx).NoteCache(seawall.CacheMiss)
}

func (c *Cache[K, V]) failed(ctx context.Context) {
	c.counts.errors.Add(1)
	seawall.RecordOf(ctx).NoteCache(seawall.CacheError)
}

// countLoad counts how a load ended.
func (c *Cache[K, V]) countLoad(f *flight[V]) {
	switch {
	case f.promoted || errors.Is(f.err, ErrNoLoad):
	case f.panicked != nil:
		c.counts.loads[panickedLoad].Add(1)
	case f.same:
		c.counts.loads[notModifiedLoad].Add(1)
	case f.err == nil:
		c.counts.loads[loadedWell].Add(1)
	case errors.Is(f.err, ErrNotFound):
		c.counts.loads[notFoundLoad].Add(1)
	default:
		c.counts.loads[failedLoad].Add(1)
	}
}

// tellFailure logs a load that failed, as seawall.cache.load_failed at WARN with name, the type of its error out of the closed list,
// and how many were suppressed.
func (c *Cache[K, V]) tellFailure(ctx context.Context, cfg *Config[K, V], f *flight[V]) {
	if f.err == nil || errors.Is(f.err, ErrNotFound) || errors.Is(f.err, ErrNoLoad) {
		return
	}
	suppressed, tell := c.failures.Allow()
	if !tell {
		return
	}
	events.Shield(cfg.Registry.Logger(), kind, c.name, func() {
		cfg.Registry.Log(ctx, slog.LevelWarn, "seawall.cache.load_failed", slog.String("name", c.name),
			slog.String("error_type", errtype.Of(f.err, seawall.Classify(f.err).Outcome)), slog.Int64("suppressed", suppressed))
	})
}
