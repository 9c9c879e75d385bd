package degrade

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Step is one link of a [Fallback]: a function that gives the value that takes the place of an error, or an error of its
// own. err says what went wrong, and is [ErrExercise] if nothing did. It runs on the goroutine and with the context of the
// call. [Value], [Func], [StaleFunc] and [Chain] make one of what has a type; a plain function will do as well. What those
// that we make give is to be read by a [Fallback] only.
type Step func(ctx context.Context, err error) (any, error)

// ErrExercise is the error that a [Step] gets where nothing went wrong: it is tried out, see
// [FallbackConfig.AlwaysExercise]. No caller sees it.
var ErrExercise = errors.New("degrade: nothing is wrong, this is an exercise")

// Func makes a Step of a function with a typed result. T is the type of the operation's result, or one that it can hold.
func Func[T any](f func(ctx context.Context, err error) (T, error)) Step {
	return func(ctx context.Context, err error) (any, error) { return f(ctx, err) }
}

// Value makes a Step that always gives v. Whoever gets v shares it. It is never exercised: what cannot fail cannot rot.
func Value[T any](v T) Step {
	return func(context.Context, error) (any, error) { return answer{value: v, source: fromStatic}, nil }
}

// StaleFunc makes a Step of a function that gives a copy of an earlier result, and its age. The age is told to the record
// of the call (Facts.Stale), and so to a [Gather].
func StaleFunc[T any](f func(ctx context.Context, err error) (v T, age time.Duration, ferr error)) Step {
	return func(ctx context.Context, err error) (any, error) {
		v, age, ferr := f(ctx, err)
		return answer{value: v, source: fromStale, age: age}, ferr
	}
}

// Chain makes a Step of several, which are tried in order until one has an answer. Each is given the error that is to
// be replaced. If none has an answer, the error's tree holds those of all. None starts once ctx is done. An exercise
// runs them all.
func Chain(steps ...Step) Step {
	for _, step := range steps {
		if step == nil {
			panic("degrade: Chain: a step is nil")
		}
	}
	steps = append([]Step(nil), steps...)
	return func(ctx context.Context, err error) (any, error) {
		if err == ErrExercise { //nolint:errorlint // a Fallback passes it bare
			return exerciseAll(ctx, steps)
		}
		var failed stepErrors
		for _, step := range steps {
			if ctx.Err() != nil {
				failed = append(failed, context.Cause(ctx))
				break
			}
			value, ferr := step(ctx, err)
			if ferr == nil {
				return value, nil
			}
			failed = append(failed, ferr)
		}
		if len(failed) == 0 {
			return nil, errNoStep
		}
		return nil, failed
	}
}

var errNoStep = errors.New("degrade: the chain has no steps")

// exerciseAll gives the answers of all steps, also if some fail: those that work have something to let go of.
func exerciseAll(ctx context.Context, steps []Step) (any, error) {
	var all answers
	var failed stepErrors
	for _, step := range steps {
		value, err := step(ctx, ErrExercise)
		if err != nil {
			failed = append(failed, err)
		}
		if _, several := value.(answers); err == nil || several {
			all = append(all, value)
		}
	}
	if failed != nil {
		return all, failed
	}
	return all, nil
}

// answers are those of an exercised Chain.
type answers []any

// answer is a value that says where it comes from.
type answer struct {
	value  any
	source source
	age    time.Duration
}

// source is where a value comes from, as in the metric seawall.degrade.served.
type source uint8

const (
	fromFunc source = iota
	fromStatic
	fromStale
	sourceCount
)

var sourceNames = [sourceCount]string{"func", "static", "stale"}

// answerOf reads what a step gave. A plain function says nothing of its source.
func answerOf(given any) answer {
	if a, ok := given.(answer); ok {
		return a
	}
	return answer{value: given, source: fromFunc}
}

// stepErrors is why none of several steps had an answer.
type stepErrors []error

func (e stepErrors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; then ")
}

func (e stepErrors) Unwrap() []error { return e }
