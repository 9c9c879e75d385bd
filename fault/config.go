package fault

import (
	"fmt"

	"github.com/seawall-go/seawall"
)

// Config sets an [Injector]. The zero value is an injector with an empty plan.
type Config struct {
	// Plan is what goes wrong after Start. Default empty.
	Plan Plan `json:"plan" yaml:"plan"`

	// AllowHeaders lets faults aim by what callers send in headers. Default false: then a plan with such a fault is not
	// valid, because whoever can send a request would choose what goes wrong.
	AllowHeaders bool `json:"allow_headers,omitempty" yaml:"allow_headers,omitempty"`

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
func (c Config) Validate() error {
	if err := c.Plan.Validate(); err != nil {
		return err
	}
	for i, f := range c.Plan.Faults {
		if f.Header != "" && !c.AllowHeaders {
			return fmt.Errorf("fault: plan: faults[%d].header is %s, want none unless Config.AllowHeaders is set",
				i, shorten(f.Header))
		}
	}
	return nil
}

// Equal reports whether two configurations have equal plans, and both allow headers or neither does; functions and
// registry are left aside.
func (c Config) Equal(other Config) bool {
	return c.Plan.Equal(other.Plan) && c.AllowHeaders == other.AllowHeaders
}
