package seawall

import "fmt"

// WaitError is the error of a call whose context ended while it waited at a gate: the operation did not run. It matches
// the cause of the context. It is neutral, like a rejection, also for the policies further out: the time was spent with
// us, and says nothing about the dependency.
type WaitError struct {
	Kind string // kind of policy, such as "bulkhead"
	Name string // the policy's name

	cause error
}

// Waited makes the error of a call that gave up waiting because its context ended with cause.
func Waited(kind, name string, cause error) *WaitError { return &WaitError{kind, name, cause} }

// Error returns such as: bulkhead "payments": gave up waiting: context canceled.
func (e *WaitError) Error() string {
	return fmt.Sprintf("%s %q: gave up waiting: %v", e.Kind, e.Name, e.cause)
}

// Unwrap returns the cause.
func (e *WaitError) Unwrap() error { return e.cause }

// Verdict is [Ignored], never repeated: the dependency was not asked, and the caller's time is over.
func (*WaitError) Verdict() Verdict { return Verdict{Outcome: Ignored} }
