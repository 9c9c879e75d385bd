package health

import "fmt"

// Status is how a check, or the whole, does.
type Status uint8

const (
	// Pass means that all is well.
	Pass Status = iota
	// Warn means that it serves, but not as well as it could.
	Warn
	// Fail means that it does not serve.
	Fail
)

var statusNames = [...]string{Pass: "pass", Warn: "warn", Fail: "fail"}

// String returns pass, warn or fail.
func (s Status) String() string { return nameOf("Status", statusNames[:], s) }

// MarshalText returns what String does.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Phase is how far the life of the program has got. It only goes forward.
type Phase uint8

const (
	// Starting lasts until each critical check has passed once.
	Starting Phase = iota
	// Running is between start and end.
	Running
	// Draining is from [Health.Drain] on.
	Draining
)

var phaseNames = [...]string{Starting: "starting", Running: "running", Draining: "draining"}

// String returns starting, running or draining.
func (p Phase) String() string { return nameOf("Phase", phaseNames[:], p) }

// MarshalText returns what String does.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Scope says whom a check is about.
type Scope uint8

const (
	// Shared is what all instances share: a database, a broker, another service. Another instance could do no better
	// without it, so its failure is a warning. It is the zero Scope, because the opposite mistake is an outage.
	Shared Scope = iota
	// Local is what this instance has for itself: its disk, its cache that is not warm yet, its worker that is stuck.
	Local
)

var scopeNames = [...]string{Shared: "shared", Local: "local"}

// String returns shared or local.
func (s Scope) String() string { return nameOf("Scope", scopeNames[:], s) }

// MarshalText returns what String does.
func (s Scope) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Severity says how much depends on a check.
type Severity uint8

const (
	// Critical is what the program cannot do its work without. It has to pass once before the start has finished.
	Critical Severity = iota
	// Optional is what it can do without: it never does more than warn, and no start waits for it.
	Optional
)

var severityNames = [...]string{Critical: "critical", Optional: "optional"}

// String returns critical or optional.
func (s Severity) String() string { return nameOf("Severity", severityNames[:], s) }

// MarshalText returns what String does.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func nameOf[E ~uint8](kind string, names []string, e E) string {
	if int(e) < len(names) {
		return names[e]
	}
	return fmt.Sprintf("%s(%d)", kind, e)
}
