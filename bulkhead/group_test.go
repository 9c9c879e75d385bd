package bulkhead_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

func newGroup(cfg bulkhead.GroupConfig[int]) *bulkhead.Group[int] {
	cfg.Registry = quietRegistry()
	return bulkhead.NewGroup("tenants", cfg)
}

var oneEach = bulkhead.GroupConfig[int]{
	Bulkhead: bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}},
}

// T76
func TestGroupKeepsTheTroubleOfOneKeyFromTheOthers(t *testing.T) {
	g := newGroup(oneEach)
	acquire(t, g.For(1))
	_, err := g.For(1).Acquire(t.Context())
	wantReason(t, err, seawall.ReasonFull)
	if err := g.For(2).Do(t.Context(), succeed); err != nil {
		t.Errorf("another key: %v", err)
	}
	if first := g.For(1); g.For(1) != first || g.For(2) == first {
		t.Error("want one bulkhead for each key")
	}
	s := g.Stats()
	if s.Keys != 2 || s.Sum.Limit != 1 || s.Sum.InUse != 1 || s.Sum.Admitted != 2 || s.Sum.Rejected.Full != 1 {
		t.Errorf("stats are %+v", s)
	}
}

// T76: a million keys, and those with slots in use, callers waiting or a mode set by hand are still there.
func TestGroupStaysBoundedAndForgetsNobodyWhoIsIn(t *testing.T) {
	keys := 200_000
	if raceEnabled || testing.Short() {
		keys = 20_000
	}
	const most = 100
	cfg := oneEach
	cfg.MaxKeys = most
	g := newGroup(cfg)
	permit := acquire(t, g.For(-1))
	if err := g.For(-2).SetMode(seawall.ForcedOpen); err != nil {
		t.Fatal(err)
	}
	in, forcedOpen := g.For(-1), g.For(-2)
	for key := range keys {
		if err := g.For(key).Do(t.Context(), succeed); err != nil {
			t.Fatal(err)
		}
	}
	if n := g.Len(); n > most+2 {
		t.Errorf("%d bulkheads, want at most %d and two that must be kept", n, most)
	}
	if g.For(-1) != in || g.For(-2) != forcedOpen {
		t.Error("one was forgotten that must be kept")
	}
	if s := g.Stats(); s.Sum.Admitted != int64(keys+1) || s.Sum.InUse != 1 {
		t.Errorf("stats are %+v, want all calls of the forgotten ones in the sums", s)
	}
	permit.Done(nil)
	if in.Keep() || !forcedOpen.Keep() {
		t.Error("Keep is to be true for the one whose mode was set by hand only")
	}
}

// T76: keys are forgotten and made again while they are used, and no slot stays taken.
func TestGroupLosesNoSlotOfAKeyThatIsForgottenAndMadeAgain(t *testing.T) {
	cfg := oneEach
	cfg.MaxKeys = 1
	g := newGroup(cfg)
	const keys = 4
	var served atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				key := (worker + i) % keys
				permit, err := g.For(key).Acquire(t.Context())
				if err != nil {
					continue
				}
				served.Add(1)
				runtime.Gosched()
				permit.Done(nil)
			}
		})
	}
	wg.Wait()
	for key := range keys {
		if err := g.For(key).Do(t.Context(), succeed); err != nil {
			t.Errorf("key %d: %v", key, err)
		}
	}
	s := g.Stats()
	if s.Keys > keys || s.Sum.InUse != 0 || s.Sum.Admitted > served.Load()+keys || s.Sum.Admitted < served.Load()/2 {
		t.Errorf("stats are %+v after %d calls", s, served.Load()+keys)
	}
}

func TestGroupUpdatesItsMembers(t *testing.T) {
	var log bytes.Buffer
	registry := &seawall.Registry{}
	registry.SetLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})))
	cfg := oneEach
	cfg.Registry, cfg.Bulkhead.Weight = registry, weightOf
	g := bulkhead.NewGroup("tenants", cfg)
	old := g.For(1)
	permit := acquire(t, old)
	cfg.Bulkhead.Limit, cfg.Bulkhead.Weight = 3, nil
	if err := g.Update(cfg); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*bulkhead.Bulkhead{old, g.For(2)} {
		if c := b.Config(); c.Limit != 3 || c.Weight == nil {
			t.Errorf("the limit is %d, and there is a weight: %v; want 3 and the old one", c.Limit, c.Weight != nil)
		}
	}
	if err := g.Update(g.Config()); err != nil { // changes nothing
		t.Error(err)
	}
	cfg.Bulkhead.Mode = seawall.ForcedClosed
	if err := g.Update(cfg); err != nil {
		t.Error(err)
	}
	permit.Done(nil)
	if old.Config().Mode != seawall.ForcedClosed || old.Keep() {
		t.Error("a mode that comes from the group is not one that was set by hand")
	}
	want := `level=INFO msg=seawall.config.updated kind=bulkhead name=tenants fields=bulkhead.limit
level=INFO msg=seawall.config.updated kind=bulkhead name=tenants fields=bulkhead.mode
`
	if log.String() != want {
		t.Errorf("logged:\n%swant:\n%s", &log, want)
	}
	before := g.Config()
	for _, bad := range []bulkhead.GroupConfig[int]{{MaxKeys: 7}, {Bulkhead: bulkhead.Config{Limit: -1}}} {
		if err := g.Update(bad); err == nil || !g.Config().Equal(before) {
			t.Errorf("%+v: error is %v, and the configuration %+v", bad, err, g.Config())
		}
	}
}

// T75: two updates and a For meet. The member took over the later configuration first, then the earlier one, and kept it
// for ever.
func TestGroupLeavesNoMemberBehindWhenUpdatesMeet(t *testing.T) {
	g := newGroup(bulkhead.GroupConfig[int]{})
	member := g.For(1)
	for round := range 2000 {
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				cfg := bulkhead.GroupConfig[int]{Bulkhead: bulkhead.Config{Limit: 1 + (4*round+i)%100}}
				if err := g.Update(cfg); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() { g.For(1) })
		}
		all.Wait()
		if got, want := member.Config().Limit, g.Config().Bulkhead.Limit; got != want {
			t.Fatalf("round %d: the limit of the member is %d, that of the group %d", round, got, want)
		}
	}
}

// T43, T78
func TestGroupConfigRefusesImpossibleValues(t *testing.T) {
	for _, tc := range []struct {
		cfg  bulkhead.GroupConfig[int]
		want string
	}{
		{bulkhead.GroupConfig[int]{MaxKeys: -1}, "bulkhead: GroupConfig.MaxKeys is -1, want 1 to 1000000"},
		{bulkhead.GroupConfig[int]{MaxKeys: math.MaxInt}, "GroupConfig.MaxKeys"},
		{
			bulkhead.GroupConfig[int]{Bulkhead: bulkhead.Config{Limit: -1}},
			"bulkhead: GroupConfig.Bulkhead: bulkhead: Config.Limit is -1, want 1 to 1000000",
		},
		{
			bulkhead.GroupConfig[int]{Bulkhead: bulkhead.Config{Registry: quietRegistry()}},
			"bulkhead: GroupConfig.Bulkhead.Registry is set, want nil: the group enters GroupConfig.Registry",
		},
	} {
		err := tc.cfg.Validate()
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Validate says %v, want %q", err, tc.want)
			continue
		}
		func() {
			defer func() {
				if value := recover(); value != err.Error() {
					t.Errorf("NewGroup panicked with %v, want %v", value, err)
				}
			}()
			bulkhead.NewGroup("impossible", tc.cfg)
		}()
	}
	var zero bulkhead.GroupConfig[int]
	if got := newGroup(zero).Config(); got.MaxKeys != 1000 || !got.Equal(zero) || got.Bulkhead.Limit != 64 {
		t.Errorf("the default is %+v", got)
	}
	if zero.Equal(bulkhead.GroupConfig[int]{MaxKeys: 5}) || zero.Equal(oneEach) {
		t.Error("different configurations are equal")
	}
	text, err := json.Marshal(oneEach)
	var back bulkhead.GroupConfig[int]
	if err != nil || json.Unmarshal(text, &back) != nil || !back.Equal(oneEach) {
		t.Errorf("%s came back as %+v, %v", text, back, err)
	}
}

func TestGroupSnapshotHasTheSumsAndTheForemostMembers(t *testing.T) {
	cfg := oneEach
	if s := newGroup(cfg).Snapshot(); s.Members != nil || s.Name != "tenants" || s.Kind != "bulkhead" {
		t.Errorf("snapshot is %+v", s)
	}
	cfg.Label = func(key int) string { return fmt.Sprintf("tenant-%d%s", key, strings.Repeat("é", key*20)) }
	g := newGroup(cfg)
	for key := range 50 {
		_ = g.For(key%3).Do(t.Context(), succeed)
		_ = g.For(100+key).Do(t.Context(), succeed)
	}
	_ = g.For(0).Do(t.Context(), succeed)
	permit := acquire(t, g.For(77))
	defer permit.Done(nil)
	s := g.Snapshot()
	if len(s.Members) != 32 || !strings.HasPrefix(s.Members[0].Name, "tenants[tenant-0") {
		t.Errorf("%d members, the first is %q, want 32 and the busiest", len(s.Members), s.Members[0].Name)
	}
	if err := g.For(120).SetMode(seawall.ForcedClosed); err != nil {
		t.Fatal(err)
	}
	if s := g.Snapshot(); !strings.HasPrefix(s.Members[0].Name, "tenants[tenant-120") || !strings.HasPrefix(s.Members[1].Name, "tenants[tenant-0") {
		t.Errorf("%q and %q are first, want the one whose mode was set by hand, and the busiest", s.Members[0].Name, s.Members[1].Name)
	}
	for _, m := range s.Members {
		if n := len(m.Name); n > len("tenants[]")+64 || !strings.HasSuffix(m.Name, "]") || m.Kind != "bulkhead" {
			t.Errorf("a member is %s %q, of %d bytes", m.Kind, m.Name, n)
		}
	}
	want := map[string]float64{"members": 54, "limit": 1, "active": 1, "calls.admitted": 102}
	for _, v := range s.Values {
		if n, ok := want[v.Name]; ok && n != v.V {
			t.Errorf("%s is %v, want %v", v.Name, v.V, n)
		}
	}
	if keys := 0; g.Len() != 54 {
		for range g.All() {
			keys++
		}
		t.Errorf("%d members, %d in All, want 54", g.Len(), keys)
	}
}

// T77
func TestGroupEntersItsRegistryAsOneMember(t *testing.T) {
	registry := quietRegistry()
	cfg := oneEach
	cfg.Registry = registry
	g := bulkhead.NewGroup("tenants", cfg)
	for key := range 10 {
		_ = g.For(key).Do(t.Context(), succeed)
	}
	if s := registry.Snapshots(); len(s) != 1 || s[0].Name != "tenants" {
		t.Errorf("the registry has %+v", s)
	}
	if g.String() != `bulkhead "tenants"` || g.Name() != "tenants" {
		t.Errorf("it is called %v, %q", g, g.Name())
	}
}

func ExampleNewGroup() {
	tenants := bulkhead.NewGroup("tenants", bulkhead.GroupConfig[string]{
		Bulkhead: bulkhead.Config{Limit: 2, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}},
		MaxKeys:  10_000,
		Registry: &seawall.Registry{},
	})
	ctx := context.Background()
	for range 3 {
		_, err := tenants.For("acme").Acquire(ctx)
		fmt.Println(err)
	}
	fmt.Println(tenants.For("initech").Do(ctx, reserve))
	// Output:
	// <nil>
	// <nil>
	// bulkhead "tenants": full
	// <nil>
}
