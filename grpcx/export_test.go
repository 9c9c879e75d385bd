package grpcx

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
)

// The one door to the inside.

// Ending is what judge goes by.
type Ending struct {
	Code                                    codes.Code
	Leaving, Deadline, Limit                bool
	Unsent, Listed, Refused, Trusted, Final bool
	Hinted                                  bool
	After                                   time.Duration
}

// Judge is judge.
func Judge(e Ending) seawall.Verdict {
	by := byPeer
	switch {
	case e.Leaving:
		by = byLeaving
	case e.Deadline:
		by = byDeadline
	case e.Limit:
		by = byLimit
	}
	return judge(ending{e.Code, by, e.Unsent, e.Listed, e.Refused, e.Trusted, e.Final, e.Hinted, e.After})
}

// Groups returns how many pairs of target and group are remembered.
func (c *Client) Groups() int { return c.gates.breakers.Len() }

// Known returns how many methods are remembered.
func (c *Client) Known() int { return len(*c.methods.Load().known.Load()) }

// ReadPushback is what a client reads of what a server says.
func ReadPushback(trailer metadata.MD, st *status.Status) (hinted bool, after time.Duration, refused, final bool) {
	var e ending
	e.readPushback(trailer, st)
	return e.hinted, e.after, e.refused, e.final
}

// Method returns what is known of a method.
func (c *Client) Method(name string) (group string, idempotent bool) {
	t := c.methods.Load().find("", name)
	return t.key.Value().name, t.idempotent
}

// Fresh is the context of the policies of a call, and what makes it one that is not fresh.
func Fresh(within, caller context.Context) (ctx context.Context, age func()) {
	f := &fresh{within: within, caller: caller}
	return f, func() { f.aged.Store(true) }
}
