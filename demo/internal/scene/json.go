package scene

import (
	"encoding/json"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/span"
	"github.com/seawall-go/seawall/fault"
)

type sceneJSON struct {
	Name          string      `json:"name"`
	Hypothesis    string      `json:"hypothesis"`
	Length        span.Text   `json:"length"`
	Rate          float64     `json:"rate"`
	Mix           load.Mix    `json:"mix"`
	Plan          fault.Plan  `json:"plan"`
	SLO           measure.SLO `json:"slo"`
	Recover       span.Text   `json:"recover"`
	RecoverWindow int         `json:"recover_window"`
	Rule          []Check     `json:"rule"`
}

type checkJSON struct {
	Measure Measure     `json:"measure"`
	Kinds   []load.Kind `json:"kinds,omitempty"`
	From    span.Text   `json:"from"`
	To      span.Text   `json:"to"`
	AtLeast float64     `json:"at_least,omitzero"`
	Within  span.Text   `json:"within,omitzero"`
	AtMost  float64     `json:"at_most,omitzero"`
}

// MarshalJSON writes durations as texts such as "30s".
func (s Scene) MarshalJSON() ([]byte, error) {
	return json.Marshal(sceneJSON{
		Name: s.Name, Hypothesis: s.Hypothesis, Length: span.Text(s.Length), Rate: s.Rate, Mix: s.Mix, Plan: s.Plan,
		SLO: s.SLO, Recover: span.Text(s.Recover), RecoverWindow: s.RecoverWindow, Rule: s.Rule,
	})
}

// UnmarshalJSON reads the form of MarshalJSON. It does not validate it.
func (s *Scene) UnmarshalJSON(data []byte) error {
	var j sceneJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*s = Scene{
		Name: j.Name, Hypothesis: j.Hypothesis, Length: time.Duration(j.Length), Rate: j.Rate, Mix: j.Mix, Plan: j.Plan,
		SLO: j.SLO, Recover: time.Duration(j.Recover), RecoverWindow: j.RecoverWindow, Rule: j.Rule,
	}
	return nil
}

// MarshalJSON writes durations as texts such as "30s", and leaves out what the measure does not use.
func (c Check) MarshalJSON() ([]byte, error) {
	return json.Marshal(checkJSON{
		c.Measure, c.Kinds, span.Text(c.From), span.Text(c.To), c.AtLeast, span.Text(c.Within), c.AtMost,
	})
}

// UnmarshalJSON reads the form of MarshalJSON.
func (c *Check) UnmarshalJSON(data []byte) error {
	var j checkJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*c = Check{
		Measure: j.Measure, Kinds: j.Kinds, From: time.Duration(j.From), To: time.Duration(j.To),
		AtLeast: j.AtLeast, Within: time.Duration(j.Within), AtMost: j.AtMost,
	}
	return nil
}
