package seawall

import (
	"context"
	"time"
)

// Gate lets a call in or rejects it, and learns how the call ended: breaker, bulkhead, ratelimit.
type Gate interface {
	Policy
	// Acquire asks for one call. It may wait, never beyond ctx. The error is a rejection that matches [ErrRejected],
	// or that of ctx. The caller ends the permit by Done, exactly once, on every path.
	Acquire(ctx context.Context) (Permit, error)
}

// Scope gives what is inside of it a context of its own: timeout.
type Scope interface {
	Policy
	// Enter derives the context for one call. An error refuses the call.
	Enter(ctx context.Context) (context.Context, error)
	// Leave ends the call: it releases inner, which Enter returned for outer, and returns the error that the caller
	// is to see for err, the error of what ran inside. If that panicked or called runtime.Goexit, err is
	// [ErrAborted] and what Leave returns is not used.
	Leave(outer, inner context.Context, err error) error
}

// Repeater runs a call again: retry.
type Repeater interface {
	Policy
	// Ended is told how the first attempt of a call ended: nil for success, [ErrAborted] after a panic. It returns
	// nil when the call ends with that, and else what decides about further attempts; Next is then called with the
	// same error.
	Ended(ctx context.Context, err error) Repetition
}

// Repetition is the rest of one call under a [Repeater]. It is used by one goroutine at a time.
type Repetition interface {
	// Next is told how an attempt failed. It returns whether another follows, and after which wait. The wait must be
	// one that can end before the deadline of ctx.
	Next(ctx context.Context, err error) (wait time.Duration, again bool)
	// Started is told that the attempt that Next announced starts: its wait is over, and ctx is not done. n is its
	// number, 2 for the first repetition.
	Started(n int)
	// End is told how the call ends, once: with nil, with the error of the last attempt, with the cause of ctx if that
	// ended during a wait, or with [ErrAborted]. It returns the error that the caller is to see.
	End(err error) error
}

// Stopwatch is a [Repeater] or a [Racer] that passes on how long its attempts take; see [AttemptDuration].
type Stopwatch interface {
	// Timed reports whether somebody wants to know. It is asked for each call, and costs next to nothing.
	Timed() bool
	// Took is told how long an attempt took, its context, and how it ended: [ErrAborted] after a panic. It comes before
	// the attempt's end is told otherwise. It neither panics nor calls runtime.Goexit.
	Took(ctx context.Context, err error, d time.Duration)
}

// Racer runs further attempts of a call beside the first, and takes the best end: hedge. When the race ends the contexts
// of all attempts are canceled, the winner's as well: a result that is still to be read must not depend on it.
type Racer interface {
	Policy
	// Race begins a call.
	Race(ctx context.Context) Race
}

// Race is one call under a [Racer]. It is used by one goroutine at a time.
type Race interface {
	// Next returns how long after the latest start another attempt is to start, if none has won by then; false if no
	// more are to start. math.MaxInt64 is no time at all: it starts only if Ended says StartNext.
	Next() (delay time.Duration, more bool)
	// Started is told that attempt n, counted from 1, starts. false forbids it: the race goes on without it.
	Started(n int) bool
	// Ended is told how attempt n ended, in the order of the ends.
	Ended(n int, err error) Finish
	// End is told how the race ended: with the winner's number and error, or with 0 and the cause of the caller's
	// context or [ErrAborted]. It returns the error that the caller is to see.
	End(winner int, err error) error
}

// Finish is what the end of one attempt means for its [Race].
type Finish uint8

const (
	// KeepRunning waits for the other attempts, and for the next one to start in its time. If none is left, the race
	// ends with this one.
	KeepRunning Finish = iota
	// StartNext starts the next attempt at once, if there is one.
	StartNext
	// Win ends the race: the others are canceled.
	Win
)

// Replacer puts something else in the place of a call's final error: degrade.
type Replacer interface {
	Policy
	// Replace is given the error of what is inside. With a nil error its value becomes the result; otherwise its
	// error, which may be err itself, is what the caller sees.
	Replace(ctx context.Context, err error) (value any, rerr error)
}

// Exerciser is a [Replacer] that at times tries, after a call that has succeeded, whether it could have replaced an
// error: a fallback that runs only when it is needed is broken by then.
type Exerciser interface {
	Replacer
	// Exercise is asked after each success. It returns nil for most of them, and else what runs the trial: accept
	// says whether a value could be the result of the call, and lets go of it as of any result that is not returned.
	// The result of the call waits for it, so it must neither panic nor call runtime.Goexit.
	Exercise(ctx context.Context) (trial func(accept func(value any) error))
}
