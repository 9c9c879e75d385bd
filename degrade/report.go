package degrade

import (
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
)

// State says how good a section's result is.
type State uint8

const (
	// Whole is the result of the section's own load.
	Whole State = iota
	// Degraded is the result of a fallback.
	Degraded
	// Stale is a copy of an earlier result.
	Stale
	// Missing is no result.
	Missing
	stateCount
)

// String returns "whole", "degraded", "stale" or "missing".
func (s State) String() string {
	if s < stateCount {
		return [stateCount]string{"whole", "degraded", "stale", "missing"}[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Report says what the answer of a [Gather] is made of.
type Report struct {
	Sections []SectionReport // in the order in which they were given
}

// SectionReport says how one section ended.
type SectionReport struct {
	Name  string
	State State
	// Age is that of a stale result.
	Age time.Duration
	// Err is why the section is missing, or what a fallback of the section itself replaced; nil where a fallback in
	// its policy did, or a cache.
	Err error
	// By is the policy that decided the end, such as: breaker "prices". It is empty if none did.
	By string
	// Reason is why the section, or what it would have been, was rejected; empty if it was not.
	Reason seawall.Reason
}

// Whole reports whether no section is missing, replaced or old.
func (r Report) Whole() bool {
	for i := range r.Sections {
		if r.Sections[i].State != Whole {
			return false
		}
	}
	return true
}

// Section returns the report of the section with that name, the first one if there are several, and false if there is
// none.
func (r Report) Section(name string) (SectionReport, bool) {
	for i := range r.Sections {
		if r.Sections[i].Name == name {
			return r.Sections[i], true
		}
	}
	return SectionReport{}, false
}

// Names returns the names of the sections that are in a state.
func (r Report) Names(state State) (names []string) {
	for i := range r.Sections {
		if r.Sections[i].State == state {
			names = append(names, r.Sections[i].Name)
		}
	}
	return names
}

// String returns such as: seats whole, price stale, recs missing.
func (r Report) String() string {
	var text []byte
	for i := range r.Sections {
		if i > 0 {
			text = append(text, ", "...)
		}
		text = fmt.Appendf(text, "%s %v", r.Sections[i].Name, r.Sections[i].State)
	}
	return string(text)
}

// report tells how a section ended.
func (l *load) report(name string) SectionReport {
	s := SectionReport{Name: name, By: l.facts.DecidedBy, Reason: l.facts.Reason}
	if rejection, ok := errors.AsType[*seawall.RejectedError](errors.Join(l.err, l.replaced)); ok {
		s.Reason = rejection.Reason
	}
	switch {
	case l.err != nil:
		s.State, s.Err = Missing, l.err
	case l.facts.Stale > 0:
		s.State, s.Age, s.Err = Stale, l.facts.Stale, l.replaced
	case l.replaced != nil || l.facts.Replaced:
		s.State, s.Err = Degraded, l.replaced
	}
	return s
}

// ErrMissing is matched by the error of [Gather.Do] when a required section has no result.
var ErrMissing = errors.New("degrade: a required section is missing")

// SectionError says which required section has no result, and why. It matches [ErrMissing] and what Err matches. It is
// also the cause of the context of the sections that are canceled because of it.
type SectionError struct {
	Gather  string // the name of the Gather
	Section string
	Err     error
}

// Error returns such as: gather "page": section "seats": connection refused.
func (e *SectionError) Error() string {
	return fmt.Sprintf("%s %q: section %q: %v", gatherKind, e.Gather, e.Section, e.Err)
}

// Unwrap returns Err.
func (e *SectionError) Unwrap() error { return e.Err }

// Is matches ErrMissing.
func (e *SectionError) Is(target error) bool { return target == ErrMissing }
