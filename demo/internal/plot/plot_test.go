package plot_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/demo/internal/plot"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var update = flag.Bool("update", false, "write the golden files again")

func sample() plot.Plot {
	values := func(f func(n float64) float64) []float64 {
		all := make([]float64, 20)
		for n := range all {
			all[n] = f(float64(n))
		}
		return all
	}
	return plot.Plot{
		ID:      "sample",
		Title:   "Good answers per second: sample",
		Desc:    `seawall stays at 140, plain falls to 0 between second 5 and 10 & "stays" there`,
		YLabel:  "answers per second",
		Seconds: 20,
		Series: []plot.Series{
			{
				Name:   "offered",
				Values: values(func(float64) float64 { return 140 }),
				Style:  plot.Style{Color: plot.Neutral, Thin: true},
			},
			{Name: "plain", Values: values(func(n float64) float64 {
				if n < 5 {
					return 140
				}
				return 140 * math.Exp(5-n)
			}), Style: plot.Style{Color: 1}},
			{Name: "<seawall>", Values: values(func(n float64) float64 {
				if n == 3 || n == 5 {
					return math.NaN()
				}
				return 135
			})},
		},
		Shades: []plot.Shade{{From: 5, To: 10, Text: "inventory at 40 % capacity"}},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/" + name
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
		t.Errorf("%s is drawn differently; look at it, and run with -update:\n%s", path, got)
	}
}

func TestPicturesDoNotChangeUnnoticed(t *testing.T) {
	p := sample()
	golden(t, "linear.svg", p.SVG())
	p.ID, p.Scale, p.YLabel = "log", plot.LogTime, "latency"
	for i := range p.Series {
		for n := range p.Series[i].Values {
			p.Series[i].Values[n] /= 1000
		}
	}
	golden(t, "log.svg", p.SVG())
}

// parse fails the test unless the SVG is well-formed XML, and returns its elements with their attributes.
func parse(t *testing.T, svg []byte) []xml.StartElement {
	t.Helper()
	var all []xml.StartElement
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok {
			all = append(all, e.Copy())
		}
	}
}

func TestPicturesNeedNothingFromElsewhere(t *testing.T) {
	svg := sample().SVG()
	if text := string(svg); strings.Contains(strings.ReplaceAll(text, "http://www.w3.org/2000/svg", ""), "http") ||
		strings.Contains(text, "url(") || strings.Contains(text, "@import") {
		t.Errorf("a reference in\n%s", text)
	}
	seen := map[string]int{}
	for _, e := range parse(t, svg) {
		seen[e.Name.Local]++
	}
	if seen["script"]+seen["image"]+seen["foreignObject"]+seen["style"] > 0 || seen["title"] != 1 || seen["desc"] != 1 {
		t.Errorf("elements %v", seen)
	}
}

// What cannot be measured is a gap, and a value between two gaps is still seen.
func TestGapsAreNotDrawnAsZero(t *testing.T) {
	for _, row := range []struct {
		values []float64
		moves  int // parts of the line
		dots   int
	}{
		{[]float64{1, 1, 1}, 1, 0},
		{[]float64{1, math.NaN(), 1}, 2, 2},
		{[]float64{math.NaN(), 1, 1}, 1, 0},
		{[]float64{1, 1, math.NaN(), 1, 1}, 2, 0},
		{[]float64{math.NaN(), math.NaN()}, 0, 0},
		{nil, 0, 0},
	} {
		p := plot.Plot{ID: "gap", Seconds: 10, Series: []plot.Series{{Values: row.values}}}
		d := ""
		for _, e := range parse(t, p.SVG()) {
			for _, a := range e.Attr {
				if e.Name.Local == "path" && a.Name.Local == "d" {
					d = a.Value
				}
			}
		}
		if moves, dots := strings.Count(d, "M"), strings.Count(d, "h0"); moves != row.moves || dots != row.dots {
			t.Errorf("%v is drawn as %q", row.values, d)
		}
	}
}

func TestStrangeValuesDoNotBreakThePicture(t *testing.T) {
	for _, scale := range []plot.Scale{plot.Linear, plot.LogTime} {
		for _, values := range [][]float64{
			{0}, {0, 0, 0}, {-1, 2}, {1e-12, 1e12}, {math.SmallestNonzeroFloat64}, {7}, nil, {0.95, 1}, {4}, {1000},
		} {
			p := sample()
			p.Scale = scale
			p.Series = []plot.Series{{Name: "strange", Values: values}}
			svg := p.SVG()
			parse(t, svg)
			if bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) || len(svg) > 20_000 {
				t.Errorf("%v: %d bytes:\n%.2000s", values, len(svg), svg)
			}
		}
	}
}

func TestAxisTicksAreRound(t *testing.T) {
	for _, row := range []struct {
		high float64
		want string
	}{
		{140, "0 50 100 150"},
		{187, "0 50 100 150 200"},
		{1.02, "0 0.5 1 1.5"},
		{4, "0 1 2 3 4 5"},
		{95, "0 20 40 60 80 100"},
		{0.7, "0 0.2 0.4 0.6 0.8"},
	} {
		p := plot.Plot{Seconds: 1, Series: []plot.Series{{Values: []float64{row.high}}}}
		if got := strings.Join(plot.Ticks(p), " "); got != row.want {
			t.Errorf("%v: %s, want %s", row.high, got, row.want)
		}
	}
	p := plot.Plot{Seconds: 1, Scale: plot.LogTime, Series: []plot.Series{{Values: []float64{0.004, 4.3}}}}
	if got := strings.Join(plot.Ticks(p), ", "); got != "1 ms, 10 ms, 100 ms, 1 s, 10 s" {
		t.Error(got)
	}
}
