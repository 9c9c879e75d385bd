package scene

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/span"
)

// Check is one line of a scene's rule.
type Check struct {
	// Measure is what is looked at.
	Measure Measure
	// Kinds are the requests that are looked at. None means all.
	Kinds []load.Kind
	// From and To are the times of the intended send that are looked at: From ≤ t < To.
	From, To time.Duration
	// AtLeast is the smallest share, 0 to 1, for Goodput and RefusedInTime.
	AtLeast float64
	// Within is the time limit of RefusedInTime.
	Within time.Duration
	// AtMost is the largest ratio of AttemptsPerCall, at least 1.
	AtMost float64
}

// Measure is what a [Check] looks at.
type Measure string

// The measures.
const (
	// Goodput is good answers by requests.
	Goodput Measure = "goodput"
	// RefusedInTime is the share of the refused requests that were told so within a time, from the intended send. It does
	// not hold if more requests failed or came late than were refused: a refusal is for all that cannot be served.
	RefusedInTime Measure = "refused_in_time"
	// AttemptsPerCall is attempts by calls over the whole scene, beside the floor of the arm's retry budgets: attempts ≤
	// AtMost × calls + floor.
	AttemptsPerCall Measure = "attempts_per_call"
)

// Covers reports whether the check looks at a request.
func (c Check) Covers(r load.Request) bool {
	return r.At >= c.From && r.At < c.To && (len(c.Kinds) == 0 || slices.Contains(c.Kinds, r.Kind))
}

func (c Check) validate(length time.Duration) error {
	share := c.AtLeast > 0 && c.AtLeast <= 1
	switch {
	case c.From < 0 || c.To <= c.From || c.To > length:
		return fmt.Errorf("from %v to %v is not a part of 0s to %v", c.From, c.To, length)
	case (c.Measure == Goodput || c.Measure == RefusedInTime) && !share:
		return fmt.Errorf("at_least is %v, want above 0 and up to 1 for %s", c.AtLeast, c.Measure)
	case c.Measure == RefusedInTime && c.Within <= 0:
		return fmt.Errorf("within is %v, want above 0s for %s", c.Within, c.Measure)
	case c.Measure == AttemptsPerCall && !(c.AtMost >= 1):
		return fmt.Errorf("at_most is %v, want at least 1 for %s", c.AtMost, c.Measure)
	case c.Measure != Goodput && c.Measure != RefusedInTime && c.Measure != AttemptsPerCall:
		return fmt.Errorf("measure is %q, want %q, %q or %q", c.Measure, Goodput, RefusedInTime, AttemptsPerCall)
	}
	return nil
}

// String says what must be true, such as: seatmap and catalog: at least 99 % good from 8s to 30s.
func (c Check) String() string {
	switch c.Measure {
	case Goodput:
		return fmt.Sprintf("%s: at least %.4g %% good from %s to %s",
			c.what(), 100*c.AtLeast, span.Short(c.From), span.Short(c.To))
	case RefusedInTime:
		return fmt.Sprintf("%s: at least %.4g %% of the refused ones told within %s",
			c.what(), 100*c.AtLeast, span.Short(c.Within))
	case AttemptsPerCall:
		return fmt.Sprintf("at most %.4g attempts per call, and the floor of the retry budgets", c.AtMost)
	}
	return string(c.Measure)
}

func (c Check) what() string {
	if len(c.Kinds) == 0 {
		return "all requests"
	}
	names := make([]string, len(c.Kinds))
	for i, k := range c.Kinds {
		names[i] = string(k)
	}
	return strings.Join(names, " and ")
}
