package reconfig_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/leaktest"
	"github.com/seawall-go/seawall/internal/reconfig"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestTheModeIsToldApartFromTheFields(t *testing.T) {
	const (
		mode   = `level=WARN msg=seawall.gate.mode_changed kind=breaker name=psp from=enforce to=shadow` + "\n"
		fields = `level=INFO msg=seawall.config.updated kind=breaker name=psp fields="min_calls open_for"` + "\n"
	)
	for _, c := range []struct {
		to     seawall.Mode
		fields []string
		want   string
	}{
		{seawall.Enforce, nil, ""},
		{seawall.Enforce, []string{"mode"}, ""}, // from one and back again
		{seawall.Shadow, []string{"mode", "limiter.mode"}, mode},
		{seawall.Enforce, []string{"min_calls", "open_for"}, fields},
		{seawall.Shadow, []string{"min_calls", "mode", "open_for"}, mode + fields},
	} {
		var text strings.Builder
		var r seawall.Registry
		r.SetLogger(slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		})))
		given := slices.Clone(c.fields)
		reconfig.ModeChanged(&r, "breaker", "psp", seawall.Enforce, c.to)
		reconfig.Updated(&r, "breaker", "psp", c.fields)
		if text.String() != c.want {
			t.Errorf("to %v, %v: got\n%swant\n%s", c.to, c.fields, text.String(), c.want)
		}
		if !slices.Equal(c.fields, given) {
			t.Errorf("the caller's fields are %v now", c.fields)
		}
	}
}

func TestFieldsHasThoseThatDiffer(t *testing.T) {
	var f reconfig.Fields
	f.Add("rate", true)
	f.Add("burst", false)
	f.Add("mode", true)
	if !slices.Equal(f, reconfig.Fields{"rate", "mode"}) {
		t.Errorf("got %v", f)
	}
}
