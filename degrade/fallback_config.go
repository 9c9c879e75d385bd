package degrade

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/reconfig"
)

// FallbackConfig sets a [Fallback].
type FallbackConfig struct {
	// AlwaysExercise is the share of the successful calls after which the fallback is tried out as well, so that one
	// that has broken is found before it is needed. Default 0, which is none; up to 1, which is all. With 0.01 the
	// exercised one of a hundred calls takes as much longer as Func takes, and what Func asks has that much more to
	// do. At most one exercise runs at a time. See the package documentation.
	AlwaysExercise float64 `json:"always_exercise" yaml:"always_exercise"`
	// ExerciseLimit is how long an exercise may take. Default 100 ms; 1 ms to 1 h. It is the deadline of the context
	// that Func gets; a Func that ignores its context is not interrupted, and its call waits.
	ExerciseLimit time.Duration `json:"exercise_limit" yaml:"exercise_limit"`

	// Func gives what takes the place of an error, or an error of its own. Required. [Value], [Func], [StaleFunc] and
	// [Chain] make one.
	Func Step `json:"-" yaml:"-"`
	// When says which errors are replaced. Default all. It is not asked, and nothing is replaced, when the caller's
	// context is done: nobody waits for the answer. A panic in it is the caller's.
	When func(err error) bool `json:"-" yaml:"-"`
	// Registry is where the fallback enters itself, and where its events are logged. Default
	// [seawall.DefaultRegistry]. An Update does not change it.
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

func (c FallbackConfig) withDefaults() FallbackConfig {
	if c.ExerciseLimit == 0 {
		c.ExerciseLimit = 100 * time.Millisecond
	}
	return c
}

// Validate returns an error that names a field that is missing or out of its range, its value, and the range.
func (c FallbackConfig) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("degrade: FallbackConfig.%s is %v, want %s", field, value, want)
	}
	switch c = c.withDefaults(); {
	case !(c.AlwaysExercise >= 0 && c.AlwaysExercise <= 1): // also refuses NaN
		return bad("AlwaysExercise", c.AlwaysExercise, "0 to 1")
	case c.ExerciseLimit < time.Millisecond || c.ExerciseLimit > time.Hour:
		return bad("ExerciseLimit", c.ExerciseLimit, "1ms to 1h")
	case c.Func == nil:
		return bad("Func", "nil", "a function")
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, their functions and registry left
// aside.
func (c FallbackConfig) Equal(other FallbackConfig) bool { return len(c.changes(other)) == 0 }

// changes returns the names, as in a file, of the fields that differ in meaning.
func (c FallbackConfig) changes(other FallbackConfig) (fields reconfig.Fields) {
	c, other = c.withDefaults(), other.withDefaults()
	fields.Add("always_exercise", c.AlwaysExercise != other.AlwaysExercise)
	fields.Add("exercise_limit", c.ExerciseLimit != other.ExerciseLimit)
	return fields
}

// Config returns the configuration in force, defaults filled in.
func (f *Fallback) Config() FallbackConfig { return *f.cfg.Load() }

// Update changes the configuration while calls run. It validates first, and changes all or nothing; the counts stay. A
// call that runs keeps the configuration that it met. The registry stays the one of NewFallback. A change is logged as
// seawall.config.updated.
func (f *Fallback) Update(cfg FallbackConfig) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	f.mu.Lock()
	old := f.cfg.Load()
	cfg = cfg.withDefaults()
	cfg.Registry = old.Registry
	f.cfg.Store(&cfg)
	f.mu.Unlock()
	reconfig.Updated(cfg.Registry, fallbackKind, f.name, old.changes(cfg))
	return nil
}
