package policyfile_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/policyfile"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// Client has a field of each kind that a Config of an adapter can have.
type Client struct {
	Timeout time.Duration     `yaml:"timeout"`
	Settle  time.Duration     `yaml:"settle"`
	Hosts   int               `yaml:"hosts"`
	Buffer  uint16            `yaml:"buffer"`
	Share   float64           `yaml:"share"`
	Shared  bool              `yaml:"shared"`
	Name    string            `yaml:"name"`
	Mode    seawall.Mode      `yaml:"mode"`
	Retry   retry.Config      `yaml:"retry"`
	Hedge   *hedge.Config     `yaml:"hedge,omitempty"`
	Breaker breaker.Config    `yaml:"breaker"`
	Codes   []code            `yaml:"codes"`
	Quotas  []Quota           `yaml:"quotas"`
	Methods map[string]method `yaml:"methods"`
	Trust   func() bool       `yaml:"-"`
}

type Quota struct {
	Limit  ratelimit.Config `yaml:"limit"`
	Routes []string         `yaml:"routes"`
}

type method struct {
	Timeout time.Duration `yaml:"timeout"`
	Hedge   *hedge.Config `yaml:"hedge"`
}

// code has its names in JSON only.
type code uint32

func (c *code) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case `"LOST"`, "1":
		*c = 1
	case `"LATE"`, "2":
		*c = 2
	default:
		return errors.New("no such code")
	}
	return nil
}

func (c Client) Validate() error {
	var errs []error
	bad := func(field string, value any, want string) {
		errs = append(errs, fmt.Errorf("wire: Client.%s is %v, want %s", field, value, want))
	}
	within := func(field string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("wire: Client.%s: %w", field, err))
		}
	}
	limit := func(field string, d time.Duration, word string) {
		if d != 0 && d != -1 && d < time.Millisecond {
			bad(field, d, "at least 1ms, or "+word)
		}
	}
	limit("Timeout", c.Timeout, "Off")
	limit("Settle", c.Settle, "AtEnd")
	if c.Hosts < 0 || c.Hosts > 1000 {
		bad("Hosts", c.Hosts, "1 to 1000")
	}
	if c.Buffer > 9000 {
		bad("Buffer", c.Buffer, "0 to 9000")
	}
	if c.Share != -1 && !(c.Share >= 0 && c.Share <= 1) {
		bad("Share", c.Share, "0 to 1, or NoShare")
	}
	within("Retry", c.Retry.Validate())
	within("Breaker", c.Breaker.Validate())
	if c.Hedge != nil {
		within("Hedge", c.Hedge.Validate())
	}
	for i, q := range c.Quotas {
		within(fmt.Sprintf("Quotas[%d]", i), inside("Quota.Limit: ratelimit: GroupConfig.Limiter", q.Limit.Validate()))
	}
	for name, m := range c.Methods {
		if !strings.HasPrefix(name, "/") {
			errs = append(errs, fmt.Errorf("wire: Client.Methods has %q, want a name that begins with /", name))
			continue
		}
		limit(fmt.Sprintf("Methods[%q].Timeout", name), m.Timeout, "Off")
		if m.Hedge != nil {
			within(fmt.Sprintf("Methods[%q].Hedge", name), m.Hedge.Validate())
		}
	}
	return errors.Join(errs...)
}

func inside(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("wire: %s: %w", field, err)
}

func TestConfigComesFromASectionOverItsBase(t *testing.T) {
	hedged := &hedge.Config{MaxAttempts: 3}
	base := Client{
		Hosts: 7, Hedge: hedged, Methods: map[string]method{"/old": {}}, Codes: []code{2, 2, 2},
		Trust: func() bool { return true }, Breaker: breaker.Config{MinCalls: 5},
	}
	got, err := policyfile.Decode([]byte(`
x-slow: &slow {timeout: 9s}
other: 5
clients:
  "psp.example":
    timeout: off
    settle: at_end
    buffer: 0
    share: none
    shared: true
    name: "5"
    mode: shadow
    retry: {max_attempts: unlimited, overload_delay: none, backoff: {base: 20ms}, budget: {ratio: 0.2}}
    hedge: {delay: on_failure}
    breaker: {slow: {over: off}, max_retry_after: none, window: {time: 5s, calls: 0}}
    codes: [LATE, 1]
    quotas: [{limit: {rate: unlimited, max_wait: none}, routes: []}, {limit: {rate: 5}}]
    methods:
      "/shop.v1.Shop/Get*": {timeout: off, hedge: {}}
      /b: *slow
`), `clients."psp.example"`, base)
	if err != nil {
		t.Fatal(err)
	}
	if got.Trust == nil || !got.Trust() {
		t.Error("the function of the base is gone")
	}
	got.Trust = nil
	want := Client{
		Timeout: -1, Settle: -1, Hosts: 7, Share: -1, Shared: true, Name: "5", Mode: seawall.Shadow,
		Retry: retry.Config{
			MaxAttempts: retry.Unlimited, OverloadDelay: retry.NoDelay, Backoff: retry.Backoff{Base: 20 * time.Millisecond},
			BudgetConfig: seawall.BudgetConfig{Ratio: 0.2},
		},
		Hedge: &hedge.Config{MaxAttempts: 3, Delay: hedge.OnFailure},
		Breaker: breaker.Config{
			MinCalls: 5, Slow: breaker.SlowCalls{Over: breaker.NoSlowCalls}, MaxRetryAfter: breaker.NoRetryAfter,
			Window: breaker.Window{Time: 5 * time.Second},
		},
		Codes: []code{2, 1},
		Quotas: []Quota{
			{ratelimit.Config{Rate: ratelimit.Unlimited, MaxWait: ratelimit.NoWait}, []string{}}, {Limit: ratelimit.Config{Rate: 5}},
		},
		Methods: map[string]method{"/shop.v1.Shop/Get*": {-1, &hedge.Config{}}, "/b": {Timeout: 9 * time.Second}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if hedged.Delay != 0 || len(base.Methods) != 1 || base.Codes[0] != 2 {
		t.Errorf("the base was changed: %+v", base)
	}
}

func TestEmptySectionIsItsBase(t *testing.T) {
	for _, file := range []string{"a:", "a: {}", `{"a": null}`} {
		if got, err := policyfile.Decode([]byte(file), "a", Client{Hosts: 7}); err != nil || got.Hosts != 7 {
			t.Errorf("%s: %+v, %v", file, got, err)
		}
	}
	if got, err := policyfile.Decode([]byte("hosts: 5"), "", Client{}); err != nil || got.Hosts != 5 {
		t.Errorf("the whole document: %+v, %v", got, err)
	}
}

func TestEveryProblemOfASectionIsToldWithItsLinePathValueAndRange(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"nothing", "", "policyfile: is empty, want a mapping"},
		{"a section that is missing", "d: {}\nother: {}", "line 1: c is missing: did you mean d? (d, other)"},
		{"a section of text", "c: x", `line 1: c is "x", want a mapping`},
		{"a misspelt key", "c:\n  timout: 5s", "line 2: c.timout is unknown: did you mean timeout? (timeout, settle, "},
		{"a misspelt key of a policy", "c: {retry: {attempts: 3}}", "line 1: c.retry.attempts is unknown: did you mean max_attempts? (max"},
		{"a misspelt key of an item", "c: {quotas: [{limit: {rate: 5}, route: []}]}", "line 1: c.quotas[0].route is unknown: did you mean routes? (limit, "},
		{"a key that a function has in Go", "c: {Trust: x}", "line 1: c.Trust is unknown ("},
		{"a number for a duration", "c: {timeout: 5}", "line 1: c.timeout is 5, want a duration such as 500ms, or off"},
		{"another word", "c: {settle: off}", `line 1: c.settle is "off", want a duration such as 500ms, or at_end`},
		{"a word of a method", "c: {methods: {/b: {timeout: of}}}", `line 1: c.methods."/b".timeout is "of", want a duration such as 500ms, or off`},
		{"the number behind a word", "c: {timeout: -1ns}", `line 1: c.timeout is "-1ns", want at least 1ms, or off`},
		{"a zero", "c: {hosts: 0}", "line 1: c.hosts is 0, want 1 to 1000; leave it out for the default"},
		{"a zero beside a word", "c: {share: 0}", "line 1: c.share is 0, want 0 to 1, or none; leave it out for the default"},
		{"a zero of a policy", "c: {breaker: {min_calls: 0}}", "line 1: c.breaker.min_calls is 0, want 1 to "},
		{"a code that is none", "c: {codes: [1, GONE]}", `line 1: c.codes[1] is "GONE", want a policyfile_test.code`},
		{"an unsigned number above its range", "c: {buffer: 9001}", "line 1: c.buffer is 9001, want 0 to 9000"},
		{"a number for a text", "c: {name: 5}", "line 1: c.name is 5, want text in quotes"},
		{"a mode that is none", "c: {mode: open}", `line 1: c.mode is "open", want one of enforce, `},
		{"a scalar for a list", "c: {codes: 5}", "line 1: c.codes is 5, want a sequence"},
		{"a list for a mapping", "c: {methods: [x]}", "line 1: c.methods is a sequence, want a mapping"},
		{"nothing for a pointer", "c: {hedge: }", "line 1: c.hedge is empty, want a mapping"},
		{"the name of a budget", "c: {retry: {budget: psp}}", `line 1: c.retry.budget is "psp", want a mapping`},
		{"a key twice", "c:\n  hosts: 5\n  hosts: 6", "line 3: c.hosts is there twice, see line 2"},
		{"out of range", "c:\n  timeout: 1us", "line 2: c.timeout is 1µs, want at least 1ms, or off"},
		{
			"out of range deep below", "c:\n  retry:\n    backoff:\n      base: 2s\n      max: 1s",
			"line 5: c.retry.backoff.max is 1s, want at least retry.backoff.base, which is 2s",
		},
		{"out of range in a list", "c:\n  quotas:\n  - limit: {rate: 5}\n  - limit: {rate: -5}", "line 4: c.quotas[1].limit.rate is -5, want 0.00001 to "},
		{"a requirement in a list", "c:\n  quotas:\n  - routes: []", "line 3: c.quotas[0].limit.rate is 0, want 0.00001 to "},
		{
			"out of range in a mapping", "c:\n  methods:\n    /a.B/C:\n      hedge:\n        max_attempts: 99",
			`line 5: c.methods."/a.B/C".hedge.max_attempts is 99, want `,
		},
		{"a bad key of a mapping", "c:\n  methods:\n    b: {}", `line 2: c.methods has "b", want a name that begins with /`},
	} {
		base := Client{Name: "base"}
		got, err := policyfile.Decode([]byte(c.file), "c", base)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s:\n%s\nerror is %v\n    want %s", c.name, c.file, err, c.want)
		}
		if !reflect.DeepEqual(got, base) {
			t.Errorf("%s: an error returned %+v", c.name, got)
		}
	}
}

func TestAllProblemsOfASectionAreToldAtOnce(t *testing.T) {
	_, err := policyfile.Decode([]byte(`c:
  timeout: 1us
  settle: off
  hosts: 5000
  codes: [1, GONE]
  retry: {backoff: {factor: 0.5}}
  breaker: {failure_rate: 2, min_calls: 0}
  quotas:
    - limit: {rate: 3, burst: -1}
    - limit: {rate: -5, burst: 7}
  methods:
    /a: {timeout: 1us, timout: 5s}
    /b: {timeout: x, hedge: {max_attempts: 99}}
`), "c", Client{})
	want := []string{
		"2: c.timeout", "3: c.settle", "4: c.hosts", "5: c.codes[1]", "6: c.retry.backoff.factor", "7: c.breaker.failure_rate",
		"7: c.breaker.min_calls", "9: c.quotas[0].limit.burst", "10: c.quotas[1].limit.rate",
		`12: c.methods."/a".timout`, `12: c.methods."/a".timeout`, `13: c.methods."/b".timeout`,
		`13: c.methods."/b".hedge.max_attempts`,
	}
	e, ok := errors.AsType[*policyfile.Error](err)
	if !ok {
		t.Fatalf("error is %v", err)
	}
	var got []string
	for _, p := range e.Problems {
		got = append(got, fmt.Sprintf("%d: %s", p.Line, p.Path))
	}
	for _, w := range want {
		if !strings.Contains(strings.Join(got, "\n")+"\n", w+"\n") {
			t.Errorf("no problem %s in\n%v", w, err)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d problems, want %d:\n%v", len(got), len(want), err)
	}
}

func TestConfigsOfPeersAreDecoded(t *testing.T) {
	h, err := policyfile.Decode([]byte("health: {interval: 2s, jitter: none, max_hold: none, fail_when_full: [db]}"), "health", health.Config{})
	if err != nil || h.Interval != 2*time.Second || h.Jitter != health.NoJitter || h.MaxHold != health.NoHold || len(h.FailWhenFull) != 1 {
		t.Errorf("%+v, %v", h, err)
	}
	c, err := policyfile.Decode([]byte("{ttl: 5m, max_bytes: 0, early_refresh: none, l2: {skew: none, breaker: {slow: {over: off}}}}"), "",
		cache.Config[string, int]{})
	if err != nil || c.TTL != 5*time.Minute || c.EarlyRefresh != cache.NoEarlyRefresh || c.L2.Skew != cache.NoSkew ||
		c.L2.Breaker.Slow.Over != breaker.NoSlowCalls {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := policyfile.Decode([]byte("l2: {breaker: {failure_rate: 5}}"), "", cache.Config[string, int]{}); err == nil ||
		!strings.HasPrefix(err.Error(), "line 1: l2.breaker.failure_rate is 5, want ") {
		t.Errorf("error is %v", err)
	}
}

func TestFunctionThatIsMissingIsToldWithoutAPlace(t *testing.T) {
	_, err := policyfile.Decode([]byte("a:\n  x: 5"), "a", needy{})
	if want := "line 1: a is refused: needy.Func is nil, want a function (functions must be in the base)"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

type needy struct {
	X    int    `yaml:"x"`
	Func func() `yaml:"-"`
}

func (needy) Validate() error { return errors.New("needy.Func is nil, want a function") }

// A Config whose Unlimited is not -1 says ", or Unlimited" as well. The word would stand for a number that is refused.
func TestWordOfAConstantThatIsNotMinusOneIsNotOffered(t *testing.T) {
	_, err := policyfile.Decode([]byte("a: {depth: unlimited}"), "a", deep{})
	if want := `line 1: a.depth is "unlimited", want a whole number`; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	for depth, ok := range map[string]bool{"5": true, "1000000": true, "-1": false, "10": false} {
		cfg, err := policyfile.Decode([]byte("a: {depth: "+depth+"}"), "a", deep{})
		if (err == nil) != ok || ok && fmt.Sprint(cfg.Depth) != depth {
			t.Errorf("%s: %+v, %v", depth, cfg, err)
		}
	}
}

// deep has a number for Unlimited that is not -1.
type deep struct {
	Depth int `yaml:"depth"`
}

func (d deep) Validate() error {
	if d.Depth < 0 || d.Depth > 9 && d.Depth != 1_000_000 {
		return fmt.Errorf("deep.Depth is %d, want 1 to 9, or Unlimited", d.Depth)
	}
	return nil
}

func TestDecodePanicsForWhatIsNoConfig(t *testing.T) {
	defer func() {
		if v := recover(); v != "policyfile: Decode: C is int, want a struct" {
			t.Errorf("panicked with %v", v)
		}
	}()
	_, _ = policyfile.Decode([]byte("a: 5"), "a", 5)
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"c: {timeout: off, settle: -1ns, hosts: 0, share: 0, codes: [LATE, 1]}", "c: {quotas: [{limit: {rate: -5}}, {}]}",
		`{"c": {"methods": {"/a": {"timeout": "off"}, "b\"]": {"hedge": {}}}}}`, "c: &a {<<: *a, retry: {backoff: {base: 2s, max: 1s}}}",
		"c: {methods: {\"\\xff[0].\": {timeout: 1us}, '': {}}}", "c: {breaker: {window: {time: 5s, calls: 5}, mode: off}, buffer: 65536}",
	} {
		f.Add([]byte(seed), "c")
	}
	f.Add([]byte("a: {'b.c': {hosts: 5}}"), `a."b.c"`)
	f.Fuzz(func(t *testing.T, data []byte, path string) {
		base := Client{Hosts: 7, Hedge: &hedge.Config{}, Quotas: []Quota{{Limit: ratelimit.Config{Rate: 5}}}}
		got, err := policyfile.Decode(data, path, base)
		if err != nil {
			if e, ok := errors.AsType[*policyfile.Error](err); !ok || len(e.Problems) == 0 {
				t.Errorf("error is %#v", err)
			}
			if !reflect.DeepEqual(got, base) {
				t.Errorf("an error returned %+v", got)
			}
		} else if err := got.Validate(); err != nil {
			t.Errorf("taken, but %v", err)
		}
		if !reflect.DeepEqual(*base.Hedge, hedge.Config{}) || base.Quotas[0].Limit.Rate != 5 {
			t.Errorf("the base was changed: %+v", base)
		}
	})
}
