package timeout

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
)

// Off as Config.Limit sets no limit.
const Off time.Duration = -1

// Config sets a [Timeout]. A zero field is its default.
type Config struct {
	// Limit is the longest time that a call may take. Default 10 s; at least 1 ns, or [Off]. Choose it from the
	// dependency's latency: so long that a healthy call hardly ever meets it, so short that a sick one is worth giving
	// up. Above the callers' own deadlines it has no effect.
	Limit time.Duration `json:"limit" yaml:"limit"`

	// Registry is where the Timeout enters itself. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

func (c Config) withDefaults() Config {
	if c.Limit == 0 {
		c.Limit = 10 * time.Second
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c Config) Validate() error {
	if c.Limit < 0 && c.Limit != Off {
		return fmt.Errorf("timeout: Config.Limit is %v, want at least 1ns, or Off", c.Limit)
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, their registry left aside.
func (c Config) Equal(other Config) bool { return c.withDefaults().Limit == other.withDefaults().Limit }

// settings is a Config made ready for the path of a call.
type settings struct {
	Config
	exceeded *ExceededError // the cause at the limit
	expired  *standard      // what contexts are from the limit on, unless somebody had asked for Done
}

func newSettings(name string, cfg Config) *settings {
	s := &settings{Config: cfg.withDefaults()}
	s.exceeded = &ExceededError{Name: name, Limit: s.Limit}
	s.expired = expiredContext(s.exceeded)
	return s
}
