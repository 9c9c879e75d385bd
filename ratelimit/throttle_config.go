package ratelimit

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/reconfig"
)

// ThrottleConfig sets a [Throttle]. A zero field is its default. It is data, but for Classify.
type ThrottleConfig struct {
	// K is how many requests the dependency gets for each that it accepts, in a lasting overload. Default 2, as in the
	// SRE book; 1.1 to 10. Lower rejects sooner and spares the dependency more refusals, but a healthy dependency that
	// refuses one call in ten for good reasons is then throttled; higher notices the end of an overload sooner.
	K float64 `json:"k" yaml:"k"`
	// Window is how far back calls count. Default 2 min, as in the SRE book; 1 s to 10 min. It moves in 24 steps.
	// Shorter forgets sooner, but needs traffic: below MinRequests in the window nothing is rejected.
	Window time.Duration `json:"window" yaml:"window"`
	// MinRequests is how many requests the window must hold before anything is rejected. Default 20; 1 to 1,000,000. At 1
	// a single refused call makes the next one a matter of luck.
	MinRequests int `json:"min_requests" yaml:"min_requests"`
	// MaxReject is the highest share of the calls that is rejected. Default 0.9; 0.1 to 1. What is let through finds out
	// that the dependency has healed: at 1, as in the book, a client with little traffic may not find out for the length
	// of the window.
	MaxReject float64 `json:"max_reject" yaml:"max_reject"`
	// Evidence is which ends of a call speak against the dependency. Default [OverloadAndFailure].
	Evidence Evidence `json:"evidence" yaml:"evidence"`
	// Mode is how the throttle acts on its judgement. Default [seawall.Enforce]. See [Throttle.SetMode].
	Mode seawall.Mode `json:"mode" yaml:"mode"`

	// Classify judges how a call ended. Default [seawall.Classify]. It runs under no lock.
	Classify func(error) seawall.Verdict `json:"-" yaml:"-"`
	// Registry is where the throttle enters itself, and where its events are logged. Default
	// [seawall.DefaultRegistry]. An Update does not change it.
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Evidence is which ends of a call count as not accepted by the dependency.
type Evidence uint8

const (
	// OverloadAndFailure counts what was refused and what failed. The SRE book's backends refuse in good order; one that
	// is too far gone for that answers by timeouts, and those are failures. With K = 2 it takes more than half of the
	// calls for anything to be rejected, as with a breaker.
	OverloadAndFailure Evidence = iota
	// OverloadOnly counts only what was refused, such as HTTP 429: to the letter of the book. Failures count as accepted;
	// they are for a breaker beside the throttle.
	OverloadOnly
)

var evidenceNames = [...]string{"overload_and_failure", "overload_only"}

func (e Evidence) valid() bool { return int(e) < len(evidenceNames) }

// String returns "overload_and_failure" or "overload_only".
func (e Evidence) String() string {
	if e.valid() {
		return evidenceNames[e]
	}
	return fmt.Sprintf("Evidence(%d)", uint8(e))
}

// MarshalText returns the form of String, for configuration files.
func (e Evidence) MarshalText() ([]byte, error) {
	if !e.valid() {
		return nil, fmt.Errorf("ratelimit: no such evidence: %d", uint8(e))
	}
	return []byte(evidenceNames[e]), nil
}

// UnmarshalText reads the form of String.
func (e *Evidence) UnmarshalText(text []byte) error {
	for i, name := range evidenceNames {
		if string(text) == name {
			*e = Evidence(i)
			return nil
		}
	}
	return fmt.Errorf("ratelimit: no such evidence: %q, want one of %v", text, evidenceNames)
}

const (
	minWindow      = time.Second
	maxWindow      = 10 * time.Minute // with a million calls a second the tally holds them
	maxMinRequests = 1_000_000
)

func (c ThrottleConfig) withDefaults() ThrottleConfig {
	if c.K == 0 {
		c.K = 2
	}
	if c.Window == 0 {
		c.Window = 2 * time.Minute
	}
	if c.MinRequests == 0 {
		c.MinRequests = 20
	}
	if c.MaxReject == 0 {
		c.MaxReject = 0.9
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c ThrottleConfig) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("ratelimit: ThrottleConfig.%s is %v, want %s", field, value, want)
	}
	switch c = c.withDefaults(); {
	case !(c.K >= 1.1 && c.K <= 10): // NaN compares to nothing
		return bad("K", c.K, "1.1 to 10")
	case c.Window < minWindow || c.Window > maxWindow:
		return bad("Window", c.Window, "1s to 10m")
	case c.MinRequests < 1 || c.MinRequests > maxMinRequests:
		return bad("MinRequests", c.MinRequests, "1 to 1000000")
	case !(c.MaxReject >= 0.1 && c.MaxReject <= 1):
		return bad("MaxReject", c.MaxReject, "0.1 to 1")
	case !c.Evidence.valid():
		return bad("Evidence", c.Evidence, "OverloadAndFailure or OverloadOnly")
	case !c.Mode.Valid():
		return bad("Mode", c.Mode, "one of the modes of package seawall")
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, the registry left aside. Of Classify
// it compares only whether there is one.
func (c ThrottleConfig) Equal(other ThrottleConfig) bool { return len(c.changes(other)) == 0 }

// changes returns the names, as in a file, of the fields that differ in meaning.
func (c ThrottleConfig) changes(other ThrottleConfig) (fields reconfig.Fields) {
	c, other = c.withDefaults(), other.withDefaults()
	fields.Add("k", c.K != other.K)
	fields.Add("window", c.Window != other.Window)
	fields.Add("min_requests", c.MinRequests != other.MinRequests)
	fields.Add("max_reject", c.MaxReject != other.MaxReject)
	fields.Add("evidence", c.Evidence != other.Evidence)
	fields.Add("classify", (c.Classify == nil) != (other.Classify == nil))
	fields.Add("mode", c.Mode != other.Mode)
	return fields
}
