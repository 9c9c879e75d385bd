package debugpage

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
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

type healthFacts struct {
	Status string        `json:"status"`
	Phase  string        `json:"phase"`
	Checks []checkStatus `json:"checks,omitempty"`
}

type checkStatus struct {
	Name   string `json:"name"`
	Status string `json:"status"`
}

type memberFacts struct {
	Kind     string        `json:"kind"`
	Name     string        `json:"name"`
	Mode     string        `json:"mode"`
	State    string        `json:"state,omitempty"`
	Since    string        `json:"since,omitempty"`
	Load     string        `json:"load,omitempty"` // active and limit
	Minute   []counts5s    `json:"minute,omitempty"`
	Last     string        `json:"last_error,omitempty"`
	MadeAt   string        `json:"made_at,omitempty"`
	Values   []value       `json:"values"`
	Keys     []memberFacts `json:"keys,omitempty"`
	Events   []happened    `json:"events,omitempty"`
	Settings []setting     `json:"settings,omitempty"`
	Gate     bool          `json:"-"`
}

// value is a number of a snapshot. One that is not finite is null in JSON, which has no words for it.
type value struct {
	Name string `json:"name"`
	V    number `json:"value"`
}

type number float64

// String writes a count without a point, and anything else with few digits.
func (n number) String() string {
	if v := float64(n); v != math.Trunc(v) || math.Abs(v) >= 1<<53 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatInt(int64(n), 10)
}

// MarshalJSON writes the number.
func (n number) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// counts5s are the ends of five seconds.
type counts5s struct {
	Good     float64 `json:"good"`
	Bad      float64 `json:"bad"`
	Rejected float64 `json:"rejected"`
}

type chainFacts struct {
	Name     string    `json:"name"`
	Members  []string  `json:"members"`
	Findings []finding `json:"findings,omitempty"`
}

type finding struct {
	Rule    string `json:"rule"`
	Problem string `json:"problem"`
	Remedy  string `json:"remedy"`
}

// look gathers everything, or what is about one member only. It holds no lock while it asks.
func (p *Page) look(one *memberID) overview {
	o := overview{Build: build(), Started: p.started, Uptime: time.Since(p.started).Round(time.Second).String()}
	for _, m := range p.cfg.Registry.Members() {
		s, ok := p.snapshot(m)
		if !ok || one != nil && *one != (memberID{s.Kind, s.Name}) {
			continue
		}
		if s.Kind == "fault" {
			for _, v := range s.Values {
				if kind, ok := strings.CutPrefix(v.Name, "active."); ok && v.V > 0 {
					o.Faults = append(o.Faults, s.Name+": "+kind)
				}
			}
		}
		f := p.member(s)
		f.MadeAt = p.cfg.Registry.MadeAt(s.Kind, s.Name)
		if one != nil {
			f.Settings = settingsOf(m)
		}
		_, f.Gate = m.(interface{ SetMode(seawall.Mode) error })
		o.Members = append(o.Members, f)
	}
	for _, name := range slices.Sorted(maps.Keys(p.cfg.Chains)) {
		o.Chains = append(o.Chains, chain(name, p.cfg.Chains[name]))
	}
	if h := p.cfg.Health; h != nil {
		s := h.Snapshot()
		o.Health = &healthFacts{Status: s.State, Phase: h.Phase().String()}
		for _, c := range s.Members {
			o.Health.Checks = append(o.Health.Checks, checkStatus{c.Name, c.State})
		}
	}
	return o
}

// snapshot returns a member's, and false if it panics.
func (p *Page) snapshot(m seawall.Member) (s seawall.Snapshot, ok bool) {
	events.Shield(p.cfg.Registry.Logger(), "debugpage", "snapshot", func() { s, ok = m.Snapshot(), true })
	return s, ok
}

func chain(name string, p *seawall.Pipeline) chainFacts {
	c := chainFacts{Name: name}
	for _, member := range p.Policies() {
		if s, ok := member.(interface{ String() string }); ok {
			c.Members = append(c.Members, s.String())
		} else {
			c.Members = append(c.Members, "policy")
		}
	}
	c.Members = append(c.Members, "op")
	for _, f := range p.Lint() {
		c.Findings = append(c.Findings, finding{f.Rule, strings.Join(f.Policies, ", ") + ": " + f.Problem, f.Remedy})
	}
	return c
}

func (p *Page) member(s seawall.Snapshot) memberFacts {
	f := memberFacts{Kind: s.Kind, Name: s.Name, Mode: s.Mode.String(), State: s.State}
	for _, v := range s.Values {
		f.Values = append(f.Values, value{v.Name, number(v.V)})
	}
	if since, ok := find(s, "since"); ok {
		f.Since = time.Duration(since * float64(time.Second)).Round(100 * time.Millisecond).String()
	}
	if limit, ok := find(s, "limit"); ok {
		if active, ok := find(s, "active"); ok {
			f.Load = number(active).String() + " of " + number(limit).String()
		}
	}
	f.Minute = p.minute(s)
	p.mu.Lock()
	for _, e := range p.events[s.Name] {
		if e.about(s.Kind) {
			f.Events = append(f.Events, e)
		}
	}
	p.mu.Unlock()
	for _, e := range slices.Backward(f.Events) {
		if e.Level == "WARN" || e.Level == "ERROR" {
			f.Last = e.Event
			break
		}
	}
	for _, m := range s.Members {
		f.Keys = append(f.Keys, p.member(m))
	}
	slices.SortStableFunc(f.Keys, func(a, b memberFacts) int { return cmp.Compare(b.State, a.State) })
	return f
}

// minute returns what has ended in each of the last samples, the oldest first.
func (p *Page) minute(s seawall.Snapshot) (all []counts5s) {
	id := memberID{s.Kind, s.Name}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := 1; i < len(p.samples); i++ {
		before, known := p.samples[i-1][id]
		after, still := p.samples[i][id]
		if known && still {
			all = append(all, counts5s{
				max(0, after.good-before.good), max(0, after.bad-before.bad), max(0, after.rejected-before.rejected),
			})
		}
	}
	return all
}

// countsOf adds up a snapshot's ends: what went well, what did not, and what was not let in.
func countsOf(s seawall.Snapshot) (c counts) {
	for _, v := range s.Values {
		switch name := v.Name; {
		case strings.HasPrefix(name, "rejections."), name == "calls.rejected":
			c.rejected += v.V
		case name == "calls.failure", name == "calls.exhausted", name == "calls.not_retryable", name == "calls.budget_denied",
			name == "calls.expired", name == "calls.failed", name == "calls.out_of_time", name == "failed", name == "loads.failure":
			c.bad += v.V
		case name == "calls.success", name == "calls.first_try", name == "calls.recovered", name == "calls.ended", name == "calls.allowed",
			name == "calls.admitted", name == "calls.primary", name == "calls.hedge", name == "calls.whole", name == "requests.fresh":
			c.good += v.V
		}
	}
	return c
}

func find(s seawall.Snapshot, name string) (float64, bool) {
	for _, v := range s.Values {
		if v.Name == name {
			return v.V, true
		}
	}
	return 0, false
}

func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	parts := []string{info.Main.Path + " " + info.Main.Version, info.GoVersion}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			parts = append(parts, s.Value)
		}
	}
	return strings.Join(parts, ", ")
}
