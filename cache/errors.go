package cache

import (
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
)

var (
	// ErrNotFound is what a load returns for a key that its source does not have. It goes to the caller, drops the copy
	// that there was, and is kept for Config.NegativeTTL. A stale value never covers it.
	ErrNotFound = errors.New("cache: not found")
	// ErrTimeout is matched by the error of a call that has waited for a load for as long as Config.Hard allows; see
	// [TimeoutError].
	ErrTimeout = errors.New("cache: load takes too long")
	// ErrNoLoad is the error of a call for a key without a copy that has no function to load one.
	ErrNoLoad = errors.New("cache: no copy, and no function that loads one")
	// ErrOwnKey is the error of a load that asks the cache for the key that it loads: it would wait for itself.
	ErrOwnKey = errors.New("cache: a load asks for its own key")
	// ErrExited is the error of a load that has called runtime.Goexit.
	ErrExited = errors.New("cache: the load called runtime.Goexit")
	// ErrClosed is the error of a call that needs a load after Close.
	ErrClosed = errors.New("cache: closed")
	// ErrUnknownOutcome says, in the tree of an error of Config.Store, that the write may have happened. So do an error
	// of a context and one whose Timeout method says true.
	ErrUnknownOutcome = errors.New("cache: outcome of the write is unknown")

	errLoadTimeout  = timedOut("cache: load took longer than LoadTimeout")
	errNothingKnown = errors.New("cache: NotModified without a copy")
	errNoSuchLoad   = errors.New("cache: the load of many keys ended without a result")
)

// timedOut is the cause of a load that one of our limits has ended.
type timedOut string

func (e timedOut) Error() string { return string(e) }
func (timedOut) Timeout() bool   { return true }

// NotModified is what a load returns instead of a value if the copy of which [ValidatorOf] told it is still right. The
// copy lives on as if it had been loaded now.
var NotModified error = notModified{}

type notModified struct{}

func (notModified) Error() string { return "cache: not modified" }

// Final marks the error of a load as one that no stale value may cover: the caller sees it, and the copy that there was
// is dropped. err stays in its tree. Final(nil) is nil.
func Final(err error) error {
	if err == nil {
		return nil
	}
	return &finalError{err}
}

type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

// TimeoutError is the error of a call that has waited for a load for as long as Config.Hard allows, and had no copy to
// fall back on. The load goes on, and what it brings is kept. It matches [ErrTimeout].
type TimeoutError struct {
	Name  string        // the cache's
	Limit time.Duration // that was exceeded
}

// Error returns such as: cache "products": no answer within 500ms.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s %q: no answer within %v", kind, e.Name, e.Limit)
}

// Is matches ErrTimeout.
func (e *TimeoutError) Is(target error) bool { return target == ErrTimeout }

// Timeout is true.
func (e *TimeoutError) Timeout() bool { return true }

// Verdict is a [seawall.Failure] that may be repeated if the call is idempotent.
func (e *TimeoutError) Verdict() seawall.Verdict {
	return seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatIfIdempotent}
}
