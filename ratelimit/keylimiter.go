package ratelimit

import (
	"context"
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/reconfig"
)

var (
	_ seawall.Gate      = (*KeyLimiter[int])(nil)
	_ seawall.Member    = (*KeyLimiter[int])(nil)
	_ seawall.Describer = (*KeyLimiter[int])(nil)
)

// KeyLimiter limits the calls of one key of a [Group]; it is a [seawall.Gate]. Get it by [Group.For]. It is safe for
// concurrent use. It may be held for any time, and does not keep the key from being forgotten: it is about the bucket that
// the key has at the time.
type KeyLimiter[K comparable] struct {
	group   *Group[K]
	key     K
	limiter *Limiter      // nil if it was not there; it may be forgotten by now
	idleAt  time.Duration // reading of mono.Now before which it is not idle; guarded by the group's lock
}

// Do runs op when the key has tokens for it. It returns op's error, or that of Acquire.
func (k *KeyLimiter[K]) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, k, op)
}

// Acquire asks for one call of the key, as [Group.Acquire] does.
func (k *KeyLimiter[K]) Acquire(ctx context.Context) (seawall.Permit, error) {
	if k.limiter == nil {
		return k.group.Acquire(ctx, k.key)
	}
	return k.group.acquire(ctx, k.key, k)
}

// SetMode switches how the calls of this key are limited, as [Limiter.SetMode] does, until the mode or the configuration of
// the group is changed. A key in another mode than its group's is not forgotten, and has a place of MaxKeys. To go back to
// the group's is to set that.
//
// SetMode is logged as seawall.gate.mode_changed. The error says that m is none of the modes, or that there is no room for
// a new key.
func (k *KeyLimiter[K]) SetMode(m seawall.Mode) error {
	if !m.Valid() {
		return fmt.Errorf("ratelimit: no such mode: %v", m)
	}
	old, ok := k.group.setMode(k.key, m)
	if !ok {
		return fmt.Errorf("%v: no room for another key", k)
	}
	reconfig.ModeChanged(k.group.registry, kind, k.Name(), old, m)
	return nil
}

// byHand reports whether the mode of a key was set for it alone. The group's lock is held.
func (k *KeyLimiter[K]) byHand() bool {
	return k.limiter.settings.Load() != k.group.settings.Load().member
}

// current returns the limiter that the key has now, or nil.
func (k *KeyLimiter[K]) current() *Limiter {
	if e := k.group.index.find(k.key); e != nil {
		return e.limiter
	}
	return nil
}

// Config returns the configuration that is in force for the key: that of the group, with the mode of the key.
func (k *KeyLimiter[K]) Config() Config {
	if l := k.current(); l != nil {
		return l.Config()
	}
	return k.group.settings.Load().Limiter
}

// Stats returns the numbers of the key since it is remembered: none, and a full bucket, if it is not.
func (k *KeyLimiter[K]) Stats() Stats {
	if l := k.current(); l != nil {
		return l.Stats()
	}
	cfg := k.group.settings.Load().Limiter
	return Stats{Rate: cfg.Rate, Burst: cfg.Burst, Tokens: float64(cfg.Burst)}
}

// Snapshot returns the mode and the numbers of Stats, for the registry.
func (k *KeyLimiter[K]) Snapshot() seawall.Snapshot {
	return seawall.Snapshot{Kind: kind, Name: k.Name(), Mode: k.Config().Mode, Values: k.Stats().values()}
}

// Name returns the name of the group with the label of the key, such as tenants[acme]: that of the group if there are no
// labels. Rejections have the name of the group.
func (k *KeyLimiter[K]) Name() string { return k.group.settings.Load().memberName(k.group.name, k.key) }

// String returns such as: ratelimit "tenants[acme]".
func (k *KeyLimiter[K]) String() string { return fmt.Sprintf("%s %q", kind, k.Name()) }

// Traits returns the kind, and how long a call may wait.
func (k *KeyLimiter[K]) Traits() seawall.Traits { return k.group.settings.Load().member.traits() }
