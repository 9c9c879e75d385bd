package retry

import (
	"errors"

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
