package scene

import (
	"math"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/fault"
)

// The modelled capacity of inventory: 8 workers with a mean service time of 40 ms.
const inventoryCapacity = 8 / 0.040

// Inventory is the name at which faults aim at the inventory of an arm.
const Inventory = "inventory"

// ordinary is the rate of arrivals at which a mix puts inventory at 70 % of its capacity. The catalogue does not ask
// it.
func ordinary(m load.Mix) float64 {
	return math.Round(0.70 * inventoryCapacity / (m.SeatMap + m.Hold))
}

// All returns the scenes, in the order of the tour.
func All() []Scene { return []Scene{brownout(), retrystorm()} }

// tour is what is played when nothing is asked for.
var tour = []string{"brownout", "retrystorm"}

func brownout() Scene {
	const from, to, length = 8 * time.Second, 20 * time.Second, 30 * time.Second
	mix := load.DefaultMix()
	return Scene{
		Name:       "brownout",
		Hypothesis: "seat-map reads stay good while inventory is 40 times slower",
		Length:     length,
		Rate:       ordinary(mix),
		Mix:        mix,
		Plan: fault.Plan{Faults: []fault.Fault{
			{At: from, For: to - from, Kind: fault.Slow, Target: Inventory, Factor: 40},
		}},
		SLO:           measure.DefaultSLO(),
		Recover:       10 * time.Second,
		RecoverWindow: measure.RecoveredWindow,
		Rule: []Check{
			{Measure: Goodput, Kinds: []load.Kind{load.SeatMap, load.Catalog}, From: from, To: length, AtLeast: 0.99},
			{
				Measure: RefusedInTime, Kinds: []load.Kind{load.Hold}, To: length,
				Within: 50 * time.Millisecond, AtLeast: 0.99,
			},
		},
	}
}

func retrystorm() Scene {
	const from, to, length = 8 * time.Second, 16 * time.Second, 45 * time.Second
	mix := load.Mix{Hold: 1}
	return Scene{
		Name:       "retrystorm",
		Hypothesis: "a trigger that is gone leaves no damage",
		Length:     length,
		Rate:       ordinary(mix),
		Mix:        mix,
		Plan: fault.Plan{Faults: []fault.Fault{
			{At: from, For: to - from, Kind: fault.Capacity, Target: Inventory, Factor: 0.4},
		}},
		SLO:           measure.DefaultSLO(),
		Recover:       10 * time.Second,
		RecoverWindow: measure.RecoveredWindow,
		Rule: []Check{
			{Measure: Goodput, From: to + 5*time.Second, To: length, AtLeast: 0.95},
			{Measure: AttemptsPerCall, To: length, AtMost: 1.1},
		},
	}
}
