package grpcx_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/grpcx"
)

const (
	success  = seawall.Success
	failure  = seawall.Failure
	overload = seawall.Overload
	ignored  = seawall.Ignored

	never      = seawall.RepeatNever
	idempotent = seawall.RepeatIfIdempotent
	always     = seawall.RepeatAlways
)

// meaning is a verdict without its hint.
type meaning struct {
	outcome seawall.Outcome
	repeat  seawall.Repeat
}

// T66: all codes by all causes, and by what a peer may say.
func TestEveryCodeHasOneMeaningForEachCause(t *testing.T) {
	type row struct{ peer, deadline, unsent, listed, refused, trusted, hinted meaning }
	failsForGood := row{
		peer: meaning{failure, never}, deadline: meaning{failure, never},
		unsent: meaning{failure, never}, listed: meaning{failure, idempotent},
		refused: meaning{failure, never}, trusted: meaning{failure, never}, hinted: meaning{failure, never},
	}
	answers := row{listed: meaning{success, idempotent}}
	may := meaning{failure, idempotent}
	lost := row{
		peer: may, deadline: meaning{failure, never}, unsent: meaning{failure, always}, listed: may,
		refused: may, trusted: may, hinted: may,
	}
	unavailable := lost
	unavailable.refused, unavailable.trusted = meaning{overload, idempotent}, meaning{overload, always}
	may = meaning{overload, idempotent}
	exhausted := row{
		peer: may, deadline: meaning{overload, never}, unsent: meaning{overload, always}, listed: may,
		refused: may, trusted: meaning{overload, always}, hinted: meaning{overload, always},
	}
	rows := map[codes.Code]row{
		codes.Canceled: lost, codes.Unknown: failsForGood, codes.InvalidArgument: answers, codes.DeadlineExceeded: lost,
		codes.NotFound: answers, codes.AlreadyExists: answers, codes.PermissionDenied: answers,
		codes.ResourceExhausted: exhausted, codes.FailedPrecondition: answers, codes.Aborted: answers,
		codes.OutOfRange: answers, codes.Unimplemented: answers, codes.Internal: failsForGood,
		codes.Unavailable: unavailable, codes.DataLoss: failsForGood, codes.Unauthenticated: answers,
		99: failsForGood,
	}
	if len(rows) != 17 { // the 16 that are not OK, and one that is none
		t.Fatalf("%d rows", len(rows))
	}
	for code, r := range rows {
		for _, c := range []struct {
			cause string
			e     grpcx.Ending
			want  meaning
		}{
			{"the peer", grpcx.Ending{}, r.peer},
			{"the caller, who left", grpcx.Ending{Leaving: true, Hinted: true, Unsent: true}, meaning{ignored, never}},
			{"the caller's deadline", grpcx.Ending{Deadline: true, Unsent: true, Listed: true}, r.deadline},
			{"our limit", grpcx.Ending{Limit: true}, meaning{failure, idempotent}},
			{"our limit, unsent", grpcx.Ending{Limit: true, Unsent: true}, meaning{failure, always}},
			{"the connection, unsent", grpcx.Ending{Unsent: true}, r.unsent},
			{"the peer, listed", grpcx.Ending{Listed: true}, r.listed},
			{"the peer, refused", grpcx.Ending{Refused: true}, r.refused},
			{"the peer, refused, trusted", grpcx.Ending{Refused: true, Trusted: true}, r.trusted},
			{"the peer, trusted", grpcx.Ending{Trusted: true}, r.peer},
			{"the peer, with a time", grpcx.Ending{Hinted: true}, r.hinted},
			{"the peer, for good", grpcx.Ending{Final: true, Hinted: true, Listed: true}, meaning{r.peer.outcome, never}},
		} {
			c.e.Code = code
			v := grpcx.Judge(c.e)
			if got := (meaning{v.Outcome, v.Repeat}); got != c.want {
				t.Errorf("%v by %s: %v, %v, want %v, %v", code, c.cause, got.outcome, got.repeat, c.want.outcome, c.want.repeat)
			}
		}
	}
	for _, e := range []grpcx.Ending{{}, {Leaving: true}, {Limit: true}, {Refused: true, Hinted: true, Listed: true}} {
		if v := grpcx.Judge(e); v != (seawall.Verdict{}) {
			t.Errorf("OK with %+v is %+v", e, v)
		}
	}
}

// T67
func TestHintIsInTheVerdict(t *testing.T) {
	for _, c := range []struct {
		e    grpcx.Ending
		want time.Duration
	}{
		{grpcx.Ending{}, 0},
		{grpcx.Ending{After: time.Second}, 0},
		{grpcx.Ending{Hinted: true}, 1},
		{grpcx.Ending{Hinted: true, After: time.Second}, time.Second},
		{grpcx.Ending{Hinted: true, After: -time.Second}, 1},
		{grpcx.Ending{Hinted: true, After: time.Second, Leaving: true}, 0},
	} {
		c.e.Code = codes.Unavailable
		if got := grpcx.Judge(c.e).After; got != c.want {
			t.Errorf("%+v: after %v, want %v", c.e, got, c.want)
		}
	}
}
