package retry

import (
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/seawall-go/seawall"
)

// classify is the default classifier.
func classify(err error) seawall.Verdict {
	v := seawall.Classify(err)
	if _, ok := errors.AsType[*backoff.PermanentError](err); ok {
		v.Repeat = seawall.RepeatNever
	}
	return v
}

// askedFor returns how long the dependency asks to stay away, for a verdict that does not say: a classifier that only
// thinks of what to repeat does not undercut it.
func askedFor(err error) time.Duration {
	type retryAfterer interface {
		error
		RetryAfter() time.Duration
	}
	if r, ok := errors.AsType[retryAfterer](err); ok {
		return max(0, r.RetryAfter())
	}
	return 0
}
