package report_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/verdict"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var update = flag.Bool("update", false, "write the golden files again")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; look at it, and run with -update", path)
	}
}

// sample is a report with made-up numbers: an arm that holds and one that does not.
func sample(t *testing.T) report.Report {
	t.Helper()
	found, err := scene.Find("retrystorm")
	if err != nil {
		t.Fatal(err)
	}
	s := found[0].Seed(1)
	arm := func(name, kind string, good func(second int) int) report.Arm {
		a := report.Arm{Name: name, Kind: kind, Calls: 6300, Attempts: 6300}
		for n := range 45 {
			g := good(n)
			a.Bins = append(a.Bins, measure.Bin{
				Offered: 140, Good: g, Errors: 140 - g, Calls: 140, Attempts: uint64(140 + 2*(140-g)),
				Latency: measure.Latency{
					Count: 140, P50: 40 * time.Millisecond, P90: 60 * time.Millisecond,
					P99: time.Duration(100+20*(140-g)) * time.Millisecond, P999: 5 * time.Second, Max: 6 * time.Second,
				},
			})
		}
		for _, p := range s.Phases() {
			part := report.Phase{Name: p.Name, From: p.From, To: p.To}
			for n := int(p.From / time.Second); n < int(p.To/time.Second); n++ {
				part.Good.Part += a.Bins[n].Good
				part.Good.Whole += 140
			}
			a.Phases = append(a.Phases, part)
		}
		a.Settings = []report.Setting{
			{Of: `breaker "inventory"`, Name: "window", Value: "10s", Default: true},
			{Of: "client", Name: "timeout", Value: "1s"},
		}
		return a
	}
	seawall := arm("seawall", verdict.Seawall, func(n int) int {
		if n >= 8 && n < 17 {
			return 80
		}
		return 140
	})
	took := time.Second
	seawall.Recovered = &took
	seawall.Latency = measure.Latency{
		Count: 6300, P50: 41 * time.Millisecond, P99: 301 * time.Millisecond, Max: time.Second,
	}
	seawall.Findings = []verdict.Finding{
		{ID: "R1", Claim: "all requests: at least 95 % good", State: verdict.Holds, Measured: "99.2 % of 3360"},
		{ID: "I1", Claim: "no seat is held for two orders at once", State: verdict.Holds, Safety: true},
		{ID: "I11", Claim: "recovered", State: verdict.Holds},
	}
	plain := arm("plain", verdict.Plain, func(n int) int { return int(140 * math.Exp(-max(0, float64(n-8)))) })
	plain.Findings = []verdict.Finding{
		{ID: "I1", Claim: "no seat is held for two orders at once", State: verdict.Holds, Safety: true},
		{ID: "I11", Claim: "recovered", State: verdict.Violated, Witness: "never <recovered>"},
	}
	return report.Report{
		Version: report.Version, Replay: "go run ./demo -scenario retrystorm -seed 1", Seed: 1, Load: 1,
		Wanted: []string{"retrystorm"},
		Scenes: []report.Scene{{
			Scene: s, Replay: "go run ./demo -scenario retrystorm -seed 1", Played: s.Length, Arms: []report.Arm{seawall, plain},
			Machine: measure.Machine{Watched: true, Cores: 2, CPU: 0.41, Late: measure.Share{Whole: 12600}},
		}},
	}
}

// The README's picture is drawn from report.json: the same data must give the same bytes, on every machine.
func TestPicturesComeFromTheDataAlone(t *testing.T) {
	r := sample(t)
	data, err := report.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", data)
	back, err := report.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r, back) {
		t.Errorf("read back as %+v", back)
	}
	svg := back.Scenes[0].Goodput().SVG()
	golden(t, "goodput.svg", svg)
	if !bytes.Equal(svg, r.Scenes[0].Goodput().SVG()) {
		t.Error("drawn differently from the data in memory")
	}
	desc := "<desc id=\"retrystorm-goodput-desc\">inventory at 40 % of its capacity from second 8 to 16. " +
		"seawall: good 100.0 % before, 57.1 % during, 98.5 % after. " +
		"plain: good 100.0 % before, 19.4 % during, 0.0 % after.</desc>"
	if !strings.Contains(string(svg), desc) {
		t.Errorf("no description in words:\n%s", svg)
	}
}

func TestPageNeedsNothingFromElsewhere(t *testing.T) {
	r := sample(t)
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, bad := range []string{
		"<script", "<link", "<img", "src=", "href=", "@import", "url(", "https://", "never <recovered>", "ZgotmplZ",
	} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q in it", bad)
		}
	}
	for _, good := range []string{
		"prefers-color-scheme: dark", "@media print", "never &lt;recovered&gt;", "VIOLATED", "99.2 % of 3360", "run valid",
		r.Replay, "breaker &#34;inventory&#34;", ">default<", "301ms", "cpu 41 %", `lang="en"`,
	} {
		if !strings.Contains(text, good) {
			t.Errorf("the page has no %q", good)
		}
	}
	if n := strings.Count(text, "<svg "); n != 4 {
		t.Errorf("%d pictures", n)
	}
	ids := map[string]bool{}
	for part := range strings.SplitSeq(text, ` id="`) {
		if id, _, ok := strings.Cut(part, `"`); ok && !strings.HasPrefix(part, "<!doctype") {
			if ids[id] {
				t.Errorf("id %q twice", id)
			}
			ids[id] = true
		}
	}
}

func TestPageOfAnInvalidOrEmptyRunSaysSo(t *testing.T) {
	r := sample(t)
	r.Scenes[0].Machine.CPU = 0.9
	r.Scenes[0].Objections = r.Scenes[0].Machine.Objections()
	if svg := r.Scenes[0].Goodput().SVG(); !bytes.Contains(svg, []byte("retrystorm (INVALID run)</title>")) {
		t.Error("the picture does not say so")
	}
	o := r.Conclude().Outcome
	if o.Valid || o.ExitCode != report.ExitInvalid || len(o.Objections) != 1 || o.Line != r.Line() {
		t.Errorf("%+v", o)
	}
	page, err := r.HTML()
	if err != nil || !strings.Contains(string(page), "INVALID: retrystorm: the process used 90 %") ||
		!strings.Contains(string(page), "-load 0.5") || !strings.Contains(string(page), "run INVALID") {
		t.Errorf("%v in\n%.2000s", err, page)
	}
	empty := report.Report{Version: report.Version, Wanted: []string{"retrystorm"}}
	if page, err = empty.HTML(); err != nil || !strings.Contains(string(page), "interrupted before retrystorm") {
		t.Errorf("%v in\n%.2000s", err, page)
	}
	r = sample(t)
	r.Scenes[0].Interrupted, r.Scenes[0].Played = true, 20*time.Second
	twins := verdict.Finding{ID: "A/A", Claim: "equal", State: verdict.Unjudged}
	r.Twins = &twins
	page, err = r.HTML()
	cut, unjudged := strings.Contains(string(page), "Interrupted after 20s"), strings.Contains(string(page), "not judged")
	if err != nil || !cut || !unjudged {
		t.Errorf("%v in\n%.2000s", err, page)
	}
}

// The table of exit codes. 1 wins over 3 only for what is not about time.
func TestExitCodes(t *testing.T) {
	violate := func(arm, finding int, state verdict.State) func(*report.Report) {
		return func(r *report.Report) { r.Scenes[0].Arms[arm].Findings[finding].State = state }
	}
	invalid := func(r *report.Report) { r.Scenes[0].Objections = []measure.Objection{{What: "busy", Cure: "wait"}} }
	interrupt := func(r *report.Report) { r.Scenes[0].Interrupted = true }
	nobody := func(r *report.Report) { r.Scenes[0].Arms = r.Scenes[0].Arms[1:] }
	twins := func(state verdict.State) func(*report.Report) {
		return func(r *report.Report) { r.Twins = &verdict.Finding{ID: "A/A", State: state} }
	}
	type changes []func(*report.Report)
	for _, row := range []struct {
		what    string
		changes changes
		want    int
		line    string // a part of it
	}{
		{"all holds in seawall", nil, 0, "seawall PASS 3/3   plain 1 violated: I11   run valid"},
		{"an invariant is violated in plain", changes{violate(1, 0, verdict.Violated)}, 0, "plain 2 violated: I1 I11"},
		{"a rule is violated", changes{violate(0, 0, verdict.Violated)}, 1, "seawall FAIL 2/3: R1"},
		{"an invariant is violated", changes{violate(0, 1, verdict.Violated)}, 1, "seawall FAIL 2/3: I1"},
		{"an invariant could not be checked", changes{violate(0, 1, verdict.Unknown)}, 1, "seawall FAIL 2/3: I1"},
		{"invalid", changes{invalid}, 3, "run INVALID"},
		{"invalid, and a rule is violated", changes{invalid, violate(0, 0, verdict.Violated)}, 3, "run INVALID"},
		{"invalid, and not recovered in time", changes{invalid, violate(0, 2, verdict.Violated)}, 3, "run INVALID"},
		{"invalid, and a seat sold twice", changes{invalid, violate(0, 1, verdict.Violated)}, 1, "run INVALID"},
		{"interrupted", changes{interrupt, violate(0, 0, verdict.Unjudged)}, 3, "seawall unjudged 2/3"},
		{"interrupted, and a seat sold twice", changes{interrupt, violate(0, 1, verdict.Violated)}, 1, "FAIL"},
		{"a scene is missing", changes{func(r *report.Report) { r.Wanted = append(r.Wanted, "next") }}, 3, "run INVALID"},
		{"nothing is judged", changes{nobody}, 0, "plain 1 violated"},
		{"two equal arms", changes{twins(verdict.Holds)}, 0, "A/A holds"},
		{"two arms that should be equal", changes{twins(verdict.Violated)}, 1, "A/A violated"},
		{"invalid, and they differ", changes{twins(verdict.Violated), invalid}, 3, "run INVALID"},
	} {
		r := sample(t)
		for _, change := range row.changes {
			change(&r)
		}
		if got := r.ExitCode(); got != row.want || !strings.Contains(r.Line(), row.line) {
			t.Errorf("%s: %d, %q; want %d, %q", row.what, got, r.Line(), row.want, row.line)
		}
	}
	two := sample(t)
	two.Scenes = append(two.Scenes, two.Scenes[0])
	two.Scenes[1].Scene.Name = "other"
	if got := two.Line(); !strings.HasPrefix(got, "seawall PASS 6/6   plain 2 violated: retrystorm.I11 other.I11") {
		t.Errorf("%q", got)
	}
}

func TestFolderHoldsEnoughToReplay(t *testing.T) {
	r := sample(t)
	path := filepath.Join(t.TempDir(), "deep", "report")
	folder, err := report.OpenFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	answers := []load.Answer{
		{
			Request: load.Request{
				N: 1, At: time.Second, Kind: load.Hold, Customer: 12, Performance: 3, Seats: []int64{7, 8}, Order: "retrystorm-000001",
			},
			Sent: time.Second + time.Millisecond, Done: 1040 * time.Millisecond, Status: 201, Valid: true,
		},
		{
			Request: load.Request{N: 2, At: 2 * time.Second, Kind: load.SeatMap, Performance: 3}, Sent: 2 * time.Second,
			Done: 2500 * time.Millisecond, Status: 200, Valid: true, Stale: true, Age: 3 * time.Second,
		},
	}
	folder.History.Add("retrystorm", "seawall", measure.DefaultSLO(), answers)
	if err := folder.Write(r); err != nil {
		t.Fatal(err)
	}
	var names []string
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, []string{"history.jsonl.gz", "plan.json", "report.html", "report.json"}) {
		t.Errorf("files %v", names)
	}

	data, err := os.ReadFile(folder.Path(report.PlanFile))
	if err != nil {
		t.Fatal(err)
	}
	var plan report.Plan
	if err := json.Unmarshal(data, &plan); err != nil || plan.Seed != 1 || len(plan.Scenes) != 1 ||
		!reflect.DeepEqual(plan.Scenes[0], r.Scenes[0].Scene) || plan.Replay != r.Replay {
		t.Errorf("%s: %v", data, err)
	}

	file, err := os.Open(folder.Path(report.HistoryFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := io.ReadAll(zip)
	want := `{"scene":"retrystorm","arm":"seawall","n":1,"at_us":1000000,"sent_us":1001000,"done_us":1040000,` +
		`"kind":"hold","customer":12,"performance":3,"seats":[7,8],"order":"retrystorm-000001",` +
		`"grade":"good","status":201,"valid":true}` + "\n" +
		`{"scene":"retrystorm","arm":"seawall","n":2,"at_us":2000000,"sent_us":2000000,"done_us":2500000,"kind":"seatmap",` +
		`"performance":3,"grade":"slow","status":200,"valid":true,"stale":true,"age_us":3000000}` + "\n"
	if string(lines) != want || err != nil {
		t.Errorf("%v:\n%s", err, lines)
	}
}

func TestFolderThatCannotBeWrittenIsKnownBeforeTheRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := report.OpenFolder(file); err == nil || !strings.Contains(err.Error(), "report folder") {
		t.Errorf("%v", err)
	}
}

// full is a disk that takes no more than n bytes.
type full struct{ n int }

var errFull = errors.New("disk full")

func (f *full) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestHistoryTellsThatTheDiskIsFull(t *testing.T) {
	h := report.NewHistory(&full{100})
	answers := make([]load.Answer, 10_000)
	for i := range answers {
		answers[i].N = uint64(i * i * i)
	}
	h.Add("s", "a", measure.DefaultSLO(), answers)
	if err := h.Close(); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
}

func TestReadRefusesWhatIsNoReport(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "not a report.json",
		"[]":                  "not a report.json",
		`{"version":99}`:      "version 99",
		`{}`:                  "version 0",
		`{"version":"eleven`:  "not a report.json",
		`{"version":1,"seed"`: "not a report.json",
	} {
		if _, err := report.Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// Who reads report.json is not always us.
func FuzzReadNeverPanics(f *testing.F) {
	f.Add([]byte(`{"version":1,"scenes":[{"scene":{"length":"1s","plan":{"seed":1,"faults":[]}},"arms":[{"bins":[]}]}]}`))
	f.Add([]byte(`{"version":1,"scenes":[{"scene":{"length":"-1s"},"arms":[]}]}`))
	f.Add([]byte(`{"version":1,"scenes":[{}]}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		r, err := report.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, s := range r.Scenes {
			s.Goodput().SVG()
		}
		r.ExitCode()
		r.Line()
	})
}
