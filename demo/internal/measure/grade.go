package measure

import (
	"net/http"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
)

// Grade says what an answer was worth to the customer. Only Good counts as goodput.
type Grade string

// The grades, in the order in which an answer is judged: the first that fits is its grade.
const (
	// Refused is an honest "not now", such as 503 with a hint. It is better than silence, and still not an answer.
	Refused Grade = "refused"
	// Failed is no answer, or an error: a timeout, a broken connection, a status that says so.
	Failed Grade = "failed"
	// Wrong is an answer that is not what was asked for, or not complete.
	Wrong Grade = "wrong"
	// TooOld is data that is older than allowed, or stale without saying so.
	TooOld Grade = "too_old"
	// Slow is the right answer after the deadline.
	Slow Grade = "slow"
	// Good is correct and in time. A true "taken" is.
	Good Grade = "good"
)

// Grades returns all of them, in that order.
func Grades() []Grade { return []Grade{Refused, Failed, Wrong, TooOld, Slow, Good} }

// Grade judges one answer. Whether a "taken" was true cannot be seen here: the checker holds all of them against the
// databases when the scene has ended.
func (s SLO) Grade(a load.Answer) Grade {
	switch {
	case a.Pushback, a.Status == http.StatusTooManyRequests, a.Status == http.StatusServiceUnavailable:
		return Refused
	case a.Err != "", !answered(a):
		return Failed
	case !a.Valid:
		return Wrong
	case a.Kind.Read() && a.Age > s.allowed(a):
		return TooOld
	case a.Latency() > s.Deadline(a.Kind):
		return Slow
	}
	return Good
}

// answered reports whether the status is that of an answer: success, or an honest "taken" for a hold.
func answered(a load.Answer) bool {
	return a.Status >= 200 && a.Status < 300 || a.Kind == load.Hold && a.Conflict && a.Status == http.StatusConflict
}

// allowed is how old the data of an answer may be, by what the answer says of itself.
func (s SLO) allowed(a load.Answer) time.Duration {
	if a.Stale {
		return s.Ages(a.Kind).Stale
	}
	return s.Ages(a.Kind).Fresh
}
