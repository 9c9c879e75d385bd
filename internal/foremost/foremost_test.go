package foremost_test

import (
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/foremost"
	"github.com/seawall-go/seawall/internal/keyed"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestClaimIsReadFromASnapshot(t *testing.T) {
	calls := []seawall.Value{{Name: "limit", V: 64}, {Name: "calls.admitted", V: 3}, {Name: "rejections.full", V: 2}}
	for name, c := range map[string]struct {
		s    seawall.Snapshot
		want keyed.Claim
	}{
		"new":           {seawall.Snapshot{Kind: "bulkhead"}, keyed.Claim{}},
		"busy":          {seawall.Snapshot{Kind: "bulkhead", Values: calls}, keyed.Claim{Calls: 5}},
		"closed":        {seawall.Snapshot{Kind: "breaker", State: "closed"}, keyed.Claim{}},
		"open":          {seawall.Snapshot{Kind: "breaker", State: "open"}, keyed.Claim{First: true}},
		"ramping":       {seawall.Snapshot{Kind: "breaker", State: "ramping"}, keyed.Claim{First: true}},
		"forced open":   {seawall.Snapshot{Mode: seawall.ForcedOpen}, keyed.Claim{First: true}},
		"forced closed": {seawall.Snapshot{Mode: seawall.ForcedClosed}, keyed.Claim{First: true}},
		"shadow":        {seawall.Snapshot{Mode: seawall.Shadow}, keyed.Claim{}},
	} {
		if got := foremost.Claim(c.s); got != c.want {
			t.Errorf("%s claims %+v, want %+v", name, got, c.want)
		}
	}
}
