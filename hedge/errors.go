package hedge

import (
	"fmt"

	"github.com/seawall-go/seawall"
)

// Error is the error of a call of several attempts of which none succeeded, or of one that had failed when the caller's
// context ended. It matches Why, and the errors of the attempts that had ended before that context did: what an attempt
// returns afterwards says nothing about it, and is kept as Why at the most.
type Error struct {
	Name     string // the Hedge's
	Attempts int    // that were started
	// Why is the cause of the caller's context, or what the attempts made of it, if that ended before they did; else nil.
	Why error
	// Last is the error of the attempt that ended last, of those that it matches.
	Last error

	earlier []error // the latest first
	verdict seawall.Verdict
}

// Error returns such as: hedge "search": 2 attempts, last: connection refused.
func (e *Error) Error() string {
	attempts, why := "attempts", ""
	if e.Attempts == 1 {
		attempts = "attempt"
	}
	if e.Why != nil {
		why = ", " + e.Why.Error()
	}
	return fmt.Sprintf("%s %q: %d %s%s, last: %v", kind, e.Name, e.Attempts, attempts, why, e.Last)
}

// Unwrap returns Why and the errors that Error speaks of, the latest first: errors.As finds the latest of its kind.
func (e *Error) Unwrap() []error {
	tree := make([]error, 0, 2+len(e.earlier))
	if e.Why != nil {
		tree = append(tree, e.Why)
	}
	return append(append(tree, e.Last), e.earlier...)
}

// Verdict is the gravest of what the Hedge's classifier said of the attempts: an overload if one of them met one, else a
// failure; repeated only if each attempt that reached the dependency may be; not before the longest time that any of
// them asked for.
func (e *Error) Verdict() seawall.Verdict { return e.verdict }

// failures are how the attempts of a call have failed. The zero value is none.
type failures struct {
	errs    []error // in the order of the ends
	verdict seawall.Verdict
}

func (f *failures) add(err error, v seawall.Verdict) {
	if f.errs == nil {
		f.verdict = v
	} else {
		f.verdict = gravest(f.verdict, v)
	}
	f.errs = append(f.errs, err)
}

// gravity orders outcomes: a rejection by a gate says nothing of the dependency.
var gravity = [...]uint8{seawall.Ignored: 0, seawall.Success: 1, seawall.Failure: 2, seawall.Overload: 3}

// gravest joins the verdicts on two attempts of one call.
func gravest(a, b seawall.Verdict) seawall.Verdict {
	v := a
	if gravity[b.Outcome] > gravity[a.Outcome] {
		v.Outcome = b.Outcome
	}
	switch {
	case a.Outcome == seawall.Ignored:
		v.Repeat = b.Repeat
	case b.Outcome != seawall.Ignored:
		v.Repeat = min(a.Repeat, b.Repeat)
	}
	v.After = max(a.After, b.After)
	return v
}

func (f *failures) last() error { return f.errs[len(f.errs)-1] }

// error returns the call's error. Here there is at least one failure.
func (f *failures) error(name string, attempts int, why error) *Error {
	e := &Error{Name: name, Attempts: attempts, Why: why, Last: f.last(), verdict: f.verdict}
	for i := len(f.errs) - 2; i >= 0; i-- {
		e.earlier = append(e.earlier, f.errs[i])
	}
	return e
}
