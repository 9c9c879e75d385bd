package cache

import (
	"fmt"

	"github.com/seawall-go/seawall/internal/reconfig"
)

// Config returns the configuration in force, defaults filled in.
func (c *Cache[K, V]) Config() Config[K, V] { return *c.cfg.Load() }

// Equal reports whether two configurations mean the same: their defaults filled in, their functions, layers and registry
// left aside.
func (c Config[K, V]) Equal(other Config[K, V]) bool {
	return len(c.changes(other)) == 0 && len(c.fixed(other)) == 0
}

// changes returns the names, as in a file, of the fields that differ in meaning and that an Update can change.
func (c Config[K, V]) changes(other Config[K, V]) (fields reconfig.Fields) {
	c, other = c.withDefaults(), other.withDefaults()
	fields.Add("ttl", c.TTL != other.TTL)
	fields.Add("jitter", c.Jitter != other.Jitter)
	fields.Add("early_refresh", c.EarlyRefresh != other.EarlyRefresh)
	fields.Add("max_stale", c.MaxStale != other.MaxStale)
	fields.Add("retry_every", c.RetryEvery != other.RetryEvery)
	fields.Add("negative_ttl", c.NegativeTTL != other.NegativeTTL)
	fields.Add("soft", c.Soft != other.Soft)
	fields.Add("hard", c.Hard != other.Hard)
	fields.Add("load_timeout", c.LoadTimeout != other.LoadTimeout)
	fields.Add("max_ttl", c.MaxTTL != other.MaxTTL)
	fields.Add("l2.ttl", c.L2.TTL != other.L2.TTL)
	fields.Add("l2.soft", c.L2.Soft != other.L2.Soft)
	fields.Add("l2.hard", c.L2.Hard != other.L2.Hard)
	fields.Add("l2.compress_over", c.L2.CompressOver != other.L2.CompressOver)
	fields.Add("l2.breaker", !c.L2.Breaker.Equal(other.L2.Breaker))
	fields.Add("peers.limit", c.Peers.Limit != other.Peers.Limit)
	fields.Add("peers.recover_every", c.Peers.RecoverEvery != other.Peers.RecoverEvery)
	fields.Add("peers.queue", c.Peers.Queue != other.Peers.Queue)
	fields.Add("peers.breaker", !c.Peers.Breaker.Equal(other.Peers.Breaker))
	return fields
}

// fixed returns the names of the fields that differ and that an Update cannot change.
func (c Config[K, V]) fixed(other Config[K, V]) (fields reconfig.Fields) {
	c, other = c.withDefaults(), other.withDefaults()
	fields.Add("max_entries", c.MaxEntries != other.MaxEntries)
	fields.Add("max_bytes", c.MaxBytes != other.MaxBytes)
	fields.Add("marks_for", c.MarksFor != other.MarksFor)
	fields.Add("l2.skew", c.L2.Skew != other.L2.Skew)
	return fields
}

// Update changes the times while calls run, for loads and invalidations from now on: an entry keeps the times that it has
// got. It validates first, and changes all or nothing. The bounds, MarksFor and L2.Skew cannot be changed, which is an
// error. A MarksFor of 0 is the one of New; if entries may now live longer than that, it is an error that says so: whoever
// wants to lengthen the times makes the cache with a MarksFor for the longest. Functions, layer, backplane and registry
// stay those of New. A change is logged as seawall.config.updated.
func (c *Cache[K, V]) Update(cfg Config[K, V]) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	c.updating.Lock()
	old := c.cfg.Load()
	if cfg.MarksFor == 0 { // it stays, as long as it is long enough
		longest := cfg.withDefaults().longest()
		if longest > old.MarksFor {
			c.updating.Unlock()
			return fmt.Errorf("cache: Config.MarksFor is %v and cannot be changed, but by the new times an entry may live for %v: "+
				"make the cache with a MarksFor of as much", old.MarksFor, longest)
		}
		cfg.MarksFor = old.MarksFor
	}
	if fields := old.fixed(cfg); len(fields) > 0 {
		c.updating.Unlock()
		return fmt.Errorf("cache: Update cannot change %v: they are those that the cache was made with", fields)
	}
	cfg = cfg.withDefaults()
	cfg.Load, cfg.LoadMany, cfg.Store, cfg.Default = old.Load, old.LoadMany, old.Store, old.Default
	cfg.Size, cfg.Clone, cfg.Codec = old.Size, old.Clone, old.Codec
	cfg.EncodeKey, cfg.DecodeKey, cfg.Registry = old.EncodeKey, old.DecodeKey, old.Registry
	cfg.L2.Layer, cfg.Peers.Backplane = old.L2.Layer, old.Peers.Backplane
	var err error
	if c.second != nil {
		err = c.second.breaker.Update(cfg.L2.Breaker)
	}
	if c.peers != nil && err == nil {
		err = c.peers.breaker.Update(cfg.Peers.Breaker)
	}
	if err == nil {
		c.cfg.Store(&cfg)
	}
	c.updating.Unlock()
	if err == nil {
		reconfig.Updated(cfg.Registry, kind, c.name, old.changes(cfg))
	}
	return err
}
