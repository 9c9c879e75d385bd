package ratelimit

import (
	"fmt"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/keyed"
	"github.com/seawall-go/seawall/internal/reconfig"
)

// GroupConfig sets a [Group]. A zero field is its default. It is data, but for the functions.
type GroupConfig[K comparable] struct {
	// Limiter is the limit of each key. Its Rate has no default, and its Registry is not to be set: it is the group that
	// enters one. Its Mode is that of the group.
	Limiter Config `json:"limiter" yaml:"limiter"`
	// MaxKeys is how many keys are remembered at the most. Default 10,000; 1 to 10,000,000. It should exceed the number of
	// keys that call within Burst/Rate seconds, or honest new ones are rejected. A key costs some 500 bytes.
	MaxKeys int `json:"max_keys" yaml:"max_keys"`

	// Label names a key in snapshots, and so in metrics and on debug pages, where its mode can be set: it is cut to 64
	// bytes. Default nil: keys have the name of the group, and snapshots the sums only, since a key may be a secret or a
	// person. It runs under no lock.
	Label func(K) string `json:"-" yaml:"-"`
	// Registry is where the group enters itself, and where its events are logged. Default [seawall.DefaultRegistry]. An
	// Update does not change it.
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

const maxMaxKeys = 10_000_000

func (c GroupConfig[K]) withDefaults() GroupConfig[K] {
	c.Limiter = c.Limiter.withDefaults()
	if c.MaxKeys == 0 {
		c.MaxKeys = 10_000
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default,
// but for Limiter.Rate.
func (c GroupConfig[K]) Validate() error {
	if err := c.Limiter.Validate(); err != nil {
		return fmt.Errorf("ratelimit: GroupConfig.Limiter: %w", err)
	}
	switch c := c.withDefaults(); {
	case c.MaxKeys < 1 || c.MaxKeys > maxMaxKeys:
		return fmt.Errorf("ratelimit: GroupConfig.MaxKeys is %d, want 1 to 10000000", c.MaxKeys)
	case c.Limiter.Registry != nil:
		return fmt.Errorf("ratelimit: GroupConfig.Limiter.Registry is set, want nil: the group enters GroupConfig.Registry")
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, the registry left aside. Of functions
// it compares only whether there is one.
func (c GroupConfig[K]) Equal(other GroupConfig[K]) bool { return len(c.changes(other)) == 0 }

// changes returns the names, as in a file, of the fields that differ in meaning.
func (c GroupConfig[K]) changes(other GroupConfig[K]) (fields reconfig.Fields) {
	c, other = c.withDefaults(), other.withDefaults()
	for _, field := range c.Limiter.changes(other.Limiter) {
		fields.Add("limiter."+field, true)
	}
	fields.Add("max_keys", c.MaxKeys != other.MaxKeys)
	fields.Add("label", (c.Label == nil) != (other.Label == nil))
	return fields
}

// memberName returns the name of a key.
func (c *GroupConfig[K]) memberName(group string, key K) string {
	if c.Label == nil {
		return group
	}
	return keyed.MemberName(group, c.Label(key))
}
