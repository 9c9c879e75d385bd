package degrade

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"slices"
	"time"

	"github.com/seawall-go/seawall"
)

// Part is a section of any type, as [Gather.Do] takes them; [Section] makes one. Nothing else implements it: a section
// that brings the value of its fallback with it can then be checked by the compiler, where an error would be found in
// the next outage.
type Part interface {
	sectionName() string
	isRequired() bool
	load(ctx context.Context, l *load)
}

// SectionOf is a section whose result is a T. It is made by [Section], and immutable: its methods return another one.
type SectionOf[T any] struct {
	name      string
	policy    seawall.Policy
	to        *T
	from      func(context.Context) (T, error)
	fallbacks []fallbackOf[T]
	optional  bool
}

// fallbackOf is one of the fallbacks of a section.
type fallbackOf[T any] struct {
	give   func(context.Context, error) (T, error)
	shared bool // its results are everybody's, and must not be closed
}

// Section is one part of the answer of a [Gather]. Its result comes from load, which runs under policy, nil for none,
// and is written to the destination when all sections have ended. The section is required, unless it is made
// [SectionOf.Optional]. Section panics if the destination or load is nil.
//
// load runs on another goroutine than the caller's. It returns its result and should set nothing that others use.
func Section[T any](
	name string, policy seawall.Policy, destination *T, load func(context.Context) (T, error),
) SectionOf[T] {
	if destination == nil {
		panic(fmt.Sprintf("degrade: Section %q: destination is nil", name))
	}
	if load == nil {
		panic(fmt.Sprintf("degrade: Section %q: load is nil", name))
	}
	if policy == nil {
		policy = seawall.Chain()
	}
	return SectionOf[T]{name: name, policy: policy, to: destination, from: load}
}

// Optional makes the section one whose failure is no failure of the whole: it is missing, and its destination keeps
// what it had.
func (s SectionOf[T]) Optional() SectionOf[T] {
	s.optional = true
	return s
}

// Or adds a fallback: if load fails under the policy, and if the fallbacks before have no answer, f gives the result. It
// is given the error, and runs outside of the policy. It is not asked once the context is done: by the caller, or
// because a required section has failed.
func (s SectionOf[T]) Or(f func(ctx context.Context, err error) (T, error)) SectionOf[T] {
	if f == nil {
		panic(fmt.Sprintf("degrade: Section %q: Or is given nil", s.name))
	}
	return s.or(fallbackOf[T]{give: f})
}

func (s SectionOf[T]) or(f fallbackOf[T]) SectionOf[T] {
	s.fallbacks = append(slices.Clip(s.fallbacks), f) // the receiver's stay as they are
	return s
}

// OrStale adds a fallback that gives a copy of an earlier result, and its age; else it is like [SectionOf.Or].
func (s SectionOf[T]) OrStale(
	f func(ctx context.Context, err error) (v T, age time.Duration, ferr error),
) SectionOf[T] {
	if f == nil {
		panic(fmt.Sprintf("degrade: Section %q: OrStale is given nil", s.name))
	}
	return s.Or(func(ctx context.Context, err error) (T, error) {
		v, age, ferr := f(ctx, err)
		if ferr == nil {
			seawall.RecordOf(ctx).Note(func(facts *seawall.Facts) { facts.Stale = age })
		}
		return v, ferr
	})
}

// OrValue adds a fallback that always gives v. Whoever gets v shares it.
func (s SectionOf[T]) OrValue(v T) SectionOf[T] {
	return s.or(fallbackOf[T]{
		give:   func(context.Context, error) (T, error) { return v, nil },
		shared: true,
	})
}

func (s SectionOf[T]) sectionName() string { return s.name }
func (s SectionOf[T]) isRequired() bool    { return !s.optional }

// load is how the loading of a section ended.
type load struct {
	err      error // why there is no result
	replaced error // what a fallback of the section replaced
	canceled bool  // err came after the context was canceled
	facts    seawall.Facts
	commit   func() // writes the result; nil if there is none
	discard  func() // lets go of the result instead; nil if there is none
}

func (s SectionOf[T]) load(ctx context.Context, l *load) {
	ctx, record := seawall.WithRecord(ctx)
	v, err := seawall.Call(ctx, s.policy, s.from)
	shared := false
	if err != nil {
		closeResult(v)
		v, shared, err = s.instead(ctx, err, l)
	}
	l.facts, l.err = record.Facts(), err
	if err != nil {
		return
	}
	l.commit = func() { *s.to = v }
	if !shared {
		l.discard = func() { closeResult(v) }
	}
}

// instead asks the fallbacks, in order.
func (s SectionOf[T]) instead(ctx context.Context, err error, l *load) (v T, shared bool, final error) {
	failed := stepErrors{err}
	for _, fallback := range s.fallbacks {
		if ctx.Err() != nil {
			break
		}
		got, ferr := fallback.give(ctx, err)
		if ferr == nil {
			l.replaced = err
			return got, fallback.shared, nil
		}
		closeResult(got)
		failed = append(failed, ferr)
	}
	if len(failed) == 1 {
		return v, false, err
	}
	return v, false, failed
}

// closeResult lets go of a result that nobody gets, as seawall.Call does.
func closeResult[T any](v T) {
	if reflect.ValueOf(&v).Elem().IsZero() {
		return
	}
	if c, ok := any(v).(io.Closer); ok {
		if r := reflect.ValueOf(c); r.Kind() == reflect.Pointer && r.IsNil() {
			return
		}
		_ = c.Close() // nobody is left who could act on the error
	}
}
