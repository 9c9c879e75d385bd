package ratelimit

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/reconfig"
)

// Config sets a [Limiter]. A zero field is its default, but for Rate, which has none. It is data, but for Weight.
type Config struct {
	// Rate is how many tokens the bucket gains in a second; a call takes one unless Weight says otherwise. There is no
	// default, since only the author knows it; 0.00001 (one in 28 hours) to 1,000,000,000, or [Unlimited].
	Rate float64 `json:"rate" yaml:"rate"`
	// Burst is how many tokens the bucket holds: how many calls may start at one instant after a pause. Default what
	// comes in 100 ms, at least 1: a stall of the program that long then costs no throughput, and no dependency sees a
	// second's worth of calls at once. 1 to 1,000,000. Without effect if Rate is Unlimited.
	Burst int `json:"burst" yaml:"burst"`
	// MaxWait is how long a call waits for its tokens at the most; less if its deadline is nearer. Default [NoWait]; 1 ms
	// to 1 h. Waiting turns a rejection into latency: it is for callers that have the time, such as a batch.
	MaxWait time.Duration `json:"max_wait" yaml:"max_wait"`
	// MaxWaiting is how many calls wait at the most. Default 1000; 1 to 1,000,000. Each one holds a goroutine and what
	// its request holds. Without effect if MaxWait is NoWait.
	MaxWaiting int `json:"max_waiting" yaml:"max_waiting"`
	// Mode is how the limiter acts on its judgement. Default [seawall.Enforce]. See [Limiter.SetMode].
	Mode seawall.Mode `json:"mode" yaml:"mode"`

	// Weight says how many tokens a call takes. Default nil: one each. What is below 1 counts as 1. A call that weighs
	// more than Burst can never be served, and is rejected without a retry-after. It runs under no lock, once for
	// a call, and again if an Update comes between or a Group has to make the bucket anew.
	Weight func(ctx context.Context) int `json:"-" yaml:"-"`
	// Registry is where the limiter enters itself, and where its events are logged. Default
	// [seawall.DefaultRegistry]. An Update does not change it.
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

const (
	// Unlimited as a Config.Rate lets every call in and counts it.
	Unlimited = -1
	// NoWait as a Config.MaxWait rejects a call at once that finds too few tokens.
	NoWait time.Duration = -1
)

const (
	minRate       = 1e-5
	maxRate       = 1e9
	maxBurst      = 1_000_000 // as millitokens it fits 32 bits
	minMaxWait    = time.Millisecond
	maxMaxWait    = time.Hour
	maxMaxWaiting = 1_000_000
)

func (c Config) withDefaults() Config {
	if c.Burst == 0 {
		// The bounds also hold for a Rate that is out of its range.
		c.Burst = int(max(1, min(math.Ceil(c.Rate/10), maxBurst)))
	}
	if c.MaxWait == 0 {
		c.MaxWait = NoWait
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = 1000
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default,
// but for Rate.
func (c Config) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("ratelimit: Config.%s is %v, want %s", field, value, want)
	}
	if !(c.Rate >= minRate && c.Rate <= maxRate) && c.Rate != Unlimited { // NaN compares to nothing
		return bad("Rate", c.Rate, "0.00001 to 1000000000 per second, or Unlimited; it has no default")
	}
	switch c = c.withDefaults(); {
	case c.Burst < 1 || c.Burst > maxBurst:
		return bad("Burst", c.Burst, "1 to 1000000")
	case c.MaxWait != NoWait && (c.MaxWait < minMaxWait || c.MaxWait > maxMaxWait):
		return bad("MaxWait", c.MaxWait, "1ms to 1h, or NoWait")
	case c.MaxWaiting < 1 || c.MaxWaiting > maxMaxWaiting:
		return bad("MaxWaiting", c.MaxWaiting, "1 to 1000000")
	case !c.Mode.Valid():
		return bad("Mode", c.Mode, "one of the modes of package seawall")
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, the registry left aside. Of Weight it
// compares only whether there is one.
func (c Config) Equal(other Config) bool { return len(c.changes(other)) == 0 }

// changes returns the names, as in a file, of the fields that differ in meaning.
func (c Config) changes(other Config) (fields reconfig.Fields) {
	c, other = c.withDefaults(), other.withDefaults()
	fields.Add("rate", c.Rate != other.Rate)
	fields.Add("burst", c.Burst != other.Burst)
	fields.Add("max_wait", c.MaxWait != other.MaxWait)
	fields.Add("max_waiting", c.MaxWaiting != other.MaxWaiting)
	fields.Add("weight", (c.Weight == nil) != (other.Weight == nil))
	fields.Add("mode", c.Mode != other.Mode)
	return fields
}

// traits is with the defaults filled in.
func (c *Config) traits() seawall.Traits {
	return seawall.Traits{Kind: kind, Wait: max(0, c.MaxWait)} // NoWait is below 0
}

// weigh returns the tokens that a call takes.
func (c *Config) weigh(ctx context.Context) int {
	if c.Weight == nil {
		return 1
	}
	return max(1, c.Weight(ctx))
}
