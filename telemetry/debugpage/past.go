package debugpage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
)

const (
	keptEvents = 64 // of each kind of each name
	keptNames  = 256
)

// happened is an event as the page shows it.
type happened struct {
	Time  time.Time `json:"time"`
	Level string    `json:"level"`
	Event string    `json:"event"`
	Name  string    `json:"name"` // of a member of a family, with its key
	Facts string    `json:"facts"`

	errorType string
}

// past are the latest events: by name, that of the family for its members, and by what they are about, which is a kind or
// the second word of the event. The latest are the last.
type past map[string]map[string][]happened

// take keeps an event, by the name in it.
func (p *Page) take(e seawall.Event) {
	h := happened{Time: e.Time, Level: e.Level.String(), Event: e.Event}
	rest, _ := strings.CutPrefix(e.Event, "seawall.")
	of, _, _ := strings.Cut(rest, ".")
	var facts []string
	for _, a := range e.Attrs {
		switch {
		case a.Key == "name":
			h.Name = a.Value.String()
		case a.Key == "stack":
		case a.Key == "kind" && of != "fault": // there it is the fault's
			of = a.Value.String()
		default:
			if a.Key == "error_type" {
				h.errorType = short(a.Value.String())
			}
			facts = append(facts, short(fmt.Sprintf("%s=%v", a.Key, a.Value)))
		}
	}
	h.Facts = short(strings.Join(facts, " "))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events.add(familyOf(h.Name), of, h)
}

// familyOf returns the name of the family that a member with a key may be of.
func familyOf(name string) string {
	family, _, _ := strings.Cut(name, "[")
	return family
}

func (p past) add(family, of string, h happened) {
	if p[family] == nil {
		if len(p) >= keptNames {
			p.forget()
		}
		p[family] = map[string][]happened{}
	}
	list := append(p[family][of], h)
	if len(list) > keptEvents {
		list = slices.Clone(list[len(list)-keptEvents:])
	}
	p[family][of] = list
}

// forget forgets the events of the name from which none has come for the longest time.
func (p past) forget() {
	var oldest string
	var at time.Time
	first := true
	for name, lists := range p {
		var last time.Time
		for _, list := range lists {
			if t := list[len(list)-1].Time; t.After(last) {
				last = t
			}
		}
		if first || last.Before(at) {
			oldest, at, first = name, last, false
		}
	}
	delete(p, oldest)
}

// of returns the events of a policy, the latest first. Those of a family are its members' as well.
func (p past) of(kind, name string, family bool) (all []happened) {
	for of, list := range p[familyOf(name)] {
		if !isAbout(of, kind) {
			continue
		}
		for _, h := range slices.Backward(list) {
			if h.Name == name || family && strings.HasPrefix(h.Name, name+"[") {
				all = append(all, h)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b happened) int { return b.Time.Compare(a.Time) })
	return all[:min(len(all), keptEvents)]
}

// isAbout reports whether what an event is about is a kind of policy. Some events have the name of a package for all of its
// kinds.
func isAbout(of, kind string) bool {
	switch of {
	case "degrade":
		return kind == "brownout" || kind == "fallback" || kind == "gather"
	case "cache":
		return kind == "cache" || kind == "httpcache"
	case "httpx":
		return kind == "handler" || kind == "recovery"
	case "grpcx":
		return kind == "server" || kind == "client"
	}
	return of == kind
}

// short cuts what may be as long as an error's text.
func short(s string) string {
	const limit = 500
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return s
}
