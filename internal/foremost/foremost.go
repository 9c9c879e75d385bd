// Package foremost says which members of a family are worth showing, of families that have nothing but the snapshots of
// their members.
package foremost

import (
	"strings"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/keyed"
)

// Claim is what a snapshot has to say for its member. Its number of calls is that of all that the kind counts, in which some
// may be twice: it is compared with those of other members only.
func Claim(s seawall.Snapshot) keyed.Claim {
	c := keyed.Claim{
		First: s.State != "" && s.State != "closed" || s.Mode == seawall.ForcedOpen || s.Mode == seawall.ForcedClosed,
	}
	for _, v := range s.Values {
		if strings.HasPrefix(v.Name, "calls.") || strings.HasPrefix(v.Name, "rejections.") {
			c.Calls += int64(v.V)
		}
	}
	return c
}
