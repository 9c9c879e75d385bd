package cache

import (
	"context"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// Config sets a [Cache]. The zero value keeps 10,000 entries for a minute each, and nothing else; a zero field is its
// default.
type Config[K comparable, V any] struct {
	// TTL is how long a value is fresh, from the end of its load on. Default 1 min; 1 ms to 10 years. A load may say
	// otherwise for its value ([TTL]).
	TTL time.Duration `json:"ttl" yaml:"ttl"`
	// Jitter is the share of the TTL by which it is shortened at random, so that what was loaded together does not expire
	// together. It never lengthens. Default 0.1; more than 0 to 0.5, or [NoJitter].
	Jitter float64 `json:"jitter" yaml:"jitter"`
	// EarlyRefresh is β of XFetch: how eagerly a hit refreshes a value in the background before it expires. At 1 a
	// value that is asked for all the time is refreshed about δ·ln(rδ) before, with δ the time that a load takes and r the
	// requests a second. Default 1; more than 0 to 100, or [NoEarlyRefresh].
	EarlyRefresh float64 `json:"early_refresh" yaml:"early_refresh"`
	// MaxStale is how long after its TTL a value may be served, marked as stale, while it cannot be loaded. Default 0,
	// which is not at all; up to 10 years. It costs memory only as far as the bounds allow.
	MaxStale time.Duration `json:"max_stale" yaml:"max_stale"`
	// RetryEvery is how long after a failed load the stale value is served without another load. Default 30 s; 1 ms to
	// 24 h. It delays recovery by up to this much, and spares a source that is down. [Cache.Expire] ends it.
	RetryEvery time.Duration `json:"retry_every" yaml:"retry_every"`
	// NegativeTTL is how long it is remembered that the source has no such key ([ErrNotFound]). Default 0, which is not
	// at all; up to 24 h. A key that comes into being is not seen for as long, unless it is put or expired. Keys that
	// callers invent take room as others do.
	NegativeTTL time.Duration `json:"negative_ttl" yaml:"negative_ttl"`

	// Soft is how long a call waits for a load, if a stale value is at hand. Then it takes that, and the load goes on. It
	// is counted from the begin of the load: a load that hangs delays only the first call. Default 0, which is until
	// Hard; otherwise at least 1 µs, which is not to wait at all.
	Soft time.Duration `json:"soft" yaml:"soft"`
	// Hard is how long a call waits for a load at the most. Then it takes the stale value, or ends with a [TimeoutError],
	// and the load goes on. Default LoadTimeout; 1 ms to 1 h.
	Hard time.Duration `json:"hard" yaml:"hard"`
	// LoadTimeout is the deadline of a load's context. Default 30 s; 1 ms to 1 h. A load that ignores its context keeps
	// its key from being loaded, and Close waiting.
	LoadTimeout time.Duration `json:"load_timeout" yaml:"load_timeout"`

	// MaxTTL is the longest TTL that a load may set for its value. Default 24 h, or TTL if that is longer.
	MaxTTL time.Duration `json:"max_ttl" yaml:"max_ttl"`
	// MarksFor is how long an invalidation by tag is remembered: at least as long as the oldest entry may live, which is
	// the longer one of MaxTTL and L2.TTL, and MaxStale. That is its default. No [Cache.Update] can change it, so it bounds
	// the times that an Update may set.
	MarksFor time.Duration `json:"marks_for" yaml:"marks_for"`
	// MaxEntries is how many entries there are at the most, but for those that are being written at this moment. Default
	// 10,000 if MaxBytes is 0, and else no bound of its own; up to 1,000,000,000.
	MaxEntries int `json:"max_entries" yaml:"max_entries"`
	// MaxBytes is how large all entries are together at the most, by Size. Default 0, which is no bound of bytes; up to
	// 2^60, and at least MaxEntries. A value that is larger than all of it is returned and not kept.
	MaxBytes int64 `json:"max_bytes" yaml:"max_bytes"`

	// L2 is a second layer behind the memory of the process.
	L2 L2Config `json:"l2" yaml:"l2"`
	// Peers are other processes, or other caches, with the same data.
	Peers PeersConfig `json:"peers" yaml:"peers"`

	// Load gives the value of a key where a call brings no function of its own: read-through. The rules for it are at
	// [Cache.Get].
	Load func(ctx context.Context, key K) (V, error) `json:"-" yaml:"-"`
	// LoadMany is the same for [Cache.GetMany] and [Cache.Warm].
	LoadMany func(ctx context.Context, keys []K) (map[K]V, error) `json:"-" yaml:"-"`
	// Store writes a value to its source: write-through. See [Cache.Put].
	Store func(ctx context.Context, key K, value V) error `json:"-" yaml:"-"`
	// Default gives a value where a load has failed and there is no copy; err is the load's error. An error of it leaves
	// err to the caller. It is not kept. nil is off.
	Default func(ctx context.Context, key K, err error) (V, error) `json:"-" yaml:"-"`
	// Size is how large an entry is, in bytes; less than 1 is 1. It runs outside of all locks, once for each value. The
	// default looks at the value by reflection, and counts what it points to: take a function of your own for values that
	// share most of what they hold, or for a cache that is mostly written. It is asked if MaxBytes is set.
	Size func(key K, value V) int64 `json:"-" yaml:"-"`
	// Clone copies a value. Whoever asks gets a copy of his own then, and what is put is copied as well. Without it all
	// callers share one value, which none of them may change. It costs each hit what it costs.
	Clone func(V) V `json:"-" yaml:"-"`
	// Codec writes values for the second layer. Default [JSON].
	Codec Codec[V] `json:"-" yaml:"-"`
	// EncodeKey and DecodeKey write keys for the second layer and other processes. Different keys must give different
	// texts. They are required there unless K is a string or an integer.
	EncodeKey func(K) string          `json:"-" yaml:"-"`
	DecodeKey func(string) (K, error) `json:"-" yaml:"-"`
	// Registry is where the cache enters itself, and where its events are logged. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// L2Config sets the second layer of a [Cache]. Without it, or while its breaker is open, the cache works with the memory
// of the process alone.
type L2Config struct {
	// TTL is how long a value is fresh in the layer, which is kept there for MaxStale longer. Default the cache's TTL; no
	// shorter than that. A value that comes from the layer keeps what it has left of it, and at most the cache's TTL.
	TTL time.Duration `json:"ttl" yaml:"ttl"`
	// Soft is how long the layer may take where a stale value is at hand, Hard otherwise. Defaults 100 ms and 1 s; 1 ms
	// to 1 min each. They are deadlines of the context that the layer gets.
	Soft time.Duration `json:"soft" yaml:"soft"`
	Hard time.Duration `json:"hard" yaml:"hard"`
	// CompressOver is the size in bytes from which on encoded values are compressed (DEFLATE). Default 0, which is
	// never.
	CompressOver int `json:"compress_over" yaml:"compress_over"`
	// Skew is how far the clocks of the processes may be apart. Values that were loaded so soon after an invalidation
	// are not taken from the layer. Default 1 s; up to 1 h, or [NoSkew].
	Skew time.Duration `json:"skew" yaml:"skew"`
	// Breaker sets the layer's breaker.
	Breaker breaker.Config `json:"breaker" yaml:"breaker"`

	// Layer is the layer. nil is none.
	Layer Layer `json:"-" yaml:"-"`
}

// PeersConfig sets how a [Cache] tells others what was invalidated.
type PeersConfig struct {
	// Limit is how long the backplane may take to send. Default 1 s; 1 ms to 1 min.
	Limit time.Duration `json:"limit" yaml:"limit"`
	// RecoverEvery is how often it is tried to send what could not be sent, to the layer or the backplane. Default 2 s;
	// 1 ms to 1 h.
	RecoverEvery time.Duration `json:"recover_every" yaml:"recover_every"`
	// Queue is how many keys and tags wait for that at the most. Default 1000; 1 to 1,000,000. If there are more, all of
	// them become one message that expires everything.
	Queue int `json:"queue" yaml:"queue"`
	// Breaker sets the backplane's breaker.
	Breaker breaker.Config `json:"breaker" yaml:"breaker"`

	// Backplane carries the messages. nil is none.
	Backplane Backplane `json:"-" yaml:"-"`
}

const (
	// NoJitter as Config.Jitter gives every value its whole TTL.
	NoJitter = -1.0
	// NoEarlyRefresh as Config.EarlyRefresh loads a value only when it has expired.
	NoEarlyRefresh = -1.0
	// NoSkew as L2Config.Skew is for processes with one clock.
	NoSkew time.Duration = -1
)

const (
	day   = 24 * time.Hour
	years = 3653 * day // ten
)

func (c Config[K, V]) withDefaults() Config[K, V] {
	or := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	or(&c.TTL, time.Minute)
	if c.Jitter == 0 {
		c.Jitter = 0.1
	}
	if c.EarlyRefresh == 0 {
		c.EarlyRefresh = 1
	}
	or(&c.RetryEvery, 30*time.Second)
	or(&c.LoadTimeout, 30*time.Second)
	or(&c.Hard, c.LoadTimeout)
	or(&c.MaxTTL, max(day, c.TTL))
	or(&c.L2.TTL, c.TTL)
	or(&c.MarksFor, c.longest())
	if c.MaxEntries == 0 && c.MaxBytes == 0 {
		c.MaxEntries = 10_000
	}
	or(&c.L2.Soft, 100*time.Millisecond)
	or(&c.L2.Hard, time.Second)
	or(&c.L2.Skew, time.Second)
	or(&c.Peers.Limit, time.Second)
	or(&c.Peers.RecoverEvery, 2*time.Second)
	if c.Peers.Queue == 0 {
		c.Peers.Queue = 1000
	}
	if c.Codec == nil {
		c.Codec = JSON[V]{}
	}
	if c.Size == nil {
		c.Size = sizeOf[K, V]
	}
	if c.EncodeKey == nil && c.DecodeKey == nil {
		c.EncodeKey, c.DecodeKey = plainKeys[K]()
	}
	return c
}

// longest is how long an entry may live.
func (c Config[K, V]) longest() time.Duration { return max(c.MaxTTL, c.L2.TTL) + c.MaxStale }

// shared reports whether anybody but this cache reads its keys.
func (c Config[K, V]) shared() bool { return c.L2.Layer != nil || c.Peers.Backplane != nil }
