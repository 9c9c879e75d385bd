// Package cache keeps values of a slow or unreliable source in memory: fresh for a time, loaded once for all who ask, and
// stale rather than gone while the source is down.
//
//	var products = cache.New("products", cache.Config[string, Product]{
//		TTL: time.Minute, MaxStale: time.Hour, MaxBytes: 64 << 20,
//	})
//
//	p, err := products.Get(ctx, sku, catalog.Product) // func(context.Context, string) (Product, error)
//
// # Forms
//
// Cache-aside: [Cache.Get] and [Cache.Lookup] with a function that loads, and [Cache.GetMany] with one for all keys that
// are missing. Read-through: Config.Load and LoadMany. Write-through: [Cache.Put] with Config.Store. Event-driven:
// [Cache.Expire] and [Cache.Remove] by key, [Cache.ExpireTags] and [Cache.RemoveTags] by tag, which reach the second
// layer and the other processes. There is no write-behind: what a crash loses must not have been confirmed.
//
// # Freshness
//
// A value is fresh for its TTL, from the end of its load on, less a jitter that spreads expiries. Before that ends, hits
// refresh it in the background, one load at a time, the earlier the longer loads take and the more hits there are (XFetch:
// A. Vattani, F. Chierichetti and K. Lowenstein, VLDB 2015). There are no timers: what nobody asks for is not loaded.
//
// A load may describe its value by [Describe]: another TTL, tags, a validator such as an ETag, with which the next load
// may find that nothing has changed and return [NotModified].
//
// # When the source is down
//
// With Config.MaxStale a load that fails is answered by the copy, for as long after its TTL, marked: [Result] says so, the
// [seawall.Record] of the call, the counts and the snapshot, whose state health reads. After a failure the copy is served
// for RetryEvery without another load, which moves nothing but the next load. Soft is how long a call waits for a load if
// there is a copy, Hard how long in any case; what takes longer goes on in the background and is kept. [ErrNotFound] and
// [Final] errors are answers: no copy covers them.
//
// Errors are never kept. That there is no such key is kept for NegativeTTL, if that is set.
//
// # Several processes
//
// A [Layer] is a second layer, shared by processes, with limits of time and a breaker of its own; while it is open the
// memory of the process works alone, and says so. A [Backplane] tells the others which keys and tags are not right any
// more; it carries no values. What neither takes waits in a bounded queue, the last change of each key, and is sent when
// they are back. After a gap in the messages everything that may have been missed is expired: reloaded by who asks for
// it, and still there should that fail.
//
// A tag, and everything, is invalidated by a mark: an entry that is older than the mark is expired when somebody looks at
// it. In one process older means a lower number; between processes it means an earlier wall clock, less L2Config.Skew.
//
// Two writers of one key in different processes are not ordered by the cache: the last message wins. Nor does it make
// loads of different processes one.
//
// # Memory
//
// The store is github.com/maypok86/otter, which also chooses what is evicted, by frequency and recency. It is bounded by
// entries, by bytes, or by both: then an entry weighs at least its share of the bytes. Values are shared by all callers
// unless Config.Clone copies them.
package cache
