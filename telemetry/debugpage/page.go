package debugpage

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/health"
)

// Config sets a [Page]. A zero field is its default.
type Config struct {
	// Registry is whose policies are shown. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry
	// Health is shown as well, if it is set.
	Health *health.Health
	// Chains are shown by their names, as arrows, with what Lint has to say of them.
	Chains map[string]*seawall.Pipeline
	// Authorize returns who a request comes from, by an authentication of the program's own, and whether they may change
	// modes. Default nil: nobody may, and the page has no forms.
	Authorize func(*http.Request) (who string, ok bool)
}

const (
	samplePeriod = 5 * time.Second
	keptSamples  = 13 // a minute, and what it is measured against
	bars         = keptSamples - 1
	keptEvents   = 64 // of each name
	keptNames    = 256
	keptMembers  = 2000 // in a sample
)

// Page is the http.Handler of the debug page. Make it with [New]. It is safe for concurrent use. It takes snapshots of the
// first 2000 members each five seconds, for the last minute's numbers, and keeps the last 64 events of 256 names, until
// [Page.Close].
type Page struct {
	cfg     Config
	started time.Time
	token   string // of the forms: what another site cannot know
	unwatch func()

	mu      sync.Mutex // guards the fields below
	timer   *time.Timer
	closed  bool
	samples []sample              // the oldest first
	events  map[string][]happened // by name, the latest last
}

// sample is what the members had counted at one time.
type sample map[memberID]counts

func (s sample) add(m seawall.Snapshot) {
	if c, ok := countsOf(m); ok {
		s[memberID{m.Kind, m.Name}] = c
	}
}

type memberID struct{ kind, name string }

// happened is an event as the page shows it.
type happened struct {
	Time  time.Time `json:"time"`
	Level string    `json:"level"`
	Event string    `json:"event"`
	Facts string    `json:"facts"`

	kind      string // that it gives, if it gives one
	errorType string
}

// New makes a page.
func New(cfg Config) *Page {
	p := &Page{cfg: cfg, started: time.Now(), token: rand.Text(), events: map[string][]happened{}}
	p.unwatch = cfg.Registry.Watch(p.take)
	p.mu.Lock()
	p.timer = time.AfterFunc(samplePeriod, p.tick)
	p.mu.Unlock()
	p.sample()
	return p
}

// Close ends what the page does in the background. It goes on to show what it has. Close may be called more than once.
func (p *Page) Close() {
	p.unwatch()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.timer.Stop()
}

func (p *Page) tick() {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.closed {
			p.timer.Reset(samplePeriod)
		}
	}()
	p.sample()
}

// sample keeps what is counted now.
func (p *Page) sample() {
	s := sample{}
	members := p.cfg.Registry.Members()
	for _, m := range members[:min(len(members), keptMembers)] {
		m, ok := p.snapshot(m)
		if !ok {
			continue
		}
		s.add(m)
		for _, key := range m.Members {
			if len(s) < keptMembers {
				s.add(key)
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.samples = append(p.samples, s); len(p.samples) > keptSamples {
		p.samples = p.samples[1:]
	}
}

// take keeps an event, by the name in it.
func (p *Page) take(e seawall.Event) {
	kind, name, errorType := "", "", ""
	var facts []string
	for _, a := range e.Attrs {
		switch {
		case a.Key == "name":
			name = a.Value.String()
		case a.Key == "stack":
		case a.Key == "kind" && !strings.HasPrefix(e.Event, "seawall.fault."): // there it is the fault's
			kind = a.Value.String()
		default:
			if a.Key == "error_type" {
				errorType = short(a.Value.String())
			}
			facts = append(facts, short(fmt.Sprintf("%s=%v", a.Key, a.Value)))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.events[name]
	if list == nil && len(p.events) >= keptNames {
		p.forgetLocked()
	}
	list = append(list, happened{e.Time, e.Level.String(), e.Event, short(strings.Join(facts, " ")), kind, errorType})
	if len(list) > keptEvents {
		list = slices.Clone(list[len(list)-keptEvents:])
	}
	p.events[name] = list
}

// forgetLocked forgets the events of the name from which none has come for the longest time.
func (p *Page) forgetLocked() {
	var oldest string
	var at time.Time
	for name, list := range p.events {
		if last := list[len(list)-1].Time; at.IsZero() || last.Before(at) {
			oldest, at = name, last
		}
	}
	delete(p.events, oldest)
}

// about reports whether an event of a member's name is about the member.
func (e happened) about(kind string) bool {
	if e.kind != "" {
		return e.kind == kind
	}
	rest, _ := strings.CutPrefix(e.Event, "seawall.")
	family, _, _ := strings.Cut(rest, ".")
	switch family {
	case "degrade":
		return kind == "brownout" || kind == "fallback" || kind == "gather"
	case "cache":
		return kind == "cache" || kind == "httpcache"
	case "httpx":
		return kind == "handler" || kind == "recovery"
	case "grpcx":
		return kind == "server" || kind == "client"
	}
	return family == kind
}

// short cuts what may be as long as an error's text.
func short(s string) string {
	const limit = 500
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return s
}
