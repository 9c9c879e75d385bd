package bulkhead

import (
	"errors"
	"fmt"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/keyed"
)

// GroupConfig sets a [Group]. A zero field is its default. It is data, but for the functions.
type GroupConfig[K comparable] struct {
	// Bulkhead is the configuration of each member. Its Registry is not to be set: it is the group that enters one.
	Bulkhead Config `json:"bulkhead" yaml:"bulkhead"`
	// MaxKeys is how many members there are at the most, beside those that must be kept; see [Bulkhead.Keep]. Default
	// 1000; 1 to 1,000,000. A member takes some two kilobytes. One that is forgotten loses nothing but its counts, and
	// those the group has.
	MaxKeys int `json:"max_keys" yaml:"max_keys"`

	// Label names a key in logs, errors and snapshots, and so in metrics and on debug pages: it is cut to 64 bytes.
	// Default nil: members have the name of the group, and snapshots the sums only, since a key may be a secret or a
	// person. It runs outside of all locks.
	Label func(K) string `json:"-" yaml:"-"`
	// Registry is where the group enters itself, and where the events of its members are logged. Default
	// [seawall.DefaultRegistry]. An Update does not change it.
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

func (c GroupConfig[K]) withDefaults() GroupConfig[K] {
	c.Bulkhead = c.Bulkhead.withDefaults()
	if c.MaxKeys == 0 {
		c.MaxKeys = 1000
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c GroupConfig[K]) Validate() error {
	if err := c.Bulkhead.Validate(); err != nil {
		return fmt.Errorf("bulkhead: GroupConfig.Bulkhead: %w", err)
	}
	switch n := c.withDefaults().MaxKeys; {
	case n < 1 || n > maxLimit:
		return fmt.Errorf("bulkhead: GroupConfig.MaxKeys is %d, want 1 to 1000000", n)
	case c.Bulkhead.Registry != nil:
		return errors.New("bulkhead: GroupConfig.Bulkhead.Registry is set, want nil: the group enters GroupConfig.Registry")
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, their functions and registries left
// aside.
func (c GroupConfig[K]) Equal(other GroupConfig[K]) bool {
	c, other = c.withDefaults(), other.withDefaults()
	return c.Bulkhead.Equal(other.Bulkhead) && c.MaxKeys == other.MaxKeys
}

// member returns the configuration of a member, which enters no registry.
func (c *GroupConfig[K]) member() Config {
	cfg := c.Bulkhead
	cfg.Registry = c.Registry.Detached()
	return cfg
}

// memberName returns the name of the member for a key.
func (c *GroupConfig[K]) memberName(group string, key K) string {
	if c.Label == nil {
		return group
	}
	return keyed.MemberName(group, c.Label(key))
}
