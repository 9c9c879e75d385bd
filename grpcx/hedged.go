package grpcx

import (
	"context"

	"github.com/seawall-go/seawall"
)

// race makes a call whose attempts may run beside each other. Each has an answer of its own, since one that has lost may
// still be read from the wire when the call has ended. The caller gets the winner's, or that of the attempt by which the
// call has failed.
func (x *unaryCall) race(within context.Context) error {
	another := makerOf(x.reply)
	a, err := seawall.Call(within, x.target.hedged, func(within context.Context) (*answer, error) {
		a := &answer{reply: another()}
		entrance := within
		if seawall.Attempt(within) > 1 {
			entrance = impatient{within}
		}
		return a, x.try(within, within, entrance, a, x.withResults(nil, a))
	})
	if a == nil { // no attempt was made
		return err
	}
	if err == nil {
		copyReply(x.reply, a.reply)
	}
	x.answer = *a
	return err
}
