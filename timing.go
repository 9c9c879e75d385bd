package seawall

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/internal/events"
)

// Measure is a time that policies tell of single calls, where somebody wants to know; see [Registry.Observe].
type Measure uint8

const (
	// QueueWait is how long a call waited in the queue of a bulkhead or a ratelimit. Calls that did not have to wait are not
	// told. The outcome is admitted, rejected or canceled.
	QueueWait Measure = iota
	// AttemptDuration is how long one attempt of a retry or a hedge took, waits and further attempts left out. The outcome
	// is an [Outcome]. That of a stream of grpcx is told with its first answer.
	AttemptDuration
	// StaleAge is how old a copy was that a cache, an httpcache or a fallback gave for an answer. The outcome is why.
	StaleAge
)

var measureNames = [...]string{"queue.wait", "attempt.duration", "stale.age"}

// String returns "queue.wait", "attempt.duration" or "stale.age".
func (m Measure) String() string {
	if int(m) < len(measureNames) {
		return measureNames[m]
	}
	return "unknown"
}

// Note is told one time of one policy, on the goroutine of the call and outside of all locks. It must be quick, must return,
// and be safe for concurrent use. A panic of it is logged. outcome is one of few words.
type Note func(ctx context.Context, outcome string, took time.Duration)

type observer struct {
	prepare func(m Measure, kind, name string) Note
}

// Observe has the times of single calls told, from now on until stop is called. That is for histograms, which cannot be made
// of snapshots; without an observer a policy does not read the clock for it, and a call pays for one look at a pointer.
//
// prepare is asked for the Note of a policy when that first has something to tell, perhaps more than once, and on the
// goroutine of a call; nil is for times that are not wanted. The members of a family are told under the family's name.
//
// stop may be called more than once. Times may be told for a moment after it.
func (r *Registry) Observe(prepare func(m Measure, kind, name string) Note) (stop func()) {
	r, o := r.topmost(), &observer{prepare}
	r.changeObservers(func(all []*observer) []*observer { return append(slices.Clone(all), o) })
	return sync.OnceFunc(func() {
		r.changeObservers(func(all []*observer) []*observer {
			return slices.DeleteFunc(slices.Clone(all), func(other *observer) bool { return other == o })
		})
	})
}

func (r *Registry) changeObservers(change func([]*observer) []*observer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*observer
	if old := r.observers.Load(); old != nil {
		all = *old
	}
	if all = change(all); len(all) == 0 {
		r.observers.Store(nil)
		return
	}
	r.observers.Store(&all)
}

// topmost is r, or the registry that it is detached from.
func (r *Registry) topmost() *Registry {
	for r = r.orDefault(); r.parent != nil; r = r.parent {
	}
	return r
}

// Timing tells the times of one policy to those who observe its registry. A nil Timing tells nobody. It is safe for
// concurrent use.
type Timing struct {
	registry   *Registry
	measure    Measure
	kind, name string
	bound      atomic.Pointer[bound]
}

// bound is the notes of the observers that there were.
type bound struct {
	by    *[]*observer
	notes []Note
}

// NewTiming makes the Timing of a policy whose kind and name are those in its registry. In a [Registry.Detached] one the name
// is that of a family with a key, such as hosts[example.com], of which the key is left out.
func NewTiming(r *Registry, m Measure, kind, name string) *Timing {
	if r = r.orDefault(); r.detached {
		name, _, _ = strings.Cut(name, "[")
	}
	return &Timing{registry: r.topmost(), measure: m, kind: kind, name: name}
}

// Wanted reports whether somebody is to be told. It costs two atomic loads, and one if nobody observes the registry.
func (t *Timing) Wanted() bool { return len(t.notes()) > 0 }

// Tell tells a time. It allocates nothing, and may be called without asking Wanted. No lock may be held.
func (t *Timing) Tell(ctx context.Context, outcome string, took time.Duration) {
	for _, note := range t.notes() {
		t.tell(ctx, note, outcome, took)
	}
}

// TellEnd tells how long something took that ran with ctx and ended with err. The outcome is that of classify; a panic of it
// is logged, and counts as a failure.
func (t *Timing) TellEnd(ctx context.Context, err error, classify func(error) Verdict, took time.Duration) {
	if !t.Wanted() {
		return
	}
	outcome := Failure // also if classify panics
	switch err = Settle(ctx, err); err {
	case nil:
		outcome = Success
	case ErrCanceled: //nolint:errorlint // Settle returns it bare, and the policies pass the next one so
		outcome = Ignored
	case ErrAborted:
	default:
		events.Shield(t.registry.Logger(), t.kind, t.name, func() { outcome = classify(err).Outcome })
	}
	t.Tell(ctx, outcome.String(), took)
}

func (t *Timing) tell(ctx context.Context, note Note, outcome string, took time.Duration) {
	events.Shield(t.registry.Logger(), t.kind, t.name, func() { note(ctx, outcome, took) })
}

func (t *Timing) notes() []Note {
	if t == nil {
		return nil
	}
	by := t.registry.observers.Load()
	if by == nil {
		return nil
	}
	if b := t.bound.Load(); b != nil && b.by == by {
		return b.notes
	}
	return t.bind(by)
}

func (t *Timing) bind(by *[]*observer) []Note {
	b := &bound{by: by}
	for _, o := range *by {
		events.Shield(t.registry.Logger(), t.kind, t.name, func() {
			if note := o.prepare(t.measure, t.kind, t.name); note != nil {
				b.notes = append(b.notes, note)
			}
		})
	}
	t.bound.Store(b)
	return b.notes
}
