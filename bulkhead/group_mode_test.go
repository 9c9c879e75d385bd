package bulkhead_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// T12: the mode of a family that leaves one of its keys as it was.
func TestModeOfAGroupReachesMembersThatWereSetByHandAndThoseToCome(t *testing.T) {
	var log bytes.Buffer
	registry := new(seawall.Registry)
	registry.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	g := bulkhead.NewGroup("tenants", bulkhead.GroupConfig[int]{Registry: registry, Bulkhead: bulkhead.Config{Limit: 3}})
	_ = g.For(1)
	byHand := func(mode seawall.Mode) {
		t.Helper()
		if err := g.For(2).SetMode(mode); err != nil {
			t.Fatal(err)
		}
	}
	byHand(seawall.ForcedClosed)
	log.Reset()
	for _, mode := range []seawall.Mode{seawall.ForcedOpen, seawall.Enforce} {
		if err := g.SetMode(mode); err != nil {
			t.Fatal(err)
		}
		for key := range 4 {
			if got := g.For(key).Config(); got.Mode != mode || got.Limit != 3 {
				t.Errorf("key %d has %+v, want mode %v", key, got, mode)
			}
		}
		if g.Config().Bulkhead.Mode != mode || g.Snapshot().Mode != mode {
			t.Errorf("the group is in mode %v", g.Snapshot().Mode)
		}
	}
	byHand(seawall.Shadow)
	if err := g.SetMode(seawall.Enforce); err != nil || g.For(2).Config().Mode != seawall.Enforce {
		t.Errorf("the same mode again leaves a member in %v: %v", g.For(2).Config().Mode, err)
	}
	if got := strings.Count(log.String(), "seawall.gate.mode_changed kind=bulkhead name=tenants from="); got != 3 {
		t.Errorf("logged %d times, want two of the group and one of the member:\n%s", got, log.String())
	}
	if g.SetMode(99) == nil {
		t.Error("there is no such mode")
	}
}

func TestMemberOfAGroupIsFoundByItsNameAndNotMade(t *testing.T) {
	g := bulkhead.NewGroup("tenants", bulkhead.GroupConfig[int]{Registry: quietRegistry(), Label: func(int) string { return "a" }})
	if g.Member("tenants[a]") != nil || g.Len() != 0 {
		t.Error("there is one before it was made")
	}
	if b := g.For(1); g.Member("tenants[a]") != seawall.Member(b) || g.Member("a") != nil {
		t.Error("it is not found")
	}
}
