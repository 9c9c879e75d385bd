package policyfile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/policyfile"
)

// moody is a policy that does what no policy of this module does: it refuses settings that its Validate has let pass.
type moody struct {
	name string
	cfg  moodyConfig
}

type moodyConfig struct {
	Size     int               `yaml:"size"`
	Text     string            `yaml:"text"`
	Flag     bool              `yaml:"flag"`
	Tiny     uint8             `yaml:"tiny"`
	Registry *seawall.Registry `yaml:"-"`
}

const (
	refusesNew    = 13
	refusesUpdate = 14
)

var errMood = errors.New("not today")

func (c moodyConfig) Validate() error { return nil }
func (c moodyConfig) Equal(other moodyConfig) bool {
	c.Registry, other.Registry = nil, nil
	return c == other
}

func newMoody(name string, cfg moodyConfig) *moody {
	if cfg.Size == refusesNew {
		panic("moody: not today")
	}
	return &moody{name, cfg}
}

func (m *moody) Do(ctx context.Context, op func(context.Context) error) error { return op(ctx) }
func (m *moody) Config() moodyConfig                                          { return m.cfg }
func (m *moody) String() string                                               { return fmt.Sprintf("moody %q", m.name) }

func (m *moody) Update(cfg moodyConfig) error {
	if cfg.Size == refusesUpdate {
		return errMood
	}
	m.cfg = cfg
	return nil
}

func TestAnUpdateThatFailsTakesBackTheOnesBefore(t *testing.T) {
	defer policyfile.AddKind("moody", newMoody)()
	set := parse(t, "chains: {a: [moody: {size: 1}, moody: {name: b, size: 2}], gone: [retry]}", policyfile.Options{})
	text := set.Text()
	changed, err := set.Update([]byte("chains: {a: [moody: {size: 5}, retry, moody: {name: b, size: 14}]}"))
	if changed || !errors.Is(err, errMood) || !strings.Contains(err.Error(), `moody "b": not today`) {
		t.Errorf("changed %t, error %v", changed, err)
	}
	a := set.Chain("a").Current()
	if got := member[*moody](t, a, 0).cfg.Size; got != 1 || set.Text() != text || a.String() != `moody "a" → moody "b"` {
		t.Errorf("size is %d, chain %v, text\n%s", got, a, set.Text())
	}
	if set.Chain("gone") == nil {
		t.Error("a chain has gone")
	}
	update(t, set, "chains: {a: [moody: {size: 5}, retry, moody: {name: b, size: 6}], gone: [retry: {name: r}]}")
	if got := member[*moody](t, set.Chain("a").Current(), 1).cfg.Size; got != 6 {
		t.Errorf("size is %d", got)
	}
}

func TestAPolicyThatCannotBeMadeIsAnErrorBeforeAnythingChanges(t *testing.T) {
	defer policyfile.AddKind("moody", newMoody)()
	_, err := policyfile.Parse([]byte("chains: {a: [moody: {size: 13}]}"), policyfile.Options{Registry: quiet()})
	if err == nil || err.Error() != `line 1: chains.a has a moody "a" that cannot be made: moody: not today` {
		t.Errorf("error is %v", err)
	}
	set := parse(t, "chains: {a: [moody: {size: 1}], k: {per_key: , policies: [moody]}}", policyfile.Options{})
	for _, file := range []string{
		"chains: {a: [moody: {size: 2}, moody: {name: b, size: 13}], k: {per_key: , policies: [moody]}}",
		"chains: {a: [moody: {size: 2}], k: {per_key: , policies: [moody: {size: 13}]}}",
	} {
		if _, err := set.Update([]byte(file)); err == nil {
			t.Errorf("taken: %s", file)
		}
	}
	if got := member[*moody](t, set.Chain("a").Current(), 0).cfg.Size; got != 1 {
		t.Errorf("size is %d", got)
	}
}

func TestAKeyWhoseUpdateFailsStaysAsItWas(t *testing.T) {
	defer policyfile.AddKind("moody", newMoody)()
	registry, log := logged()
	set := parse(t, "chains: {k: {per_key: , policies: [moody: {size: 1}]}}", policyfile.Options{Registry: registry})
	k := set.Keyed("k")
	before := k.For("x")
	update(t, set, "chains: {k: {per_key: , policies: [moody: {size: 14}, retry]}}")
	if after := k.For("x"); after != before || k.For("x") != before {
		t.Errorf("chain is %v", after)
	}
	if events := log.named("seawall.config.refused"); len(events) != 1 || !strings.Contains(events[0], "name=k error=") {
		t.Errorf("events are %v", events)
	}
	if k.For("y").String() != `moody "k[y]" → retry "k[y]"` {
		t.Errorf("a new key has %v", k.For("y"))
	}
}

// Types that no Config has now, so that one may.
func TestTextsTruthsAndSmallNumbersAreRead(t *testing.T) {
	defer policyfile.AddKind("moody", newMoody)()
	set := parse(t, `chains: {a: [moody: {text: "yes: #1", flag: true, tiny: 255, size: 1_000}]}`, policyfile.Options{})
	got := member[*moody](t, set.Chain("a").Current(), 0).cfg
	got.Registry = nil
	if want := (moodyConfig{Size: 1000, Text: "yes: #1", Flag: true, Tiny: 255}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if again := parse(t, set.Text(), policyfile.Options{}); !policyfile.Equal(set, again) {
		t.Errorf("the text is another file:\n%s", set.Text())
	}
	for file, want := range map[string]string{
		"chains: {a: [moody: {flag: yes}]}":  `line 1: chains.a[0].moody.flag is "yes", want true or false`,
		"chains: {a: [moody: {text: 5}]}":    "line 1: chains.a[0].moody.text is 5, want text in quotes",
		"chains: {a: [moody: {tiny: 256}]}":  "line 1: chains.a[0].moody.tiny is 256, want a whole number",
		"chains: {a: [moody: {tiny: -1}]}":   "line 1: chains.a[0].moody.tiny is -1, want a whole number",
		"chains: {a: [moody: {text: [a]}]}":  "line 1: chains.a[0].moody.text is a sequence, want text in quotes",
		"chains: {a: [moody: {sice: 5}]}":    "line 1: chains.a[0].moody.sice is unknown: did you mean size? (name, size, text, flag, tiny)",
		"chains: {a: [moody: {registry: }]}": "line 1: chains.a[0].moody.registry is unknown (name, size, text, flag, tiny)",
	} {
		if got := refusal(t, file, policyfile.Options{}); got != want {
			t.Errorf("error is %s, want %s", got, want)
		}
	}
}
