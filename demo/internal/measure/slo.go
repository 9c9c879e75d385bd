package measure

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/span"
)

// SLO is what customers are promised: an answer that keeps it is good. All times are above 0.
type SLO struct {
	// Read and Hold are how long an answer may take, from the intended send. Default 250 ms and 500 ms.
	Read, Hold time.Duration
	// SeatMap and Catalog are how old the data of a read may be. Default 2 s unmarked and 15 s marked for seat maps, one
	// minute and ten for the catalogue, which changes rarely.
	SeatMap, Catalog Ages
}

// Ages is how old data may be.
type Ages struct {
	// Fresh is the most for an answer that does not say that it is stale.
	Fresh time.Duration
	// Stale is the most for one that does.
	Stale time.Duration
}

// DefaultSLO returns the promises of the box office.
func DefaultSLO() SLO {
	return SLO{
		Read: 250 * time.Millisecond, Hold: 500 * time.Millisecond,
		SeatMap: Ages{Fresh: 2 * time.Second, Stale: 15 * time.Second},
		Catalog: Ages{Fresh: time.Minute, Stale: 10 * time.Minute},
	}
}

// Validate returns an error that names a time that is not above 0.
func (s SLO) Validate() error {
	for _, row := range []struct {
		name  string
		value time.Duration
	}{
		{"Read", s.Read},
		{"Hold", s.Hold},
		{"SeatMap.Fresh", s.SeatMap.Fresh},
		{"SeatMap.Stale", s.SeatMap.Stale},
		{"Catalog.Fresh", s.Catalog.Fresh},
		{"Catalog.Stale", s.Catalog.Stale},
	} {
		if row.value <= 0 {
			return fmt.Errorf("measure: SLO.%s is %v, want above 0s", row.name, row.value)
		}
	}
	return nil
}

// Deadline returns how long an answer to a request of this kind may take.
func (s SLO) Deadline(k load.Kind) time.Duration {
	if k.Read() {
		return s.Read
	}
	return s.Hold
}

// Longest returns the longest of the deadlines: so long after its intended send each request is decided.
func (s SLO) Longest() time.Duration { return max(s.Read, s.Hold) }

// Ages returns how old the data of an answer may be.
func (s SLO) Ages(k load.Kind) Ages {
	if k == load.Catalog {
		return s.Catalog
	}
	return s.SeatMap
}

type sloJSON struct {
	Read    span.Text `json:"read"`
	Hold    span.Text `json:"hold"`
	SeatMap agesJSON  `json:"seatmap_age"`
	Catalog agesJSON  `json:"catalog_age"`
}

type agesJSON struct {
	Fresh span.Text `json:"fresh"`
	Stale span.Text `json:"stale"`
}

// MarshalJSON writes durations as texts such as "250ms".
func (s SLO) MarshalJSON() ([]byte, error) {
	return json.Marshal(sloJSON{
		Read: span.Text(s.Read), Hold: span.Text(s.Hold),
		SeatMap: agesJSON{span.Text(s.SeatMap.Fresh), span.Text(s.SeatMap.Stale)},
		Catalog: agesJSON{span.Text(s.Catalog.Fresh), span.Text(s.Catalog.Stale)},
	})
}

// UnmarshalJSON reads the form of MarshalJSON.
func (s *SLO) UnmarshalJSON(data []byte) error {
	var j sloJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*s = SLO{
		Read: time.Duration(j.Read), Hold: time.Duration(j.Hold),
		SeatMap: Ages{time.Duration(j.SeatMap.Fresh), time.Duration(j.SeatMap.Stale)},
		Catalog: Ages{time.Duration(j.Catalog.Fresh), time.Duration(j.Catalog.Stale)},
	}
	return nil
}
