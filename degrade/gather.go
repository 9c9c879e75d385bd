package degrade

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
)

const gatherKind = "gather"

var (
	_ seawall.Describer = (*Gather)(nil)
	_ seawall.Member    = (*Gather)(nil)
)

// Gather makes one answer of several sections, side by side, and says which of them are missing, replaced or old. Make
// it with [NewGather], one for each kind of answer, such as a page; it is safe for concurrent use.
//
// A call of n sections takes n-1 goroutines, or fewer if GatherConfig.Parallel says so: one section is run by the
// caller's. None of them is left when Do returns.
type Gather struct {
	name   string
	cfg    atomic.Pointer[GatherConfig] // defaults filled in
	mu     sync.Mutex                   // serialises Update
	counts gatherCounts
}

// NewGather makes a Gather. Its name is a constant of the program, for people, metrics and logs. NewGather panics if
// cfg is not valid; see [GatherConfig.Validate].
func NewGather(name string, cfg GatherConfig) *Gather {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	g := &Gather{name: name}
	cfg = cfg.withDefaults()
	g.cfg.Store(&cfg)
	seawall.Register(cfg.Registry, gatherKind, &g.name, g)
	return g
}

// Do loads the sections, and returns when all have ended; what ignores its context is waited for. They start in the
// order in which they are given, as many at a time as GatherConfig.Parallel says.
//
// Results are written to their destinations at the end, by the caller's goroutine, and only if all required sections
// have one. Then the error is nil, whatever else is missing; the [Report] says that.
//
// If a required section fails, and its fallbacks have no answer, the others are canceled, with its [SectionError] as the
// cause, and those that have not begun do not begin. The error then matches [ErrMissing], and holds the SectionError of
// each required section that failed by itself. No destination is written; results are closed if they are an io.Closer.
// If ctx is done before, nothing runs or counts, and the error is its cause. When Do returns, the contexts of the
// sections are canceled: a result that is still to be read must not depend on them.
//
// A panic in a section reaches the caller when all have ended, from another goroutine as a [*seawall.AttemptPanic] with
// the section's stack; so does a runtime.Goexit.
func (g *Gather) Do(ctx context.Context, sections ...Part) (Report, error) {
	var gone error // why the caller has left
	if ctx.Err() != nil {
		gone = context.Cause(ctx)
	}
	report := Report{Sections: make([]SectionReport, len(sections))}
	for i, section := range sections {
		report.Sections[i] = SectionReport{Name: section.sectionName(), State: Missing, Err: gone}
	}
	if gone != nil {
		return report, gone
	}
	m := &meeting{gather: g, sections: sections, loads: make([]load, len(sections))}
	end := failed // also of a panic
	defer func() {
		if end == failed || end == canceled {
			m.letGo()
		}
		g.counts.count(report, m.loads, end)
	}()
	m.run(ctx, g.cfg.Load().Parallel)
	err := m.fill(&report)
	m.note(seawall.RecordOf(ctx), report)
	switch {
	case err != nil && ctx.Err() == context.Canceled: // the errors of a context are never wrapped
		end = canceled
	case err != nil:
		end = failed
	default:
		m.commit()
		end = partial
		if report.Whole() {
			end = whole
		}
	}
	return report, err
}

// meeting is one call of a Gather.
type meeting struct {
	gather   *Gather
	sections []Part
	loads    []load // of the section with the same index; written by the worker that runs it
	next     atomic.Int64
	stopped  atomic.Pointer[SectionError] // why the others were canceled

	mu     sync.Mutex // guards the fields below
	panic  *seawall.AttemptPanic
	goexit bool
}

// run loads the sections. The caller's goroutine is one of the workers.
func (m *meeting) run(ctx context.Context, parallel int) {
	within, cancel := context.WithCancelCause(ctx)
	var helpers sync.WaitGroup
	if parallel == AllAtOnce {
		parallel = len(m.sections)
	}
	for range min(parallel, len(m.sections)) - 1 {
		helpers.Go(func() { m.help(within, cancel) })
	}
	returned := false
	defer func() {
		if !returned {
			cancel(seawall.ErrAborted)
		}
		helpers.Wait()
		cancel(nil)
		if m.panic != nil {
			if own := recover(); own != nil { // one of the two has to give way
				m.logPanic(m.panic)
				panic(own)
			}
			panic(m.panic)
		}
		if m.goexit && returned { // it would swallow a panic of this goroutine
			runtime.Goexit()
		}
	}()
	m.work(within, cancel)
	returned = true
}

// help is a worker on a goroutine of its own.
func (m *meeting) help(ctx context.Context, cancel context.CancelCauseFunc) {
	returned := false
	defer func() {
		if returned {
			return
		}
		cancel(seawall.ErrAborted)
		value := recover()
		m.mu.Lock()
		defer m.mu.Unlock()
		if value == nil {
			m.goexit = true
			return
		}
		p, passed := value.(*seawall.AttemptPanic) // of a race in the section, with the stack that matters
		if !passed {
			p = &seawall.AttemptPanic{Value: value, Stack: debug.Stack()}
		}
		if m.panic == nil {
			m.panic = p
		} else {
			m.logPanic(p)
		}
	}()
	m.work(ctx, cancel)
	returned = true
}

// work loads one section after the other until none is left.
func (m *meeting) work(ctx context.Context, cancel context.CancelCauseFunc) {
	for {
		i := int(m.next.Add(1)) - 1
		if i >= len(m.sections) {
			return
		}
		l := &m.loads[i]
		m.sections[i].load(ctx, l) // which does not begin if ctx is done
		l.canceled = l.err != nil && ctx.Err() == context.Canceled
		if l.err == nil || !m.sections[i].isRequired() || ctx.Err() != nil {
			continue
		}
		if failure := m.failure(i); m.stopped.CompareAndSwap(nil, failure) {
			cancel(failure)
		}
	}
}

func (m *meeting) failure(i int) *SectionError {
	return &SectionError{Gather: m.gather.name, Section: m.sections[i].sectionName(), Err: m.loads[i].err}
}

// fill completes the report, when all have ended, and returns the error of the call. It leaves out those required
// sections that only ended because another one had failed.
func (m *meeting) fill(report *Report) error {
	stopped := m.stopped.Load()
	var all []error
	for i := range m.loads {
		l, section := &m.loads[i], m.sections[i]
		report.Sections[i] = l.report(section.sectionName())
		if l.err == nil || !section.isRequired() {
			continue
		}
		follows := stopped != nil && l.canceled &&
			(errors.Is(l.err, context.Canceled) || errors.Is(l.err, stopped))
		if !follows {
			all = append(all, m.failure(i))
		}
	}
	return errors.Join(all...)
}

// commit writes the results to their destinations.
func (m *meeting) commit() {
	for i := range m.loads {
		if commit := m.loads[i].commit; commit != nil {
			commit()
		}
	}
}

// letGo closes the results that nobody gets.
func (m *meeting) letGo() {
	for i := range m.loads {
		if discard := m.loads[i].discard; discard != nil {
			events.Shield(m.logger(), gatherKind, m.gather.name, discard)
		}
	}
}

func (m *meeting) logger() *slog.Logger { return m.gather.cfg.Load().Registry.Logger() }

func (m *meeting) logPanic(p *seawall.AttemptPanic) {
	events.Shield(m.logger(), gatherKind, m.gather.name, func() {
		m.logger().Error("seawall.degrade.section_panicked", "name", m.gather.name, "panic", p.Error())
	})
}

// note tells the caller's record, from which the sections were kept away, what happened in them.
func (m *meeting) note(record *seawall.Record, report Report) {
	if record == nil {
		return
	}
	record.Note(func(facts *seawall.Facts) {
		for i := range m.loads {
			f := &m.loads[i].facts
			facts.Retries += f.Retries
			facts.Hedges += f.Hedges
			facts.Waited += f.Waited
			facts.ServerDelay = max(facts.ServerDelay, f.ServerDelay)
			facts.Stale = max(facts.Stale, f.Stale)
			facts.Cache = max(facts.Cache, f.Cache)
		}
		if !report.Whole() {
			facts.Replaced, facts.Source, facts.DecidedBy = true, "partial", m.gather.String()
		}
	})
}

// Name returns the name, as the registry has it.
func (g *Gather) Name() string { return g.name }

// String returns such as: gather "page".
func (g *Gather) String() string { return fmt.Sprintf("%s %q", gatherKind, g.name) }

// Traits returns the kind; see [seawall.Describer].
func (g *Gather) Traits() seawall.Traits { return seawall.Traits{Kind: gatherKind} }
