package fault_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/fault"
)

func TestPlanShowsItsTimeline(t *testing.T) {
	p := fault.Plan{Seed: 7, Faults: []fault.Fault{
		slow(8*time.Second, 12*time.Second, "inventory", 40),
		failing(time.Second, 2*time.Second, "ünique", 0),
		{For: time.Millisecond, Kind: fault.Stall, Target: "db", Toxicity: fault.Never, Stream: fault.BothStreams},
		{At: time.Second, For: time.Second, Kind: fault.StatusCode, Target: "db", Status: 503, Body: "a\nb"},
	}}
	const want = `seed 7, 4 faults in 20s
0s to 1ms  stall   db         |#.......................................|  stream both, toxicity 0
1s to  3s  error   ünique     |..####..................................|  rate 0
1s to  2s  status  db         |..##....................................|  status 503, body "a\nb"
8s to 20s  slow    inventory  |................########################|  factor 40
`
	if got := p.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if p.Faults[0].Kind != fault.Slow {
		t.Error("the plan was sorted")
	}
	if got := (fault.Plan{}).String(); got != "seed 0, 0 faults in 0s\n" {
		t.Error(got)
	}
	long := fault.Plan{Faults: []fault.Fault{slow(720*time.Hour, 720*time.Hour, "a", 1), slow(90*time.Minute, 30*time.Minute, "a", 1)}}
	if got := long.String(); !strings.Contains(got, "720h to 1440h") || !strings.Contains(got, "1h30m to    2h") {
		t.Error(got)
	}
}

// The file shows each kind at each of its seams. It is read, and each of its faults is carried out somewhere.
func TestPlanOfTheDocumentationHasEveryKind(t *testing.T) {
	file, err := os.Open("testdata/plan.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	p, err := fault.ParsePlan(file)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, f := range p.Faults {
		shown[string(f.Kind)+string(f.Seam)] = true
	}
	for _, k := range fault.Kinds() {
		seams := k.Seams()
		for n, s := range seams {
			if n == 0 {
				s = ""
			}
			if !shown[string(k)+string(s)] {
				t.Errorf("%s at %q is not shown", k, s)
			}
		}
	}
	if err := (fault.Config{Plan: p, AllowHeaders: true}).Validate(); err != nil {
		t.Error(err)
	}
}
