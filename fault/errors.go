package fault

import (
	"errors"
	"fmt"

	"github.com/seawall-go/seawall"
)

// ErrStarted is matched by the error of Start when the injector was started or stopped before: a plan runs once.
var ErrStarted = errors.New("fault: started or stopped before")

// ErrInjected is matched by every error that this package puts in the place of an answer.
var ErrInjected = errors.New("fault: injected")

// InjectedError is a failure made by a fault. It matches [ErrInjected]. It is immutable, and a fault gives the same
// value each time.
type InjectedError struct {
	Kind   Kind
	Target string
}

// Error returns such as: fault "payments": injected error.
func (e *InjectedError) Error() string { return fmt.Sprintf("fault %q: injected %s", e.Target, e.Kind) }

// Is matches ErrInjected.
func (e *InjectedError) Is(target error) bool { return target == ErrInjected }

// Verdict is a failure that is repeated if idempotent: like that of a real dependency, it does not tell whether the
// work was done.
func (e *InjectedError) Verdict() seawall.Verdict {
	return seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatIfIdempotent}
}
