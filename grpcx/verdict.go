package grpcx

import (
	"time"

	"google.golang.org/grpc/codes"

	"github.com/seawall-go/seawall"
)

// party is who ended a call.
type party uint8

const (
	byPeer     party = iota // the other side, or the connection to it
	byLeaving               // the caller, who canceled
	byDeadline              // the caller's deadline
	byLimit                 // a limit of time of ours
)

// ending is all that decides what the end of a call means.
type ending struct {
	code codes.Code
	by   party

	unsent  bool // it is certain that no message of the call went out; the client's side only
	listed  bool // the code is one of those that the configuration adds to what is repeated
	refused bool // the peer says that it has started nothing
	trusted bool // and is believed about that
	final   bool // the peer says that the call is not to be repeated

	hinted bool          // the peer says when another attempt may come
	after  time.Duration // and that is so long from now; 0 is at once
}

// judge is the table of the codes, for both sides; the package's documentation has it in words. A server goes by the
// outcome alone.
func judge(e ending) seawall.Verdict {
	if e.code == codes.OK {
		return seawall.Verdict{}
	}
	var v seawall.Verdict
	if e.hinted {
		v.After = max(1, e.after) // 0 would be that the peer did not say
	}
	switch v.Outcome, v.Repeat = judgeCode(e); e.by {
	case byPeer:
	case byLeaving:
		return seawall.Verdict{Outcome: seawall.Ignored}
	case byDeadline:
		return seawall.Verdict{Outcome: v.Outcome}
	case byLimit: // whatever code was made of it
		v.Outcome, v.Repeat = seawall.Failure, seawall.RepeatIfIdempotent
	}
	switch {
	case e.final:
		v.Repeat = seawall.RepeatNever
	case e.listed && v.Repeat == seawall.RepeatNever:
		v.Repeat = seawall.RepeatIfIdempotent
	case e.unsent && v.Repeat == seawall.RepeatIfIdempotent:
		v.Repeat = seawall.RepeatAlways
	}
	return v
}

// judgeCode is what a code means that the peer has chosen, or grpc-go in its place.
func judgeCode(e ending) (seawall.Outcome, seawall.Repeat) {
	believed := e.refused && e.trusted
	switch e.code {
	case codes.Unavailable:
		outcome, repeat := seawall.Failure, seawall.RepeatIfIdempotent
		if e.refused {
			outcome = seawall.Overload
		}
		if believed {
			repeat = seawall.RepeatAlways
		}
		return outcome, repeat
	case codes.ResourceExhausted:
		if believed || e.hinted {
			return seawall.Overload, seawall.RepeatAlways
		}
		return seawall.Overload, seawall.RepeatIfIdempotent
	case codes.DeadlineExceeded, codes.Canceled:
		return seawall.Failure, seawall.RepeatIfIdempotent
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return seawall.Failure, seawall.RepeatNever
	}
	if e.code > codes.Unauthenticated { // none of gRPC's
		return seawall.Failure, seawall.RepeatNever
	}
	return seawall.Success, seawall.RepeatNever // an answer that says no
}
