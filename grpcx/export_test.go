package grpcx

import (
	"time"

	"google.golang.org/grpc/codes"

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
func (c *Client) Known() int { return len(*c.methods.known.Load()) }
