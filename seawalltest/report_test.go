package seawalltest_test

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/seawalltest"
)

// spy takes the failures of assertions.
type spy struct {
	testing.TB
	failures []string
}

func (s *spy) Helper() {}
func (s *spy) Errorf(format string, a ...any) {
	s.failures = append(s.failures, fmt.Sprintf(format, a...))
}

func TestAssertionsFailWhenTheyMust(t *testing.T) {
	down := seawalltest.Run(t, hotos(seawalltest.Plain(2, time.Second), 280, 90*time.Second))
	back := seawalltest.Run(t, hotos(seawalltest.Plain(1, time.Second), 100, 90*time.Second))
	const ends = 40 * time.Second
	for name, c := range map[string]struct {
		assert func(t testing.TB, r *seawalltest.Report)
		fails  *seawalltest.Report
		passes *seawalltest.Report
		text   string
	}{
		"Recovers": {
			func(t testing.TB, r *seawalltest.Report) { r.Recovers(t, ends, 30*time.Second, 0.95) },
			down, back, "goodput did not come back to 95 % for good: in the 5s from 1m25s on it was still 0.0 %",
		},
		"StaysDown": {
			func(t testing.TB, r *seawalltest.Report) { r.StaysDown(t, ends, 0.95) },
			back, down, "although it should not recover",
		},
		"MinGoodput": {
			func(t testing.TB, r *seawalltest.Report) { r.MinGoodput(t, 60*time.Second, 90*time.Second, 0.95) },
			down, back, "goodput from 1m0s to 1m30s was 0.00 %, want at least 95.00 %",
		},
		"MaxAmplification": {
			func(t testing.TB, r *seawalltest.Report) { r.MaxAmplification(t, 1.5) },
			down, back, "requests for each call, want at most 1.500",
		},
		"MaxInFlight": {
			func(t testing.TB, r *seawalltest.Report) { r.MaxInFlight(t, 150) },
			down, back, "calls were under way, want at most 150",
		},
	} {
		failed, passed := &spy{}, &spy{}
		c.assert(failed, c.fails)
		c.assert(passed, c.passes)
		if len(failed.failures) != 1 || !strings.Contains(failed.failures[0], c.text) {
			t.Errorf("%s: failed with %q, want %q", name, failed.failures, c.text)
		}
		if len(passed.failures) > 0 {
			t.Errorf("%s: failed with %q, want none", name, passed.failures)
		}
	}
	s := &spy{}
	back.Recovers(s, ends, time.Second, 0.95)
	if len(s.failures) != 1 || !strings.Contains(s.failures[0], "want within 1s") {
		t.Errorf("late recovery: %q", s.failures)
	}
}

func TestReportCountsEachCallOnce(t *testing.T) {
	s := hotos(seawalltest.Plain(2, time.Second), 280, 50*time.Second)
	s.Dependency.Errors = 0.2
	r := seawalltest.Run(t, s)
	sum := r.Between(0, time.Hour)
	n := r.Totals
	if ended := n.Good + n.Failed + n.Rejected + n.Unfinished; ended != n.Offered {
		t.Errorf("%d calls came and %d ended: %+v", n.Offered, ended, n)
	}
	n.Unfinished = 0
	if sum != n {
		t.Errorf("the bins hold %+v, the totals are %+v", sum, n)
	}
}

func TestCSVHasARowForEachBin(t *testing.T) {
	r := seawalltest.Run(t, hotos(seawalltest.Plain(2, time.Second), 280, 20*time.Second))
	var out bytes.Buffer
	if err := r.CSV(&out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 21 || rows[0][0] != "at" || rows[20][1] != "280" {
		t.Errorf("%v, %d rows: %v", err, len(rows), rows)
	}
	if err := r.CSV(failing{}); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
}

func TestSVGIsWellFormedAndHoldsTheSeries(t *testing.T) {
	r := seawalltest.Run(t, hotos(seawalltest.Plain(2, time.Second), 280, 20*time.Second))
	var out bytes.Buffer
	if err := r.SVG(&out); err != nil {
		t.Fatal(err)
	}
	lines := 0
	for dec := xml.NewDecoder(&out); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
			for _, a := range e.Attr {
				if a.Name.Local == "points" && len(strings.Fields(a.Value)) != 20 {
					t.Errorf("a line has %d points, want 20", len(strings.Fields(a.Value)))
				}
			}
		}
	}
	if lines != 5 {
		t.Errorf("%d lines, want 5", lines)
	}
	if err := r.SVG(failing{}); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
}

var errFull = errors.New("disk full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestScenarioThatCannotBeIsRefused(t *testing.T) {
	valid := hotos(seawalltest.Plain(1, time.Second), 1, time.Second)
	for want, spoil := range map[string]func(*seawalltest.Scenario){
		"Scenario.Arrivals is nil":                 func(s *seawalltest.Scenario) { s.Arrivals = nil },
		"Scenario.Client is nil":                   func(s *seawalltest.Scenario) { s.Client = nil },
		"Scenario.Duration is -1s":                 func(s *seawalltest.Scenario) { s.Duration = -time.Second },
		"Scenario.Patience is -1ns":                func(s *seawalltest.Scenario) { s.Patience = -1 },
		"Scenario.Bin is 1ns":                      func(s *seawalltest.Scenario) { s.Bin = 1 },
		"Dependency.Workers is -1":                 func(s *seawalltest.Scenario) { s.Dependency.Workers = -1 },
		"Dependency.Queue is -1":                   func(s *seawalltest.Scenario) { s.Dependency.Queue = -1 },
		"Dependency.Order is 9":                    func(s *seawalltest.Scenario) { s.Dependency.Order = 9 },
		"Dependency.Errors is 1.5, want 0 to 1":    func(s *seawalltest.Scenario) { s.Dependency.Errors = 1.5 },
		"Phases[0] is from 1s to 1s":               func(s *seawalltest.Scenario) { s.Dependency.Phases[0] = seawalltest.Stall(1e9, 1e9) },
		"Phases[0].Errors is 2, want 0 to 1":       func(s *seawalltest.Scenario) { s.Dependency.Phases[0].Errors = 2 },
		"Phases[0].Speed is -1, want 0 to 1000000": func(s *seawalltest.Scenario) { s.Dependency.Phases[0].Speed = -1 },
	} {
		s := valid
		s.Dependency.Phases = []seawalltest.Phase{{To: time.Second, Speed: 1}}
		spoil(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := valid.Validate(); err != nil {
		t.Error(err)
	}
}
