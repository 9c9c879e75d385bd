package report

import (
	"time"

	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/verdict"
)

// Version is the version of the form of report.json. It changes when a field changes its meaning.
const Version = 2

// Report is a run: some scenes, one after the other, each with new arms.
type Report struct {
	Version int `json:"version"`
	// Replay is the command that plays the run again.
	Replay string  `json:"replay"`
	Seed   uint64  `json:"seed"`
	Load   float64 `json:"load"` // what the rates of the scenes were multiplied by
	// Wanted are the names of the scenes that were asked for. After an interruption some of them may be missing.
	Wanted []string `json:"wanted"`
	// Outcome is what Conclude makes of the scenes.
	Outcome Outcome `json:"outcome"`
	Scenes  []Scene `json:"scenes"`
	// Twins compares the arms of a run with two equal ones, over all scenes.
	Twins *verdict.Finding `json:"twins,omitempty"`
}

// Outcome is what a run amounts to, for readers of report.json.
type Outcome struct {
	ExitCode   int      `json:"exit_code"`
	Valid      bool     `json:"valid"`
	Line       string   `json:"line"` // see [Report.Line]
	Objections []string `json:"objections,omitempty"`
}

// Conclude returns the report with its outcome, as ExitCode, Valid, Line and Objections say it.
func (r Report) Conclude() Report {
	r.Outcome = Outcome{ExitCode: r.ExitCode(), Valid: r.Valid(), Line: r.Line(), Objections: r.Objections()}
	return r
}

// Scene is one scene that was played.
type Scene struct {
	Scene scene.Scene `json:"scene"`
	// Replay is the command that plays this scene alone again.
	Replay string `json:"replay"`
	// Played is how far it came: its length, unless it was interrupted.
	Played      time.Duration       `json:"played_ns"`
	Interrupted bool                `json:"interrupted,omitzero"`
	Machine     measure.Machine     `json:"machine"`
	Objections  []measure.Objection `json:"objections,omitempty"`
	Arms        []Arm               `json:"arms"`
}

// Arm is what one arm did in a scene.
type Arm struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	// Phases are before, during and after the faults.
	Phases  []Phase         `json:"phases"`
	Latency measure.Latency `json:"latency"` // over the whole scene
	// Calls and Attempts are what the arm's clients asked their dependencies for, and how often they sent it.
	Calls    uint64 `json:"calls"`
	Attempts uint64 `json:"attempts"`
	// Recovered is how long after the last fault the arm had recovered; nil if it had not, or there was no fault.
	Recovered *time.Duration    `json:"recovered_ns"`
	Findings  []verdict.Finding `json:"findings"`
	Settings  []Setting         `json:"settings,omitempty"`
	Bins      []measure.Bin     `json:"bins"`
}

// Phase is what customers got in a part of a scene.
type Phase struct {
	Name    string          `json:"name"`
	From    time.Duration   `json:"from_ns"`
	To      time.Duration   `json:"to_ns"`
	Good    measure.Share   `json:"good"`
	Latency measure.Latency `json:"latency"`
}

// Setting is one number or choice of an arm's configuration.
type Setting struct {
	Of    string `json:"of"`   // the part that is set, such as: breaker "inventory"
	Name  string `json:"name"` // such as: window
	Value string `json:"value"`
	// Default says that the arm left it as it comes.
	Default bool `json:"default,omitzero"`
}

// Judged reports whether the rule and the invariants bind the arm.
func (a Arm) Judged() bool { return a.Kind == verdict.Seawall }

// AttemptsPerCall returns attempts ÷ calls, 0 without calls.
func (a Arm) AttemptsPerCall() float64 {
	if a.Calls == 0 {
		return 0
	}
	return float64(a.Attempts) / float64(a.Calls)
}
