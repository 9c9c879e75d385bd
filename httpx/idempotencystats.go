package httpx

import (
	"sync/atomic"

	"github.com/seawall-go/seawall"
)

type idempotencyCounts struct {
	began, replayed, inFlight, conflicts          atomic.Int64
	missing, malformed, unguarded                 atomic.Int64
	freed, leasesLost, bodiesDropped, storeErrors atomic.Int64
}

// IdempotencyStats is what an [Idempotency] has counted. The numbers never decrease, but for Overdue. Each request
// with a key is counted once in New, Replayed, InFlight, Conflict, Malformed, Unguarded or StoreErrors; a request whose
// lease was lost is counted again by what its answer was then.
type IdempotencyStats struct {
	New      int64 // the handler was run
	Replayed int64 // answered from what was kept
	InFlight int64 // 409: the first request was still running
	Conflict int64 // 422: another fingerprint

	Missing   int64 // 400: no key where one is required
	Malformed int64 // 400 or 413: a key that is not understood, or a body that could not be read
	Unguarded int64 // run without the store, by [StoreErrorRun]

	Freed         int64 // those of New that left no answer to keep
	BodiesDropped int64 // answers that were kept without their body
	LeasesLost    int64 // handlers that came back after another owner could begin
	StoreErrors   int64 // calls of the store that failed, did not end in time, or were not begun for 64 others that go on
	Overdue       int64 // calls of the store that go on after their time, at this instant
}

// Stats returns what was counted so far.
func (k *Idempotency) Stats() IdempotencyStats {
	c := &k.counts
	return IdempotencyStats{
		New:           c.began.Load(),
		Replayed:      c.replayed.Load(),
		InFlight:      c.inFlight.Load(),
		Conflict:      c.conflicts.Load(),
		Missing:       c.missing.Load(),
		Malformed:     c.malformed.Load(),
		Unguarded:     c.unguarded.Load(),
		Freed:         c.freed.Load(),
		BodiesDropped: c.bodiesDropped.Load(),
		LeasesLost:    c.leasesLost.Load(),
		StoreErrors:   c.storeErrors.Load(),
		Overdue:       k.overdue.Load(),
	}
}

// Snapshot returns the Stats in the form of the registry. The state is "store_lost" while the store does not answer.
func (k *Idempotency) Snapshot() seawall.Snapshot {
	value := func(name string, n int64) seawall.Value { return seawall.Value{Name: name, V: float64(n)} }
	s := k.Stats()
	state := "ready"
	if k.lost.Load() {
		state = "store_lost"
	}
	return seawall.Snapshot{Kind: idempotencyKind, Name: k.name, State: state, Values: []seawall.Value{
		value("requests.new", s.New),
		value("requests.replayed", s.Replayed),
		value("requests.in_flight", s.InFlight),
		value("requests.conflict", s.Conflict),
		value("missing", s.Missing),
		value("malformed", s.Malformed),
		value("unguarded", s.Unguarded),
		value("freed", s.Freed),
		value("bodies_dropped", s.BodiesDropped),
		value("leases_lost", s.LeasesLost),
		value("store_errors", s.StoreErrors),
		value("overdue", s.Overdue),
	}}
}

var _ seawall.Member = (*Idempotency)(nil)
