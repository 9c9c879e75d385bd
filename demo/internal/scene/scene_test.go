package scene_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func one(t *testing.T, name string) scene.Scene {
	t.Helper()
	found, err := scene.Find(name)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %d scenes, %v", name, len(found), err)
	}
	return found[0]
}

func TestScenesAreValidAndSurviveJSON(t *testing.T) {
	for _, s := range scene.All() {
		s = s.Seed(7)
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back scene.Scene
		if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(s, back) {
			t.Errorf("%s became %+v, %v", s.Name, back, err)
		}
		if back.Plan.Seed != 7 {
			t.Errorf("the plan has seed %d", back.Plan.Seed)
		}
	}
}

// The design's table of scenes: what README and report say depends on it.
func TestScenesAreThoseOfTheTable(t *testing.T) {
	brownout := one(t, "brownout")
	want := fault.Fault{At: 8 * time.Second, For: 12 * time.Second, Kind: fault.Slow, Target: "inventory", Factor: 40}
	if brownout.Length != 30*time.Second || len(brownout.Plan.Faults) != 1 || brownout.Plan.Faults[0] != want {
		t.Errorf("brownout: %+v", brownout)
	}
	if onInventory := brownout.Rate * (brownout.Mix.SeatMap + brownout.Mix.Hold); math.Abs(onInventory-140) > 1 {
		t.Errorf("brownout: inventory gets %.1f a second, want 70 %% of 200", onInventory)
	}
	storm := one(t, "retrystorm")
	want = fault.Fault{At: 8 * time.Second, For: 8 * time.Second, Kind: fault.Capacity, Target: "inventory", Factor: 0.4}
	if storm.Length != 45*time.Second || len(storm.Plan.Faults) != 1 || storm.Plan.Faults[0] != want {
		t.Errorf("retrystorm: %+v", storm)
	}
	if storm.Rate != 140 || storm.Mix != (load.Mix{Hold: 1}) {
		t.Errorf("retrystorm: %v of %v", storm.Rate, storm.Mix)
	}
}

func TestRulesSayWhatTheyAskFor(t *testing.T) {
	var got []string
	for _, s := range scene.All() {
		for _, c := range s.Rule {
			got = append(got, c.String())
		}
	}
	want := []string{
		"seatmap and catalog: at least 99 % good from 8s to 30s",
		"hold: at least 99 % of the refused ones told within 50ms",
		"all requests: at least 95 % good from 21s to 45s",
		"at most 1.1 attempts per call, and the floor of the retry budgets",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}

func TestFind(t *testing.T) {
	for _, row := range []struct {
		list string
		want string // names, or a part of the error
		ok   bool
	}{
		{"tour", "brownout retrystorm", true},
		{"all", "brownout retrystorm", true},
		{"retrystorm", "retrystorm", true},
		{"retrystorm, brownout", "retrystorm brownout", true},
		{"browout", `no scenario "browout": did you mean brownout? known are tour, all, brownout, retrystorm`, false},
		{"retry-storm", "did you mean retrystorm?", false},
		{"flashsale", `no scenario "flashsale": known are`, false},
		{"Brownout", "did you mean brownout?", false},
		{"", "a name is missing", false},
		{"brownout,", "a name is missing", false},
		{"brownout,brownout", "brownout is in it twice", false},
		{"tour,brownout", "brownout is in it twice", false},
	} {
		found, err := scene.Find(row.list)
		var names []string
		for _, s := range found {
			names = append(names, s.Name)
		}
		switch {
		case row.ok && (err != nil || strings.Join(names, " ") != row.want):
			t.Errorf("%q: %v, %v; want %s", row.list, names, err, row.want)
		case !row.ok && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%q: %v, %v; want an error with %q", row.list, names, err, row.want)
		}
	}
}

func TestTimesScalesAllTimesAndNothingElse(t *testing.T) {
	s := one(t, "retrystorm")
	before, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	short, err := s.Times(9 * time.Second) // a fifth
	if err != nil {
		t.Fatal(err)
	}
	if err := short.Validate(); err != nil {
		t.Error(err)
	}
	f, rule := short.Plan.Faults[0], short.Rule[0]
	if five, err := s.Times(5 * time.Second); err != nil || five.Recover != 2*time.Second {
		t.Errorf("the target became %v, %v: shorter than can be measured", five.Recover, err)
	}
	if short.Length != 9*time.Second || f.At != 1600*time.Millisecond || f.For != 1600*time.Millisecond ||
		rule.From != 4200*time.Millisecond || rule.To != 9*time.Second ||
		short.Recover != 2*time.Second || short.RecoverWindow != 1 {
		t.Errorf("%+v", short)
	}
	if short.Rate != s.Rate || short.SLO != s.SLO || f.Factor != 0.4 || rule.AtLeast != 0.95 {
		t.Errorf("more than the times changed: %+v", short)
	}
	// T19: the original is left alone.
	if after, err := json.Marshal(s); err != nil || string(after) != string(before) {
		t.Errorf("the original became %s, %v", after, err)
	}
	for _, length := range []time.Duration{
		scene.ShortestLength, 7 * time.Second, 11 * time.Second, time.Minute, scene.LongestLength,
	} {
		for _, s := range scene.All() {
			scaled, err := s.Times(length)
			if err != nil {
				t.Fatal(err)
			}
			if err := scaled.Validate(); err != nil {
				t.Errorf("%v: %v", length, err)
			}
		}
	}
	for _, length := range []time.Duration{0, -time.Second, time.Millisecond, 48 * time.Hour} {
		if _, err := s.Times(length); err == nil || !strings.Contains(err.Error(), length.String()) {
			t.Errorf("%v: %v", length, err)
		}
	}
}

func TestLoadRefusesNonsense(t *testing.T) {
	s := one(t, "retrystorm")
	if half, err := s.Load(0.5); err != nil || half.Rate != 70 {
		t.Errorf("%v, %v", half.Rate, err)
	}
	for _, factor := range []float64{0, -1, 101, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := s.Load(factor); err == nil {
			t.Errorf("a load of %v was accepted", factor)
		}
	}
}

func TestValidateNamesWhatIsImpossible(t *testing.T) {
	for want, broken := range map[string]func(*scene.Scene){
		"no name":        func(s *scene.Scene) { s.Name = "" },
		"length":         func(s *scene.Scene) { s.Length = 0 },
		"rate":           func(s *scene.Scene) { s.Rate = math.NaN() },
		"recover is":     func(s *scene.Scene) { s.Recover = 0 },
		"recover_window": func(s *scene.Scene) { s.RecoverWindow = 0 },
		"mix":            func(s *scene.Scene) { s.Mix = load.Mix{} },
		"SLO.Hold":       func(s *scene.Scene) { s.SLO.Hold = 0 },
		"factor":         func(s *scene.Scene) { s.Plan.Faults[0].Factor = 0 },
		"fault ends":     func(s *scene.Scene) { s.Plan.Faults[0].For = time.Hour },
		"part of":        func(s *scene.Scene) { s.Rule[0].To = time.Hour },
		"at_least":       func(s *scene.Scene) { s.Rule[0].AtLeast = 1.1 },
		"at_most":        func(s *scene.Scene) { s.Rule[1].AtMost = 0 },
		"within":         func(s *scene.Scene) { s.Rule[0].Measure = scene.RefusedInTime },
		"measure is":     func(s *scene.Scene) { s.Rule[0].Measure = "luck" },
	} {
		s := one(t, "retrystorm")
		broken(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

func TestPhasesCoverTheScene(t *testing.T) {
	s := one(t, "retrystorm")
	want := []scene.Phase{
		{"before", 0, 8 * time.Second},
		{"during", 8 * time.Second, 16 * time.Second},
		{"after", 16 * time.Second, 45 * time.Second},
	}
	if got := s.Phases(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	s.Plan.Faults = append(s.Plan.Faults, fault.Fault{At: 2 * time.Second, For: time.Second})
	if from, to, ok := s.Trouble(); from != 2*time.Second || to != 16*time.Second || !ok {
		t.Errorf("trouble from %v to %v", from, to)
	}
	s.Plan.Faults = nil
	if got := s.Phases(); !reflect.DeepEqual(got, []scene.Phase{{"all", 0, 45 * time.Second}}) {
		t.Errorf("%v", got)
	}
}
