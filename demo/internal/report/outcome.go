package report

import (
	"fmt"
	"strings"

	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/span"
	"github.com/seawall-go/seawall/demo/internal/verdict"
)

// The exit codes of the demo.
const (
	ExitHolds   = 0 // every rule and invariant holds in the judged arms, or no arm is judged
	ExitBroken  = 1 // one does not
	ExitUsage   = 2 // flags that make no sense
	ExitInvalid = 3 // the run proves nothing
	ExitNoStart = 4 // it could not begin
)

// ExitCode returns what the run amounts to. A violated invariant that is not about time counts in an invalid run too.
func (r Report) ExitCode() int {
	broken, unsafe := false, false
	for _, f := range r.judged() {
		bad := f.State == verdict.Violated || f.State == verdict.Unknown
		broken = broken || bad
		unsafe = unsafe || bad && f.Safety
	}
	switch {
	case unsafe:
		return ExitBroken
	case !r.Valid():
		return ExitInvalid
	case broken:
		return ExitBroken
	}
	return ExitHolds
}

// judged returns the findings that decide.
func (r Report) judged() []verdict.Finding {
	var all []verdict.Finding
	for _, s := range r.Scenes {
		for _, a := range s.Arms {
			if a.Judged() {
				all = append(all, a.Findings...)
			}
		}
	}
	if r.Twins != nil {
		all = append(all, *r.Twins)
	}
	return all
}

// Valid reports whether the machine was good enough, and every scene came to its end.
func (r Report) Valid() bool { return len(r.Objections()) == 0 }

// Objections returns why the run is not valid, each with its scene and its cure.
func (r Report) Objections() []string {
	var all []string
	for _, s := range r.Scenes {
		for _, o := range s.Objections {
			all = append(all, s.Scene.Name+": "+o.String())
		}
		if s.Interrupted {
			all = append(all, fmt.Sprintf("%s: interrupted after %s of %s: let it come to its end",
				s.Scene.Name, span.Short(s.Played), span.Short(s.Scene.Length)))
		}
	}
	if missing := len(r.Wanted) - len(r.Scenes); missing > 0 {
		all = append(all, fmt.Sprintf("interrupted before %s: let it come to its end",
			strings.Join(r.Wanted[len(r.Scenes):], ", ")))
	}
	return all
}

// Line returns the verdict in one line, without a word in front, such as:
//
//	seawall PASS 13/13   plain 4 violated: I3 I4 I6 I11   run valid (cpu 41 %, late 0.00 %)
func (r Report) Line() string {
	var parts []string
	for _, name := range r.armNames() {
		parts = append(parts, r.armLine(name))
	}
	if r.Twins != nil {
		parts = append(parts, "A/A "+string(r.Twins.State))
	}
	worst := r.worst()
	if r.Valid() {
		return strings.Join(append(parts, fmt.Sprintf("run valid (%s)", worst)), "   ")
	}
	return strings.Join(append(parts, fmt.Sprintf("run INVALID (%s)", worst)), "   ")
}

func (r Report) armNames() []string {
	var names []string
	if len(r.Scenes) > 0 {
		for _, a := range r.Scenes[0].Arms {
			names = append(names, a.Name)
		}
	}
	return names
}

func (r Report) armLine(name string) string {
	holds, all, judged := 0, 0, false
	var bad []string
	for _, s := range r.Scenes {
		for _, a := range s.Arms {
			if a.Name != name {
				continue
			}
			judged = a.Judged()
			for _, f := range a.Findings {
				all++
				switch f.State {
				case verdict.Holds:
					holds++
				case verdict.Violated, verdict.Unknown:
					bad = append(bad, label(len(r.Scenes), s, f))
				case verdict.Unjudged:
				}
			}
		}
	}
	switch {
	case judged && len(bad) > 0:
		return fmt.Sprintf("%s FAIL %d/%d: %s", name, holds, all, strings.Join(bad, " "))
	case judged && holds < all:
		return fmt.Sprintf("%s unjudged %d/%d", name, holds, all)
	case judged:
		return fmt.Sprintf("%s PASS %d/%d", name, holds, all)
	case len(bad) > 0:
		return fmt.Sprintf("%s %d violated: %s", name, len(bad), strings.Join(bad, " "))
	}
	return fmt.Sprintf("%s %d/%d hold", name, holds, all)
}

// label names a finding, and its scene where there is more than one.
func label(scenes int, s Scene, f verdict.Finding) string {
	if scenes == 1 {
		return f.ID
	}
	return s.Scene.Name + "." + f.ID
}

// worst returns the machine's worst values over the scenes.
func (r Report) worst() measure.Machine {
	var m measure.Machine
	for _, s := range r.Scenes {
		m.Watched = m.Watched || s.Machine.Watched
		m.CPU, m.NapP99 = max(m.CPU, s.Machine.CPU), max(m.NapP99, s.Machine.NapP99)
		m.Late.Part += s.Machine.Late.Part
		m.Late.Whole += s.Machine.Late.Whole
		m.Short.Part += s.Machine.Short.Part
		m.Short.Whole += s.Machine.Short.Whole
	}
	return m
}
