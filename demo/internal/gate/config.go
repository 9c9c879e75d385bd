package gate

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall/demo/internal/draw"
)

// Config sets a [Gate]. A zero field is its default; the defaults are those of the box office's inventory.
type Config struct {
	// Workers is how many requests are served at once. Default 8; 1 to 10,000. The gate serves Workers/Mean requests
	// per second.
	Workers int `json:"workers" yaml:"workers"`
	// Mean is the mean service time. Default 40 ms; 1 µs to 1 min. It has to be well above the time that the real work
	// takes: see [Stats.Short].
	Mean time.Duration `json:"mean" yaml:"mean"`
	// Sigma is the standard deviation of the service time's logarithm. Default 0.5, with which one request in a hundred
	// takes more than 2.8 times the mean; up to 3, or [NoSpread].
	Sigma float64 `json:"sigma" yaml:"sigma"`

	// Draws is where service times come from, by the stream "service/" and the gate's name. Default the source of seed
	// 0. Gates with equal names and sources give equal keys equal service times.
	Draws draw.Source `json:"-" yaml:"-"`
	// Fault slows the workers down and takes some of them away. Nil is no fault.
	Fault Fault `json:"-" yaml:"-"`
}

// NoSpread as a Config.Sigma makes every service time equal to the mean.
const NoSpread = -1

// Fault is what a gate asks before each service: a *fault.Point of package fault is one. Both methods are called often
// and concurrently, and must not block.
type Fault interface {
	// Slow is what service times are multiplied by, 1 or more.
	Slow() float64
	// Capacity is the share of the workers that is left, above 0 and at most 1.
	Capacity() float64
}

const (
	maxWorkers = 10_000
	minMean    = time.Microsecond
	maxMean    = time.Minute
	maxSigma   = 3
)

// noFault is the absence of faults.
type noFault struct{}

func (noFault) Slow() float64     { return 1 }
func (noFault) Capacity() float64 { return 1 }

func (c Config) withDefaults() Config {
	if c.Workers == 0 {
		c.Workers = 8
	}
	if c.Mean == 0 {
		c.Mean = 40 * time.Millisecond
	}
	if c.Sigma == 0 {
		c.Sigma = 0.5
	}
	if c.Fault == nil {
		c.Fault = noFault{}
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c Config) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("gate: Config.%s is %v, want %s", field, value, want)
	}
	switch c = c.withDefaults(); {
	case c.Workers < 1 || c.Workers > maxWorkers:
		return bad("Workers", c.Workers, "1 to 10000")
	case c.Mean < minMean || c.Mean > maxMean:
		return bad("Mean", c.Mean, "1µs to 1m")
	case c.Sigma != NoSpread && !(c.Sigma > 0 && c.Sigma <= maxSigma): // NaN is neither
		return bad("Sigma", c.Sigma, "above 0 and at most 3, or NoSpread")
	}
	return nil
}
