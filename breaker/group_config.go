package breaker

import (
	"errors"
	"fmt"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/keyed"
)

// GroupConfig sets a [Group]. A zero field is its default. It is data, but for the functions.
type GroupConfig[K comparable] struct {
	// Breaker is the configuration of each member. Its Registry is not to be set: it is the group that enters one.
	Breaker Config `json:"breaker" yaml:"breaker"`
	// MaxKeys is how many members there are at the most, beside those that must be kept; see [Breaker.Keep]. Default
	// 1000; 1 to 1,000,000. A member takes some four kilobytes, and four bytes for each of Window.Calls. If it is less
	// than the number of keys in use, breakers are forgotten before they have learned anything.
	MaxKeys int `json:"max_keys" yaml:"max_keys"`

	// Label names a key in logs and snapshots, and so in metrics and on debug pages: it is cut to 64 bytes. Default
	// nil: members have the name of the group, and snapshots the sums only, since a key may be a secret or a person. It
	// runs outside of all locks.
	Label func(K) string `json:"-" yaml:"-"`
	// Registry is where the group enters itself, and where the events of its members are logged. Default
	// [seawall.DefaultRegistry]. An Update does not change it.
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

func (c GroupConfig[K]) withDefaults() GroupConfig[K] {
	c.Breaker = c.Breaker.withDefaults()
	if c.MaxKeys == 0 {
		c.MaxKeys = 1000
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c GroupConfig[K]) Validate() error {
	if err := c.Breaker.Validate(); err != nil {
		return fmt.Errorf("breaker: GroupConfig.Breaker: %w", err)
	}
	switch n := c.withDefaults().MaxKeys; {
	case n < 1 || n > million:
		return fmt.Errorf("breaker: GroupConfig.MaxKeys is %d, want 1 to 1000000", n)
	case c.Breaker.Registry != nil:
		return errors.New("breaker: GroupConfig.Breaker.Registry is set, want nil: the group enters GroupConfig.Registry")
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, their functions and registries left
// aside.
func (c GroupConfig[K]) Equal(other GroupConfig[K]) bool {
	c, other = c.withDefaults(), other.withDefaults()
	return c.Breaker.Equal(other.Breaker) && c.MaxKeys == other.MaxKeys
}

// memberName returns the name of the member for a key.
func (c GroupConfig[K]) memberName(group string, key K) string {
	if c.Label == nil {
		return group
	}
	return keyed.MemberName(group, c.Label(key))
}
