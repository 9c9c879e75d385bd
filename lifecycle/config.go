package lifecycle

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/health"
)

// Config sets [Run]. A zero field is its default.
type Config struct {
	// Health is drained at the signal, and stopped at the end. Run starts it. nil if the program has none.
	Health *health.Health `json:"-" yaml:"-"`
	// DrainDelay is how long servers go on serving after the signal. Default 5 s; up to 1 h, or [NoDelay]. It is to be
	// longer than it takes the load balancer to notice that readiness fails: interval times threshold of its probe.
	DrainDelay time.Duration `json:"drain_delay" yaml:"drain_delay"`
	// StopTimeout is when, after the signal, what has not ended is cut off. Default 25 s, which leaves something of the
	// 30 s after which Kubernetes kills; longer than DrainDelay, and up to 24 h.
	StopTimeout time.Duration `json:"stop_timeout" yaml:"stop_timeout"`
	// FlushTimeout is how long the flush at the end may take. Default 2 s; 1 ms to 1 h.
	FlushTimeout time.Duration `json:"flush_timeout" yaml:"flush_timeout"`
	// Signals begin the end. Default SIGTERM and SIGINT; an empty list is none.
	Signals []os.Signal `json:"-" yaml:"-"`
	// Registry is where the events are logged. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// NoDelay as DrainDelay stops the servers at once: for programs that no load balancer sends to.
const NoDelay = -1

func (c Config) withDefaults() Config {
	if c.DrainDelay == 0 {
		c.DrainDelay = 5 * time.Second
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = 25 * time.Second
	}
	if c.FlushTimeout == 0 {
		c.FlushTimeout = 2 * time.Second
	}
	if c.Signals == nil {
		c.Signals = []os.Signal{syscall.SIGTERM, os.Interrupt}
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c Config) Validate() error {
	if c.DrainDelay != NoDelay && (c.DrainDelay < 0 || c.DrainDelay > time.Hour) {
		return fmt.Errorf("lifecycle: Config.DrainDelay is %v, want up to 1h, or NoDelay", c.DrainDelay)
	}
	if c.FlushTimeout != 0 && (c.FlushTimeout < time.Millisecond || c.FlushTimeout > time.Hour) {
		return fmt.Errorf("lifecycle: Config.FlushTimeout is %v, want 1ms to 1h", c.FlushTimeout)
	}
	full := c.withDefaults()
	if c.DrainDelay == 0 && full.StopTimeout > 0 && full.StopTimeout <= full.DrainDelay {
		return fmt.Errorf("lifecycle: Config.StopTimeout is %v, want more than DrainDelay, which is %v by default: "+
			"set that as well, or to NoDelay",
			full.StopTimeout, full.DrainDelay)
	}
	if full.StopTimeout <= full.DrainDelay || full.StopTimeout > 24*time.Hour {
		return fmt.Errorf("lifecycle: Config.StopTimeout is %v, want more than DrainDelay, which is %v, and at most 24h",
			full.StopTimeout, full.DrainDelay)
	}
	return nil
}
