package health

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Check is one thing that is looked at in the background.
type Check struct {
	// Name is a constant of the program, unique within a Health, of at most 64 bytes.
	Name string
	// Run returns nil if all is well. Its context ends at Timeout and at Stop; it is the checker's own and never that of a
	// probe. At most one Run of a check is under way, so one that ignores its context holds one goroutine and no more. A
	// panic in it is a failure like any other.
	Run func(context.Context) error
	// Scope is whom it is about. Default [Shared].
	Scope Scope
	// Severity is how much depends on it. Default [Critical].
	Severity Severity
	// FailReadiness makes a critical shared check fail readiness, where other instances could do better after all: they
	// have another zone's replica, say. If they have not, all instances leave at once, and the outage is total; so this
	// check falls only after three times as many failures as Config.Fall, or more if its own Fall is, then waits for up to
	// Config.MaxHold, and the log says so.
	FailReadiness bool
	// DependsOn names checks that are causes of this one's failure. While one of them fails, this one's failure is
	// listed under it, is a warning whatever it would be else, and is not told. A name that no check has at [Health.Start],
	// or at Add if that is later, is logged as seawall.health.depends_on_unknown.
	DependsOn []string

	// Interval, Timeout, Fall and Rise are those of Config where they are 0. For Fall see FailReadiness as well.
	Interval, Timeout time.Duration
	Fall, Rise        int
}

func (c Check) withDefaults(cfg Config) Check {
	c.DependsOn = slices.Clone(c.DependsOn)
	if c.FailReadiness {
		c.Fall = max(c.Fall, min(1000, 3*cfg.Fall))
	}
	setDefault(&c.Interval, cfg.Interval)
	setDefault(&c.Timeout, cfg.Timeout)
	setDefault(&c.Fall, cfg.Fall)
	setDefault(&c.Rise, cfg.Rise)
	return c
}

// Validate returns an error that says what is wrong with the check.
func (c Check) Validate() error {
	switch {
	case c.Name == "" || len(c.Name) > 64:
		return fmt.Errorf("health: Check.Name is %q, want 1 to 64 bytes", c.Name)
	case c.Run == nil:
		return fmt.Errorf("health: check %q: Run is nil", c.Name)
	case c.Scope > Local:
		return fmt.Errorf("health: check %q: Scope is %v, want Shared or Local", c.Name, c.Scope)
	case c.Severity > Optional:
		return fmt.Errorf("health: check %q: Severity is %v, want Critical or Optional", c.Name, c.Severity)
	case c.FailReadiness && (c.Scope != Shared || c.Severity != Critical):
		return fmt.Errorf("health: check %q: FailReadiness is for a critical shared check, this one is %v and %v",
			c.Name, c.Severity, c.Scope)
	case slices.Contains(c.DependsOn, c.Name):
		return fmt.Errorf("health: check %q depends on itself", c.Name)
	}
	return validatePace(fmt.Sprintf("check %q: Check", c.Name), c.Interval, c.Timeout, c.Fall, c.Rise)
}
