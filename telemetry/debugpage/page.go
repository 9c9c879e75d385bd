package debugpage

import (
	"crypto/rand"
	"fmt"
	"net/http"
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
	keptEvents   = 64 // of each member
	keptMembers  = 1000
)

// Page is the http.Handler of the debug page. Make it with [New]. It is safe for concurrent use. It takes a snapshot of the
// registry each five seconds, for the last minute's numbers, until [Page.Close].
type Page struct {
	cfg     Config
	started time.Time
	token   string // of the forms: what another site cannot know
	unwatch func()

	mu      sync.Mutex // guards the fields below
	timer   *time.Timer
	closed  bool
	samples []sample              // the oldest first
	events  map[string][]happened // by kind and name, the latest last
}

// sample is what the members had counted at one time.
type sample struct {
	at      time.Time
	members map[string]counts
}

// counts are a member's ends.
type counts struct{ good, bad, rejected float64 }

// happened is an event as the page shows it.
type happened struct {
	Time  time.Time `json:"time"`
	Level string    `json:"level"`
	Event string    `json:"event"`
	Facts string    `json:"facts"`
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
	p.sample()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.timer.Reset(samplePeriod)
	}
}

// sample keeps what is counted now.
func (p *Page) sample() {
	s := sample{at: time.Now(), members: map[string]counts{}}
	for _, m := range p.cfg.Registry.Snapshots() {
		s.members[idOf(m.Kind, m.Name)] = countsOf(m)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.samples = append(p.samples, s); len(p.samples) > keptSamples {
		p.samples = p.samples[1:]
	}
}

// take keeps an event.
func (p *Page) take(e seawall.Event) {
	kind, name, facts := "", "", ""
	for _, a := range e.Attrs {
		switch a.Key {
		case "kind":
			kind = a.Value.String()
		case "name":
			name = a.Value.String()
		case "stack":
		default:
			facts += fmt.Sprintf("%s=%v ", a.Key, a.Value)
		}
	}
	if kind == "" { // an event of one kind only says so in its name: seawall.breaker.state_changed
		kind = kindOf(e.Event)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	id := idOf(kind, name)
	list := p.events[id]
	if list == nil && len(p.events) >= keptMembers {
		return
	}
	list = append(list, happened{e.Time, e.Level.String(), e.Event, short(facts)})
	if len(list) > keptEvents {
		list = list[len(list)-keptEvents:]
	}
	p.events[id] = list
}

// short cuts what may be as long as an error's text.
func short(s string) string {
	const limit = 500
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}

func idOf(kind, name string) string { return kind + "/" + name }
