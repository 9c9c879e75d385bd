package policyfile_test

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/policyfile"
)

// bindings give policies the functions without which they cannot be.
var bindings = []policyfile.Binding{
	policyfile.BindAll(func(cfg *degrade.FallbackConfig) { cfg.Func = degrade.Value("fallback") }),
}

// candidates are values for a key, of which a Config takes at least one beside the default, alone or with the same value
// in the keys beside it.
func candidates(v reflect.Value) (values []reflect.Value) {
	add := func(x any) { values = append(values, reflect.ValueOf(x).Convert(v.Type())) }
	switch {
	case policyfile.MarshalsText(v.Type()):
		for i := range 256 {
			value := reflect.ValueOf(i).Convert(v.Type())
			if _, err := value.Interface().(encoding.TextMarshaler).MarshalText(); err == nil && i > 0 {
				values = append(values, value)
			}
		}
	case v.Type() == reflect.TypeFor[time.Duration]():
		for _, d := range []time.Duration{
			1, time.Millisecond, 1234567890, 10 * time.Second, 45 * time.Second, 90 * time.Minute,
			24*time.Hour + time.Nanosecond, math.MaxInt64,
		} {
			add(d)
		}
	case v.CanInt() || v.CanUint():
		for _, i := range []int{1, 2, 7, 100, 1234567} {
			add(i)
		}
	case v.CanFloat():
		for _, f := range []float64{0.000001, 0.1, 1.0 / 3, 0.75, 1, 2.5, 1234567.875, 1e9} {
			add(f)
		}
	case v.Kind() == reflect.Bool:
		add(true)
	case v.Kind() == reflect.String:
		add("a \"text\": with\\ all # of {it}")
	}
	return values
}

// fileOf writes a file with one key of one policy, in JSON, and what the policy requires.
func fileOf(k policyfile.Kind, s policyfile.Settings, keys ...string) string {
	tree := map[string]any{}
	for _, path := range append(keys, k.Keys()...) {
		v := s.At(path)
		if v.IsZero() {
			continue
		}
		at := tree
		steps := strings.Split(path, ".")
		for _, step := range steps[:len(steps)-1] {
			if at[step] == nil {
				at[step] = map[string]any{}
			}
			at = at[step].(map[string]any)
		}
		text := s.Text(path)
		number := !policyfile.MarshalsText(v.Type()) && v.Type() != reflect.TypeFor[time.Duration]()
		if number && !slices.Contains(k.Words(path), text) {
			at[steps[len(steps)-1]] = json.RawMessage(text)
		} else {
			at[steps[len(steps)-1]] = text
		}
	}
	file, err := json.Marshal(map[string]any{"chains": map[string]any{"x": []any{map[string]any{k.Key(): tree}}}})
	if err != nil {
		panic(err)
	}
	return string(file)
}

// T78: a new field of a Config is in here by itself, and fails the test if a file cannot have it.
func TestEveryFieldOfEveryConfigSurvivesTheFile(t *testing.T) {
	for _, k := range policyfile.Kinds() {
		for _, path := range k.Keys() {
			taken := 0
			for _, value := range candidates(k.Sample().At(path)) {
				s, ok := settle(k, path, value)
				if !ok {
					continue
				}
				taken++
				wantSurvival(t, k, s, path)
			}
			for _, word := range k.Words(path) {
				taken++
				file := strings.Replace(fileOf(k, k.Sample()), "{", `{"x-word": "`+word+`", `, 1)
				_ = parse(t, file, policyfile.Options{Bind: bindings})
			}
			if taken == 0 {
				t.Errorf("%s.%s, a %v: no value is both valid and not the default: add a candidate to this test", k.Key(), path,
					k.Sample().At(path).Type())
			}
		}
	}
}

// settle sets a key, and if that makes another one necessary, or one of the same type beside it, that as well.
func settle(k policyfile.Kind, path string, value reflect.Value) (policyfile.Settings, bool) {
	s := k.Sample()
	s.At(path).Set(value)
	if s.Validate() == nil {
		return s, true
	}
	for _, other := range append([]string{s.Complaint()}, k.Keys()...) {
		if other == path || !slices.Contains(k.Keys(), other) || !s.At(other).IsZero() {
			continue
		}
		v := s.At(other)
		tries := candidates(v)
		if v.Type() == value.Type() {
			tries = append(tries, value)
		}
		for _, try := range tries {
			v.Set(try)
			if s.Validate() == nil {
				return s, true
			}
		}
		v.SetZero()
	}
	return s, false
}

func wantSurvival(t *testing.T, k policyfile.Kind, s policyfile.Settings, path string) {
	t.Helper()
	file := fileOf(k, s)
	opts := policyfile.Options{Bind: bindings, Registry: quiet()}
	set, err := policyfile.Parse([]byte(file), opts)
	if err != nil {
		// A value that needs what no file of one policy has, such as a shared budget, is for the tests of that.
		t.Errorf("%s.%s is %v: %v\n%s", k.Key(), path, s.At(path), err, file)
		return
	}
	if got := policyfile.At(set.ConfigOf(k.Key(), "x"), path); !got.Equal(s.At(path)) {
		t.Errorf("%s.%s is %v, want %v\n%s", k.Key(), path, got, s.At(path), file)
	}
	again := parse(t, set.Text(), opts)
	if !policyfile.Equal(set, again) {
		t.Errorf("%s.%s is %v: the text is another file:\n%s", k.Key(), path, s.At(path), set.Text())
	}
}

// T78: what means off is a word in a file, so -1 may not mean anything there that has none.
func TestEveryNamedOffValueHasAWord(t *testing.T) {
	for _, k := range policyfile.Kinds() {
		for _, path := range k.Keys() {
			s := k.Sample()
			v := s.At(path)
			switch {
			case policyfile.MarshalsText(v.Type()):
				continue
			case v.CanInt():
				v.SetInt(-1)
			case v.CanFloat():
				v.SetFloat(-1)
			default:
				continue
			}
			words := k.Words(path)
			if s.Validate() == nil && len(words) == 0 {
				t.Errorf("%s.%s may be -1: give that a word in the table of kinds", k.Key(), path)
			}
			if s.Validate() != nil {
				continue
			}
			if got := s.Text(path); !slices.Contains(words, got) {
				t.Errorf("%s.%s of -1 is written as %s, want one of %v", k.Key(), path, got, words)
			}
			wantSurvival(t, k, s, path)
			number := "-1"
			if v.Type() == reflect.TypeFor[time.Duration]() {
				number = "-1ns"
			}
			file := strings.Replace(fileOf(k, s), `"`+s.Text(path)+`"`, number, 1)
			_, err := policyfile.Parse([]byte(file), policyfile.Options{Bind: bindings, Registry: quiet()})
			if err == nil || !strings.Contains(err.Error(), "or "+words[0]) {
				t.Errorf("%s.%s of %s: error is %v, want one that tells the word", k.Key(), path, number, err)
			}
		}
		for _, path := range k.WordKeys() {
			if !slices.Contains(k.Keys(), path) {
				t.Errorf("%s: a word is for %s, which is no key", k.Key(), path)
			}
		}
	}
}

// A policy has its name beside its Config, under a key that the Config must not have.
func TestNoConfigHasAKeyThatIsTaken(t *testing.T) {
	for _, k := range policyfile.Kinds() {
		if slices.Contains(k.Keys(), "name") {
			t.Errorf("%v has a field with the key name", k.Config())
		}
	}
}

// What Validate says must lead to the line of the key, so it must name the field as Go does.
func TestEveryRefusedNumberIsFoundInTheFile(t *testing.T) {
	for _, k := range policyfile.Kinds() {
		for _, path := range k.Keys() {
			s := k.Sample()
			for _, value := range candidates(s.At(path)) {
				if with, ok := settle(k, path, value); ok {
					s = with
					break
				}
			}
			v := s.At(path)
			switch {
			case policyfile.MarshalsText(v.Type()):
				continue
			case v.CanInt():
				v.SetInt(-77)
			case v.CanFloat():
				v.SetFloat(-77)
			default:
				continue
			}
			if s.Validate() == nil {
				t.Errorf("%s takes -77 for %s", k.Key(), path)
				continue
			}
			_, err := policyfile.Parse([]byte(fileOf(k, s)), policyfile.Options{Bind: bindings, Registry: quiet()})
			want := fmt.Sprintf("chains.x[0].%s.%s is -77", k.Key(), path)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error is %v, want one with %s", err, want)
			}
		}
	}
}

func TestEveryKindIsToldApartByItsConfig(t *testing.T) {
	seen := map[reflect.Type]string{}
	for _, k := range policyfile.Kinds() {
		if other, twice := seen[k.Config()]; twice {
			t.Errorf("%s and %s have the same Config, so a binding cannot tell them apart", k.Key(), other)
		}
		seen[k.Config()] = k.Key()
	}
}

// The kind in a file is that of snapshots, logs and rejections, so that one finds the one by the other.
func TestEveryKindHasTheNameThatItHasEverywhere(t *testing.T) {
	for _, k := range policyfile.Kinds() {
		registry := quiet()
		set := parse(t, fileOf(k, k.Sample()), policyfile.Options{Bind: bindings, Registry: registry})
		snapshots := registry.Snapshots()
		if len(snapshots) != 1 || snapshots[0].Kind != k.Shown() || snapshots[0].Name != "x" {
			t.Errorf("%s is %+v in the registry", k.Key(), snapshots)
		}
		p := set.Chain("x").Current().Policies()[0]
		if d, ok := p.(seawall.Describer); ok && d.Traits().Kind != k.Shown() {
			t.Errorf("%s has the traits %+v", k.Key(), d.Traits())
		}
	}
}
