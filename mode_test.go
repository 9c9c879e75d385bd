package seawall_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/seawall-go/seawall"
)

var modeTexts = []string{"enforce", "shadow", "forced_open", "forced_closed", "off"}

func TestModeGoesThroughItsTextAndBack(t *testing.T) {
	for i, text := range modeTexts {
		m := seawall.Mode(i)
		if m.String() != text || !m.Valid() {
			t.Errorf("mode %d is %q, valid: %v", i, m, m.Valid())
		}
		written, err := json.Marshal(map[string]seawall.Mode{"mode": m})
		if err != nil || string(written) != `{"mode":"`+text+`"}` {
			t.Errorf("%v is written as %s, %v", m, written, err)
		}
		var back map[string]seawall.Mode
		if err := json.Unmarshal(written, &back); err != nil || back["mode"] != m {
			t.Errorf("%s is read as %v, %v", written, back, err)
		}
	}
	if seawall.Enforce != 0 {
		t.Error("the zero mode is not Enforce")
	}
	for _, bad := range []seawall.Mode{5, 255} {
		if bad.Valid() {
			t.Errorf("%d is valid", bad)
		}
		if _, err := bad.MarshalText(); err == nil {
			t.Errorf("%d has a text", bad)
		}
	}
	if got := seawall.Mode(5).String(); got != "Mode(5)" {
		t.Errorf("it prints as %q", got)
	}
}

// FuzzModeText checks that exactly the five texts are read, and that any other changes nothing.
func FuzzModeText(f *testing.F) {
	for _, text := range append([]string{"", "Enforce", " off", "off\x00", "forced-open", "5"}, modeTexts...) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m := seawall.Mode(99)
		err := m.UnmarshalText(text)
		want := slices.Index(modeTexts, string(text))
		if want < 0 {
			if err == nil || m != 99 {
				t.Errorf("%q is read as %v", text, m)
			}
			return
		}
		if err != nil || m != seawall.Mode(want) {
			t.Errorf("%q is read as %v, %v", text, m, err)
		}
		if back, err := m.MarshalText(); err != nil || string(back) != string(text) {
			t.Errorf("%q is written as %q, %v", text, back, err)
		}
	})
}
