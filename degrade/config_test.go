package degrade_test

import (
	"encoding/json"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
)

// T78: the defaults are the documented ones.
func TestZeroConfigsAreTheDocumentedOnes(t *testing.T) {
	f := newFallback(degrade.FallbackConfig{Func: degrade.Value(1)}).Config()
	if f.AlwaysExercise != 0 || f.ExerciseLimit != 100*time.Millisecond || !f.Equal(degrade.FallbackConfig{}) {
		t.Errorf("fallback: %+v", f)
	}
	g := newGather(degrade.GatherConfig{}).Config()
	if g.Parallel != 16 || !g.Equal(degrade.GatherConfig{}) {
		t.Errorf("gather: %+v", g)
	}
	b := newBrownout(degrade.BrownoutConfig{}).Config()
	want := degrade.BrownoutConfig{
		Sheddable: degrade.Threshold{Enter: 0.8, Leave: 0.6}, SheddablePlus: degrade.Threshold{Enter: 0.9, Leave: 0.675},
		Critical: degrade.Threshold{Enter: degrade.Never},
		Interval: 100 * time.Millisecond, Hold: time.Second, Recover: 5 * time.Second,
	}
	near := func(a, b degrade.Threshold) bool { return math.Abs(a.Enter-b.Enter)+math.Abs(a.Leave-b.Leave) < 1e-9 }
	if !near(b.Sheddable, want.Sheddable) || !near(b.SheddablePlus, want.SheddablePlus) || b.Critical != want.Critical ||
		b.Interval != want.Interval || b.Hold != want.Hold || b.Recover != want.Recover || b.Mode != seawall.Enforce {
		t.Errorf("brownout: %+v, want %+v", b, want)
	}
	if !b.Equal(degrade.BrownoutConfig{}) {
		t.Error("the zero BrownoutConfig does not equal the one that it means")
	}
}

// T78
func TestBrownoutDefaultsFollowWhatIsGiven(t *testing.T) {
	for _, c := range []struct {
		name                      string
		given                     degrade.BrownoutConfig
		sheddable, plus, critical degrade.Threshold
	}{
		{
			"a queue's delay",
			degrade.BrownoutConfig{Sheddable: degrade.Threshold{Enter: 2}},
			degrade.Threshold{Enter: 2, Leave: 1.5},
			degrade.Threshold{Enter: 2.25, Leave: 1.6875},
			degrade.Threshold{Enter: degrade.Never},
		},
		{
			"a narrow band",
			degrade.BrownoutConfig{Sheddable: degrade.Threshold{Enter: 1, Leave: 0.9}, Critical: degrade.Threshold{Enter: 1.125}},
			degrade.Threshold{Enter: 1, Leave: 0.9},
			degrade.Threshold{Enter: 1.125, Leave: 0.9},
			degrade.Threshold{Enter: 1.125, Leave: 0.9},
		},
		{
			"by hand",
			degrade.BrownoutConfig{Sheddable: degrade.Threshold{Enter: degrade.Never}},
			degrade.Threshold{Enter: degrade.Never},
			degrade.Threshold{Enter: degrade.Never},
			degrade.Threshold{Enter: degrade.Never},
		},
		{
			"the highest",
			degrade.BrownoutConfig{Sheddable: degrade.Threshold{Enter: 1e9, Leave: 1}},
			degrade.Threshold{Enter: 1e9, Leave: 1},
			degrade.Threshold{Enter: 1e9, Leave: 0.75e9},
			degrade.Threshold{Enter: degrade.Never},
		},
	} {
		if got := newBrownout(c.given).Config(); got.Sheddable != c.sheddable || got.SheddablePlus != c.plus || got.Critical != c.critical {
			t.Errorf("%s: resolved to %+v", c.name, got)
		}
	}
}

// config is what the three have in common.
type config interface{ Validate() error }

// T78: each impossible value is refused by Validate, New and Update alike, and named.
func TestConfigsRefuseWhatCannotBe(t *testing.T) {
	f := newFallback(degrade.FallbackConfig{Func: degrade.Value(1)})
	g := newGather(degrade.GatherConfig{})
	b := newBrownout(degrade.BrownoutConfig{})
	step := degrade.Value(1)
	for _, c := range []struct {
		field string
		cfg   config
	}{
		{"FallbackConfig.Func", degrade.FallbackConfig{}},
		{"FallbackConfig.AlwaysExercise", degrade.FallbackConfig{Func: step, AlwaysExercise: -0.1}},
		{"FallbackConfig.AlwaysExercise", degrade.FallbackConfig{Func: step, AlwaysExercise: 1.1}},
		{"FallbackConfig.AlwaysExercise", degrade.FallbackConfig{Func: step, AlwaysExercise: math.NaN()}},
		{"FallbackConfig.AlwaysExercise", degrade.FallbackConfig{Func: step, AlwaysExercise: math.Inf(1)}},
		{"FallbackConfig.ExerciseLimit", degrade.FallbackConfig{Func: step, ExerciseLimit: -1}},
		{"FallbackConfig.ExerciseLimit", degrade.FallbackConfig{Func: step, ExerciseLimit: time.Millisecond - 1}},
		{"FallbackConfig.ExerciseLimit", degrade.FallbackConfig{Func: step, ExerciseLimit: time.Hour + 1}},
		{"FallbackConfig.ExerciseLimit", degrade.FallbackConfig{Func: step, ExerciseLimit: math.MaxInt64}},
		{"GatherConfig.Parallel", degrade.GatherConfig{Parallel: -2}},
		{"GatherConfig.Parallel", degrade.GatherConfig{Parallel: 1001}},
		{"GatherConfig.Parallel", degrade.GatherConfig{Parallel: math.MaxInt}},
		{"GatherConfig.Parallel", degrade.GatherConfig{Parallel: math.MinInt}},
		{"BrownoutConfig.Sheddable.Enter", degrade.BrownoutConfig{Sheddable: degrade.Threshold{Enter: -0.5}}},
		{"BrownoutConfig.Sheddable.Enter", degrade.BrownoutConfig{Sheddable: degrade.Threshold{Enter: math.NaN()}}},
		{"BrownoutConfig.Sheddable.Enter", degrade.BrownoutConfig{Sheddable: degrade.Threshold{Enter: math.Inf(1)}}},
		{"BrownoutConfig.Sheddable.Enter", degrade.BrownoutConfig{Sheddable: degrade.Threshold{Enter: 1e10}}},
		{"BrownoutConfig.Sheddable.Leave", degrade.BrownoutConfig{Sheddable: degrade.Threshold{Leave: 0.8}}},
		{"BrownoutConfig.Sheddable.Leave", degrade.BrownoutConfig{Sheddable: degrade.Threshold{Leave: -1}}},
		{"BrownoutConfig.Sheddable.Leave", degrade.BrownoutConfig{Sheddable: degrade.Threshold{Leave: math.NaN()}}},
		{"BrownoutConfig.Sheddable.Leave", degrade.BrownoutConfig{Sheddable: degrade.Threshold{Enter: math.SmallestNonzeroFloat64}}},
		{"BrownoutConfig.SheddablePlus.Enter", degrade.BrownoutConfig{SheddablePlus: degrade.Threshold{Enter: 0.7}}},
		{"BrownoutConfig.SheddablePlus.Leave", degrade.BrownoutConfig{SheddablePlus: degrade.Threshold{Leave: 0.5}}},
		{"BrownoutConfig.SheddablePlus.Enter", degrade.BrownoutConfig{
			Sheddable: degrade.Threshold{Enter: degrade.Never}, SheddablePlus: degrade.Threshold{Enter: 0.9},
		}},
		{"BrownoutConfig.Critical.Enter", degrade.BrownoutConfig{
			SheddablePlus: degrade.Threshold{Enter: degrade.Never}, Critical: degrade.Threshold{Enter: 1},
		}},
		{"BrownoutConfig.Critical.Enter", degrade.BrownoutConfig{Critical: degrade.Threshold{Enter: 0.85}}},
		{"BrownoutConfig.Critical.Leave", degrade.BrownoutConfig{Critical: degrade.Threshold{Enter: 1, Leave: 0.6}}},
		{"BrownoutConfig.Critical.Leave", degrade.BrownoutConfig{Critical: degrade.Threshold{Leave: -77}}},
		{"BrownoutConfig.Critical.Leave", degrade.BrownoutConfig{Critical: degrade.Threshold{Leave: math.NaN()}}},
		{"BrownoutConfig.Critical.Leave", degrade.BrownoutConfig{Critical: degrade.Threshold{Enter: degrade.Never, Leave: 0.5}}},
		{"BrownoutConfig.Sheddable.Leave", degrade.BrownoutConfig{Sheddable: degrade.Threshold{Enter: degrade.Never, Leave: 0.5}}},
		{"BrownoutConfig.SheddablePlus.Leave", degrade.BrownoutConfig{
			Sheddable: degrade.Threshold{Enter: degrade.Never}, SheddablePlus: degrade.Threshold{Leave: 0.5},
		}},
		{"BrownoutConfig.Interval", degrade.BrownoutConfig{Interval: -1}},
		{"BrownoutConfig.Interval", degrade.BrownoutConfig{Interval: time.Minute + 1}},
		{"BrownoutConfig.Hold", degrade.BrownoutConfig{Hold: 1}},
		{"BrownoutConfig.Hold", degrade.BrownoutConfig{Hold: math.MaxInt64}},
		{"BrownoutConfig.Recover", degrade.BrownoutConfig{Recover: -1}},
		{"BrownoutConfig.Recover", degrade.BrownoutConfig{Recover: 24*time.Hour + 1}},
		{"BrownoutConfig.Mode", degrade.BrownoutConfig{Mode: 5}},
	} {
		want := "degrade: " + c.field + " is "
		err := c.cfg.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), ", want ") {
			t.Errorf("%+v: %v, want %s...", c.cfg, err, want)
			continue
		}
		var updated error
		renew := func() {}
		switch cfg := c.cfg.(type) {
		case degrade.FallbackConfig:
			updated, renew = f.Update(cfg), func() { degrade.NewFallback("bad", cfg) }
		case degrade.GatherConfig:
			updated, renew = g.Update(cfg), func() { degrade.NewGather("bad", cfg) }
		case degrade.BrownoutConfig:
			updated, renew = b.Update(cfg), func() { degrade.NewBrownout("bad", cfg) }
		}
		if updated == nil || updated.Error() != err.Error() {
			t.Errorf("Update says %v, Validate %v", updated, err)
		}
		func() {
			defer func() {
				if value := recover(); value != err.Error() {
					t.Errorf("New panicked with %v, want %v", value, err)
				}
			}()
			renew()
		}()
	}
	if !f.Config().Equal(degrade.FallbackConfig{}) || !g.Config().Equal(degrade.GatherConfig{}) || !b.Config().Equal(degrade.BrownoutConfig{}) {
		t.Error("a refused update changed something")
	}
}

// fullBrownout has no field at its default.
var fullBrownout = degrade.BrownoutConfig{
	Sheddable: degrade.Threshold{Enter: 0.5, Leave: 0.25}, SheddablePlus: degrade.Threshold{Enter: 0.6, Leave: 0.3},
	Critical: degrade.Threshold{Enter: 0.7, Leave: 0.4}, Interval: time.Second, Hold: 2 * time.Second, Recover: 3 * time.Second,
	Mode: seawall.Shadow,
}

// T78
func TestConfigsSurviveJSON(t *testing.T) {
	text, err := json.Marshal(fullBrownout)
	var got degrade.BrownoutConfig
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil || !got.Equal(fullBrownout) {
		t.Errorf("%s is %+v, %v", text, got, err)
	}
	text, err = json.Marshal(degrade.FallbackConfig{AlwaysExercise: 0.5, ExerciseLimit: time.Second, Func: degrade.Value(1)})
	if want := `{"always_exercise":0.5,"exercise_limit":1000000000}`; string(text) != want || err != nil {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
	text, err = json.Marshal(degrade.GatherConfig{Parallel: degrade.AllAtOnce})
	if want := `{"parallel":-1}`; string(text) != want || err != nil {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
}

// Each field makes a difference, has the same name in JSON and YAML, and is told by that name when it changes.
func TestConfigsDifferInEachField(t *testing.T) {
	registry, log := logged()
	zero := degrade.BrownoutConfig{Registry: registry}
	full := reflect.ValueOf(fullBrownout)
	for i := range full.NumField() {
		field := full.Type().Field(i)
		name := field.Tag.Get("json")
		if name != field.Tag.Get("yaml") || name == "" {
			t.Errorf("%s is tagged %q", field.Name, field.Tag)
		}
		if name == "-" || name == "sheddable" { // the defaults of others depend on that
			continue
		}
		changed := zero
		v := reflect.ValueOf(&changed).Elem().Field(i)
		v.Set(full.Field(i))
		if field.Type == reflect.TypeFor[degrade.Threshold]() {
			v.Set(reflect.ValueOf(degrade.Threshold{Enter: 3, Leave: 0.75}))
		}
		if changed.Equal(zero) {
			t.Errorf("%s makes no difference", field.Name)
		}
		b := degrade.NewBrownout("fields."+name, zero)
		if err := b.Update(changed); err != nil || !b.Config().Equal(changed) {
			t.Errorf("%s: %v", field.Name, err)
		}
		if want := "name=fields." + name + " fields=" + name + "\n"; name != "mode" && !strings.Contains(log.String(), want) {
			t.Errorf("want %q in\n%s", want, log.String())
		}
	}
}

func TestUpdateOfAFallbackIsToldAndKeepsItsCounts(t *testing.T) {
	registry, log := logged()
	f := newFallback(degrade.FallbackConfig{Func: degrade.Value("old"), Registry: registry})
	_, _ = seawall.Call(t.Context(), f, failing)
	cfg := f.Config()
	cfg.Func, cfg.AlwaysExercise, cfg.ExerciseLimit, cfg.Registry = degrade.Value("new"), 0.5, time.Second, nil
	if err := f.Update(cfg); err != nil {
		t.Fatal(err)
	}
	if got, _ := seawall.Call(t.Context(), f, failing); got != "new" || f.Stats().Static != 2 || f.Config().Registry != registry {
		t.Errorf("got %q, %+v", got, f.Stats())
	}
	_ = f.Update(f.Config())
	want := `level=INFO msg=seawall.config.updated kind=fallback name=copy fields="always_exercise exercise_limit"`
	if strings.Count(log.String(), "updated") != 1 || !strings.Contains(log.String(), want) {
		t.Errorf("want once %q in\n%s", want, log.String())
	}
	g := newGather(degrade.GatherConfig{Registry: registry})
	_ = g.Update(degrade.GatherConfig{Parallel: 16})
	_ = g.Update(degrade.GatherConfig{Parallel: 3})
	want = `level=INFO msg=seawall.config.updated kind=gather name=page fields=parallel`
	if strings.Count(log.String(), "kind=gather") != 1 || !strings.Contains(log.String(), want) || g.Config().Registry != registry {
		t.Errorf("want once %q in\n%s", want, log.String())
	}
}

// T77
func TestAllThreeEnterTheRegistryUnderTheirNames(t *testing.T) {
	registry := quiet()
	f := degrade.NewFallback("a", degrade.FallbackConfig{Func: degrade.Value(1), Registry: registry})
	g := degrade.NewGather("b", degrade.GatherConfig{Registry: registry})
	b := degrade.NewBrownout("c", degrade.BrownoutConfig{Registry: registry})
	twice := degrade.NewBrownout("c", degrade.BrownoutConfig{Registry: registry})
	var names []string
	for _, s := range registry.Snapshots() {
		names = append(names, s.Kind+" "+s.Name)
		if len(s.Values) == 0 || len(s.Values) > 32 {
			t.Errorf("%s has %d values", s.Kind, len(s.Values))
		}
	}
	if got, want := strings.Join(names, ", "), "brownout c, brownout c#2, fallback a, gather b"; got != want {
		t.Errorf("the registry has %s, want %s", got, want)
	}
	_ = twice.SetMode(seawall.ForcedOpen)
	if err := twice.Do(t.Context(), succeed); err.Error() != `brownout "c#2": forced` {
		t.Error(err)
	}
	if f.Name()+g.Name()+b.Name()+twice.Name() != "abcc#2" {
		t.Error("the names are not those of the registry")
	}
	for want, got := range map[string]string{`fallback "a"`: f.String(), `gather "b"`: g.String(), `brownout "c"`: b.String()} {
		if got != want {
			t.Errorf("%s calls itself %s", want, got)
		}
	}
	if f.Traits().Kind != "fallback" || g.Traits().Kind != "gather" || b.Traits().Kind != "brownout" {
		t.Error("the traits have another kind")
	}
}

// T77
func TestRegistryKeepsNothingAlive(t *testing.T) {
	registry := quiet()
	for range 1000 {
		_ = degrade.NewFallback("dropped", degrade.FallbackConfig{Func: degrade.Value(1), Registry: registry})
		_ = degrade.NewGather("dropped", degrade.GatherConfig{Registry: registry})
		b := degrade.NewBrownout("dropped", degrade.BrownoutConfig{Signal: func() float64 { return 9 }, Registry: registry})
		_ = b.Do(t.Context(), succeed)
	}
	for deadline := time.Now().Add(5 * time.Second); len(registry.Members()) > 0; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%d are still there after a garbage collection", len(registry.Members()))
		}
	}
}

func TestNumbersHaveNames(t *testing.T) {
	for want, got := range map[string]string{
		"whole": degrade.Whole.String(), "degraded": degrade.Degraded.String(), "stale": degrade.Stale.String(),
		"missing": degrade.Missing.String(), "State(9)": degrade.State(9).String(), "full": degrade.Full.String(),
		"without_sheddable": degrade.WithoutSheddable.String(), "without_sheddable_plus": degrade.WithoutSheddablePlus.String(),
		"without_critical": degrade.WithoutCritical.String(), "Level(9)": degrade.Level(9).String(),
	} {
		if got != want {
			t.Errorf("%s calls itself %s", want, got)
		}
	}
}

func FuzzBrownoutConfig(f *testing.F) {
	text, _ := json.Marshal(fullBrownout)
	f.Add(text)
	f.Add([]byte(`{"sheddable":{"enter":-1},"mode":"shadow","hold":1e9}`))
	f.Add([]byte(`{"sheddable":{"enter":1e-320},"recover":-9223372036854775808}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var cfg degrade.BrownoutConfig
		if json.Unmarshal(text, &cfg) != nil || cfg.Validate() != nil {
			return
		}
		cfg.Signal = func() float64 { return 1 }
		b := newBrownout(cfg)
		resolved := b.Config()
		if err := resolved.Validate(); err != nil || !resolved.Equal(cfg) {
			t.Fatalf("%s resolves to %+v, which is not the same: %v", text, resolved, err)
		}
		b.Allows(t.Context(), seawall.Sheddable)
		_ = b.Snapshot()
	})
}
