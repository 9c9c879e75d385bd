package debugpage

import (
	"slices"
	"time"
)

// overview is all that the page shows, and what ?format=json gives.
type overview struct {
	Build   string        `json:"build"`
	Started time.Time     `json:"started"`
	Uptime  string        `json:"uptime"`
	Health  *healthFacts  `json:"health,omitempty"`
	Faults  []string      `json:"faults,omitempty"`
	Members []memberFacts `json:"members"`
	Chains  []chainFacts  `json:"chains,omitempty"`
}

// Odd returns the members at which somebody should look.
func (o overview) Odd() (odd []memberFacts) {
	for _, m := range o.Members {
		if m.Odd() {
			odd = append(odd, m)
		}
	}
	return odd
}

type healthFacts struct {
	Status string        `json:"status"`
	Phase  string        `json:"phase"`
	Checks []checkStatus `json:"checks,omitempty"`
}

type checkStatus struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Status string `json:"status"`
	Since  string `json:"since,omitempty"`
	Fails  number `json:"fails"`
	Note   string `json:"note,omitempty"`
}

type memberFacts struct {
	Kind     string        `json:"kind"`
	Name     string        `json:"name"`
	Mode     string        `json:"mode"`
	State    string        `json:"state,omitempty"`
	Since    string        `json:"since,omitempty"`
	Load     string        `json:"load,omitempty"` // active and limit
	Minute   []counts5s    `json:"minute,omitempty"`
	Last     string        `json:"last_warning,omitempty"` // the latest warning
	LastType string        `json:"last_warning_type,omitempty"`
	MadeAt   string        `json:"made_at,omitempty"`
	Values   []value       `json:"values"`
	Family   string        `json:"family,omitempty"`    // of a key
	KeyCount string        `json:"key_count,omitempty"` // of a family
	Keys     []memberFacts `json:"keys,omitempty"`      // the open ones and then the busiest
	Events   []happened    `json:"events,omitempty"`    // the latest first
	Settings []setting     `json:"settings,omitempty"`
	Gate     bool          `json:"-"`
	// KeyStates are how many keys of a family are in which state, but for those in order.
	KeyStates []stateCount `json:"key_states,omitempty"`
}

type stateCount struct {
	State string `json:"state"`
	N     int    `json:"n"`
}

// Now returns the values that say how the policy is doing.
func (m memberFacts) Now() []value { return m.those(value.isNow) }

// Totals returns those that are counted since it was made.
func (m memberFacts) Totals() []value {
	return m.those(func(v value) bool { return !v.isNow() })
}

func (m memberFacts) those(wanted func(value) bool) (some []value) {
	for _, v := range m.Values {
		if wanted(v) {
			some = append(some, v)
		}
	}
	return some
}

// Text writes one of the values for people.
func (m memberFacts) Text(v value) string { return v.textOf(m.Kind) }

// Ends returns what has ended in the last minute.
func (m memberFacts) Ends() (sum counts5s) {
	for _, c := range m.Minute {
		sum.Good += c.Good
		sum.Bad += c.Bad
		sum.Rejected += c.Rejected
	}
	return sum
}

// Odd reports whether somebody should look at it, which for a family is also at one of its keys.
func (m memberFacts) Odd() bool {
	return !inOrder(m.State) || m.Gate && m.Mode != "enforce" || len(m.KeyStates) > 0 ||
		m.KeyCount != "" && slices.ContainsFunc(m.Keys, memberFacts.Odd) // one in a mode that was set by hand
}

func inOrder(state string) bool {
	switch state {
	case "", "closed", "pass", "full", "ok", "ready", "serving", "waiting", "ended":
		return true
	}
	return false
}

// counts5s are the ends of five seconds, or of less if they are the latest.
type counts5s struct {
	Good     float64 `json:"good"`
	Bad      float64 `json:"bad"`
	Rejected float64 `json:"rejected"`
}

type chainFacts struct {
	Name     string    `json:"name"`
	Members  []link    `json:"members"`
	Findings []finding `json:"findings,omitempty"`
}

// link is a policy of a chain. One that is not in the registry has no kind, and no page.
type link struct {
	Text string `json:"text"`
	Kind string `json:"kind,omitempty"`
	Name string `json:"name,omitempty"`
}

type finding struct {
	Rule    string `json:"rule"`
	Problem string `json:"problem"`
	Remedy  string `json:"remedy"`
}
