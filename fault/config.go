package fault

import "github.com/seawall-go/seawall"

// Config sets an [Injector]. The zero value is an injector with an empty plan.
type Config struct {
	// Plan is what goes wrong after Start. Default empty.
	Plan Plan `json:"plan" yaml:"plan"`

	// OnChange is told of every start and end of a fault, in order and one at a time, outside of all locks, when the
	// points feel it already. It runs in the goroutine of a timer or in that of Start or Stop, so it should be short:
	// events queue behind it, faults do not. It may call the injector. A panic in it is logged and goes no further. nil
	// is off.
	OnChange func(Event) `json:"-" yaml:"-"`
	// Registry is where the injector enters itself, and where its events are logged. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Validate returns an error that names what is out of its range; see [Plan.Validate].
func (c Config) Validate() error { return c.Plan.Validate() }

// Equal reports whether two configurations have equal plans; functions and registry are left aside.
func (c Config) Equal(other Config) bool { return c.Plan.Equal(other.Plan) }
