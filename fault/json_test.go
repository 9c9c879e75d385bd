package fault_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/seawall-go/seawall/fault"
)

func TestParsePlanReadsWhatTheDocumentationShows(t *testing.T) {
	got, err := fault.ParsePlan(strings.NewReader(`{"seed": 18446744073709551615, "faults": [
		{"at": "8s", "for": "1m30s", "kind": "slow", "target": "inventory", "factor": 40},
		{"for": "8s", "kind": "capacity", "target": "inventory", "factor": 0.4},
		{"at": "1s", "for": "2s", "kind": "error", "target": "payments", "rate": 0}
	]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := fault.Plan{Seed: 1<<64 - 1, Faults: []fault.Fault{
		slow(8*time.Second, 90*time.Second, "inventory", 40),
		capacity(0, 8*time.Second, "inventory", 0.4),
		failing(time.Second, 2*time.Second, "payments", 0),
	}}
	if !got.Equal(want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

func TestParsePlanNeverGuesses(t *testing.T) {
	long := strings.Repeat("é", 40)
	for _, test := range []struct{ name, plan, want string }{
		{"nothing", ``, "byte 0: unexpected end of JSON input"},
		{"no JSON", `{"seed":1`, "byte 9: unexpected end of JSON input"},
		{"something behind", `{} {}`, "byte 4: invalid character '{' after top-level value"},
		{"no object", `[1]`, "is [1], want an object"},
		{"null", `null`, "is null, want an object"},
		{"unknown field", `{"abort":"heap"}`, "abort: unknown field, want one of seed, faults"},
		{"other case", `{"Seed":1}`, "Seed: unknown field, want one of seed, faults"},
		{"long field", `{"` + long + `":1}`, strings.Repeat("é", 32) + "...: unknown field, want one of seed, faults"},
		{"twice", `{"seed":1,"seed":2}`, "seed: given twice"},
		{"negative seed", `{"seed":-1}`, "seed is -1, want a whole number from 0 to 18446744073709551615"},
		{"broken seed", `{"seed":1.5}`, "seed is 1.5, want a whole number from 0 to 18446744073709551615"},
		{"no seed", `{"seed":null}`, "seed is null, want a whole number from 0 to 18446744073709551615"},
		{"null list", `{"faults":null}`, "faults is null, want an array"},
		{"no list", `{"faults":{}}`, "faults is {}, want an array"},
		{"null fault", `{"faults":[null]}`, "faults[0] is null, want an object"},
		{
			"unknown field of a fault", `{"faults":[{"for":"1s","kind":"slow","target":"a","factor":2},{"facter":2}]}`,
			"faults[1].facter: unknown field, want one of at, for, kind, target, seam, factor, rate, latency, jitter, " +
				"distribution, shape, cap, timeout, delay, average_size, size_variation, bytes, messages, status, code, " +
				"retry_after, body, stream, toxicity, method, route, header",
		},
		{"twice in a fault", `{"faults":[{"at":"1s","at":"2s"}]}`, "faults[0].at: given twice"},
		{"bare number", `{"faults":[{"at":8}]}`, `faults[0].at is 8, want a duration such as "8s"`},
		{"no unit", `{"faults":[{"at":"8"}]}`, `faults[0].at is "8", want a duration such as "8s"`},
		{"null duration", `{"faults":[{"for":null}]}`, `faults[0].for is null, want a duration such as "8s"`},
		{"kind", `{"faults":[{"kind":1}]}`, "faults[0].kind is 1, want a text"},
		{"target", `{"faults":[{"target":["a"]}]}`, `faults[0].target is ["a"], want a text`},
		{"factor", `{"faults":[{"factor":"40"}]}`, `faults[0].factor is "40", want a number`},
		{"huge factor", `{"faults":[{"factor":1e999}]}`, "faults[0].factor is 1e999, want a number"},
		{
			"no factor", `{"faults":[{"for":"1s","kind":"slow","target":"a"}]}`,
			`faults[0].factor is missing, want 1 to 1000 for kind "slow"`,
		},
		{
			"no rate", `{"faults":[{"for":"1s","kind":"error","target":"a"}]}`,
			`faults[0].rate is missing, want 0 to 1 for kind "error"`,
		},
		{"latency", `{"faults":[{"latency":100}]}`, `faults[0].latency is 100, want a duration such as "8s"`},
		{"jitter", `{"faults":[{"jitter":"x"}]}`, `faults[0].jitter is "x", want a duration such as "8s"`},
		{"bytes", `{"faults":[{"bytes":1.5}]}`, "faults[0].bytes is 1.5, want a whole number"},
		{"stream", `{"faults":[{"stream":1}]}`, "faults[0].stream is 1, want a text"},
		{"negative toxicity", `{"faults":[{"toxicity":-1}]}`, "faults[0].toxicity is -1, want a number from 0 to 1"},
		{"toxicity", `{"faults":[{"toxicity":"1"}]}`, `faults[0].toxicity is "1", want a number from 0 to 1`},
		{
			"no latency", `{"faults":[{"for":"1s","kind":"latency","target":"a"}]}`,
			`faults[0].latency is missing, want 0s to 1h for kind "latency"`,
		},
		{
			"no bandwidth", `{"faults":[{"for":"1s","kind":"bandwidth","target":"a"}]}`,
			`faults[0].rate is missing, want 0.001 to 1000000 for kind "bandwidth"`,
		},
		{
			"out of range", `{"faults":[{"for":"1s","kind":"capacity","target":"a","factor":40}]}`,
			`faults[0].factor is 40, want 0.001 to 1 for kind "capacity"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := fault.ParsePlan(strings.NewReader(test.plan))
			if want := "fault: plan: " + test.want; err == nil || err.Error() != want {
				t.Fatalf("got  %v\nwant %s", err, want)
			}
			if !p.Equal(fault.Plan{}) {
				t.Fatalf("a plan came with the error: %+v", p)
			}
		})
	}
}

func TestParsePlanReadsNoMoreThanItsLimit(t *testing.T) {
	pad := func(n int) io.Reader { return strings.NewReader("{}" + strings.Repeat(" ", n-2)) }
	if _, err := fault.ParsePlan(pad(1 << 20)); err != nil {
		t.Fatal(err)
	}
	endless := io.MultiReader(pad(1<<20), neverRead{t})
	_, err := fault.ParsePlan(io.MultiReader(pad(1<<20), strings.NewReader(" "), endless))
	if err == nil || err.Error() != "fault: plan: longer than 1048576 bytes" {
		t.Fatal(err)
	}
}

type neverRead struct{ t *testing.T }

func (r neverRead) Read([]byte) (int, error) {
	r.t.Error("read beyond the limit")
	return 0, io.EOF
}

func TestParsePlanKeepsTheErrorOfItsReader(t *testing.T) {
	broken := errors.New("broken")
	if _, err := fault.ParsePlan(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Fatal(err)
	}
}

func TestPlanPrintsWhatItWasLoadedFrom(t *testing.T) {
	for _, text := range []string{
		`{"seed":0,"faults":[]}`,
		`{"seed":7,"faults":[{"at":"0s","for":"1ns","kind":"error","target":"a","rate":0}]}`,
		`{"seed":7,"faults":[{"at":"1.5s","for":"2m0s","kind":"slow","target":"ü/1","factor":1.25}]}`,
		`{"seed":7,"faults":[{"at":"0s","for":"1s","kind":"latency","target":"a","latency":"0s"}]}`,
		`{"seed":7,"faults":[{"at":"0s","for":"1s","kind":"latency","target":"a","latency":"1s","jitter":"20ms",` +
			`"stream":"both","toxicity":0.25}]}`,
		`{"seed":7,"faults":[{"at":"0s","for":"1s","kind":"bandwidth","target":"a","rate":64,"stream":"downstream"}]}`,
		`{"seed":7,"faults":[{"at":"0s","for":"1s","kind":"stall","target":"a","toxicity":0}]}`,
		`{"seed":7,"faults":[{"at":"0s","for":"1s","kind":"reset_peer","target":"a","bytes":7,"stream":"upstream"}]}`,
		`{"seed":7,"faults":[{"at":"0s","for":"1s","kind":"down","target":"a","toxicity":1}]}`,
	} {
		p, err := fault.ParsePlan(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(p)
		if err != nil || string(got) != text {
			t.Errorf("got %s, %v, want %s", got, err, text)
		}
	}
}

func TestPlanIsStrictAlsoInsideOfAnotherDocument(t *testing.T) {
	type scene struct{ Plan fault.Plan }
	var s scene
	err := json.Unmarshal([]byte(`{"Plan":{"faults":[{"at":"1s","fr":"2s"}]}}`), &s)
	if err == nil || !strings.Contains(err.Error(), "faults[0].fr: unknown field") {
		t.Fatal(err)
	}
	err = json.Unmarshal([]byte(`{"Plan":{"seed":3,"faults":[{"for":"2s","kind":"later","target":"a"}]}}`), &s)
	if err != nil || s.Plan.Seed != 3 || s.Plan.Faults[0].For != 2*time.Second {
		t.Fatal(s, err)
	}
	if err := s.Plan.Validate(); err == nil {
		t.Fatal("a kind that is not known is valid")
	}
}

// T78: a whole configuration is data, too.
func TestConfigPrintsAndReadsBack(t *testing.T) {
	cfg := fault.Config{
		Plan:     fault.Plan{Seed: 3, Faults: []fault.Fault{slow(time.Second, time.Minute, "a", 2.5)}},
		OnChange: func(fault.Event) {}, Registry: quiet(),
	}
	text, err := json.Marshal(cfg)
	const want = `{"plan":{"seed":3,"faults":[{"at":"1s","for":"1m0s","kind":"slow","target":"a","factor":2.5}]}}`
	if err != nil || string(text) != want {
		t.Fatal(string(text), err)
	}
	var again fault.Config
	if err := json.Unmarshal(text, &again); err != nil || !again.Equal(cfg) {
		t.Fatal(again, err)
	}
}

func TestFaultReadsAndPrintsAlone(t *testing.T) {
	const text = `{"at":"1s","for":"2s","kind":"capacity","target":"a","factor":0.5}`
	var f fault.Fault
	if err := json.Unmarshal([]byte(text), &f); err != nil || f != capacity(time.Second, 2*time.Second, "a", 0.5) {
		t.Fatal(f, err)
	}
	if got, err := json.Marshal(f); err != nil || string(got) != text {
		t.Fatal(string(got), err)
	}
	before := f
	err := json.Unmarshal([]byte(`{"at":"1s","at":"2s"}`), &f)
	if err == nil || err.Error() != "fault: at: given twice" || f != before {
		t.Fatal(f, err)
	}
}
