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
	// Chains are shown by their names, as arrows, with what Lint has to say of them. Of a chain from a policy file, which is
	// a [seawall.Live], the one in force is shown. None may be nil.
	Chains map[string]seawall.Policy
	// Authorize returns who a request comes from, by an authentication of the program's own, and whether they may change
	// modes. Default nil: nobody may, and the page has no forms.
	Authorize func(*http.Request) (who string, ok bool)
}

const (
	samplePeriod = 5 * time.Second
	keptSamples  = 13 // a minute, and what it is measured against
	bars         = keptSamples - 1
	keptMembers  = 2000 // that are sampled; keys of families only while a sample has fewer
)

// Page is the http.Handler of the debug page. Make it with [New]. It is safe for concurrent use. It takes snapshots of the
// first 2000 members each five seconds, for the last minute's numbers, and keeps the last 64 events of each policy, of 256
// names, until [Page.Close].
type Page struct {
	cfg     Config
	started time.Time
	token   string // of the forms: what another site cannot know
	unwatch func()

	mu      sync.Mutex // guards the fields below
	timer   *time.Timer
	closed  bool
	samples []sample // the oldest first
	events  past
}

// sample is what the members had counted at one time.
type sample map[memberID]counts

func (s sample) add(m seawall.Snapshot) {
	if c, ok := countsOf(m); ok {
		s[memberID{m.Kind, m.Name}] = c
	}
}

type memberID struct{ kind, name string }

// New makes a page. It panics if one of Config.Chains is nil.
func New(cfg Config) *Page {
	for name, chain := range cfg.Chains {
		if pipeline, ok := chain.(*seawall.Pipeline); chain == nil || ok && pipeline == nil {
			panic(fmt.Sprintf("debugpage: Config.Chains[%q] is nil, want a chain", name))
		}
	}
	p := &Page{cfg: cfg, started: time.Now(), token: rand.Text(), events: past{}}
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
