package load

import (
	"fmt"
	"math"
)

// Mix is how often each kind is asked for: shares of 0 to 1 that make 1 together.
type Mix struct {
	SeatMap float64 `json:"seatmap"`
	Catalog float64 `json:"catalog"`
	Hold    float64 `json:"hold"`
}

// DefaultMix is that of a box office: most look, few reserve.
func DefaultMix() Mix { return Mix{SeatMap: 0.60, Catalog: 0.25, Hold: 0.15} }

// Share returns the share of a kind.
func (m Mix) Share(k Kind) float64 {
	switch k {
	case SeatMap:
		return m.SeatMap
	case Catalog:
		return m.Catalog
	case Hold:
		return m.Hold
	}
	return 0
}

// Validate returns an error that names a share that is out of its range, or the sum if that is not 1.
func (m Mix) Validate() error {
	sum := 0.0
	for _, k := range kinds {
		share := m.Share(k)
		if !(share >= 0 && share <= 1) { // written so that NaN is out of range
			return fmt.Errorf("load: mix: %s is %v, want 0 to 1", k, share)
		}
		sum += share
	}
	if math.Abs(sum-1) > 1e-9 {
		return fmt.Errorf("load: mix: the shares make %v, want 1", sum)
	}
	return nil
}

// String returns such as: 60 % seatmap, 25 % catalog, 15 % hold.
func (m Mix) String() string {
	text := ""
	for _, k := range kinds {
		if share := m.Share(k); share > 0 {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%.3g %% %s", 100*share, k)
		}
	}
	return text
}

// pick returns the kind at which a draw u of [0, 1) points.
func (m Mix) pick(u float64) Kind {
	last := SeatMap
	for _, k := range kinds {
		share := m.Share(k)
		if share > 0 {
			last = k
		}
		if u < share {
			return k
		}
		u -= share
	}
	return last // the shares make 1 but for rounding
}
