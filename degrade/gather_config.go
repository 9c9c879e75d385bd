package degrade

import (
	"fmt"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/reconfig"
)

// GatherConfig sets a [Gather]. A zero field is its default.
type GatherConfig struct {
	// Parallel is how many sections of one call run at the same time. Default 16; 1 to 1,000, or [AllAtOnce]. With 1
	// they run one after the other.
	Parallel int `json:"parallel" yaml:"parallel"`

	// Registry is where the Gather enters itself, and where its events are logged. Default
	// [seawall.DefaultRegistry]. An Update does not change it.
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// AllAtOnce as GatherConfig.Parallel sets no bound.
const AllAtOnce = -1

func (c GatherConfig) withDefaults() GatherConfig {
	if c.Parallel == 0 {
		c.Parallel = 16
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c GatherConfig) Validate() error {
	if c = c.withDefaults(); c.Parallel != AllAtOnce && (c.Parallel < 1 || c.Parallel > 1000) {
		return fmt.Errorf("degrade: GatherConfig.Parallel is %d, want 1 to 1000, or AllAtOnce", c.Parallel)
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, the registry left aside.
func (c GatherConfig) Equal(other GatherConfig) bool { return len(c.changes(other)) == 0 }

// changes returns the names, as in a file, of the fields that differ in meaning.
func (c GatherConfig) changes(other GatherConfig) (fields reconfig.Fields) {
	fields.Add("parallel", c.withDefaults().Parallel != other.withDefaults().Parallel)
	return fields
}

// Config returns the configuration in force, defaults filled in.
func (g *Gather) Config() GatherConfig { return *g.cfg.Load() }

// Update changes the configuration while calls run. It validates first. A call that runs keeps what it met, and the
// registry stays the one of NewGather. A change is logged as seawall.config.updated.
func (g *Gather) Update(cfg GatherConfig) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	g.mu.Lock()
	old := g.cfg.Load()
	cfg = cfg.withDefaults()
	cfg.Registry = old.Registry
	g.cfg.Store(&cfg)
	g.mu.Unlock()
	reconfig.Updated(cfg.Registry, gatherKind, g.name, old.changes(cfg))
	return nil
}
