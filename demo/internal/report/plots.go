package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/plot"
	"github.com/seawall-go/seawall/fault"
)

// Plots returns the pictures of a scene: goodput first.
func (s Scene) Plots() []plot.Plot {
	return []plot.Plot{s.Goodput(), s.losses(), s.latency(), s.attempts()}
}

// Goodput returns the picture of good answers over time: that of the README.
func (s Scene) Goodput() plot.Plot {
	p := s.plot("goodput", "Good answers per second", "answers per second")
	if len(s.Arms) > 0 {
		p.Series = append(p.Series, plot.Series{
			Name:   "offered",
			Values: values(s.Arms[0].Bins, func(b measure.Bin) (float64, bool) { return float64(b.Offered), true }),
			Style:  plot.Style{Color: plot.Neutral, Thin: true},
		})
	}
	s.each(&p, "", false, func(b measure.Bin) (float64, bool) { return float64(b.Good), true })
	return p
}

// losses is the other side of goodput: what was asked for and not answered well.
func (s Scene) losses() plot.Plot {
	p := s.plot("errors", "Errors, refusals and late answers per second", "requests per second")
	s.each(&p, "", false, func(b measure.Bin) (float64, bool) { return float64(b.Errors + b.Refused + b.Slow), true })
	return p
}

func (s Scene) latency() plot.Plot {
	p := s.plot("latency", "Latency, failures included", "from the intended send")
	p.Scale = plot.LogTime
	of := func(percentile func(measure.Latency) time.Duration) func(measure.Bin) (float64, bool) {
		return func(b measure.Bin) (float64, bool) { return percentile(b.Latency).Seconds(), b.Latency.Count > 0 }
	}
	s.each(&p, " p50", true, of(func(l measure.Latency) time.Duration { return l.P50 }))
	s.each(&p, " p99", false, of(func(l measure.Latency) time.Duration { return l.P99 }))
	return p
}

func (s Scene) attempts() plot.Plot {
	p := s.plot("attempts", "Attempts per call", "attempts ÷ calls")
	s.each(&p, "", false, measure.Bin.AttemptsPerCall)
	return p
}

// plot returns a picture without lines.
func (s Scene) plot(id, title, ylabel string) plot.Plot {
	title += ": " + s.Scene.Name
	if len(s.Objections) > 0 || s.Interrupted {
		title += " (INVALID run)"
	}
	p := plot.Plot{
		ID: s.Scene.Name + "-" + id, Title: title, Desc: s.describe(),
		YLabel: ylabel, Seconds: s.Scene.Length.Seconds(),
	}
	for _, f := range s.Scene.Plan.Faults {
		p.Shades = append(p.Shades, plot.Shade{From: f.At.Seconds(), To: (f.At + f.For).Seconds(), Text: Describe(f)})
	}
	return p
}

// each adds a line for each arm. The first arm is drawn last, on top, and always in the same colour.
func (s Scene) each(p *plot.Plot, suffix string, thin bool, value func(measure.Bin) (float64, bool)) {
	for i, a := range slices.Backward(s.Arms) {
		p.Series = append(p.Series, plot.Series{
			Name: a.Name + suffix, Values: values(a.Bins, value), Style: plot.Style{Color: i, Thin: thin},
		})
	}
}

func values(bins []measure.Bin, value func(measure.Bin) (float64, bool)) []float64 {
	all := make([]float64, len(bins))
	for n, b := range bins {
		v, ok := value(b)
		if !ok {
			v = math.NaN()
		}
		all[n] = v
	}
	return all
}

// describe says in words what the pictures show, for people who do not see them.
func (s Scene) describe() string {
	var faults, arms []string
	for _, f := range s.Scene.Plan.Faults {
		faults = append(faults, fmt.Sprintf("%s from second %g to %g", Describe(f), f.At.Seconds(), (f.At+f.For).Seconds()))
	}
	for _, a := range s.Arms {
		var phases []string
		for _, p := range a.Phases {
			phases = append(phases, fmt.Sprintf("%s %s", p.Good, p.Name))
		}
		arms = append(arms, fmt.Sprintf("%s: good %s", a.Name, strings.Join(phases, ", ")))
	}
	return strings.Join(append(faults, arms...), ". ") + "."
}

// Describe says what a fault does, for people.
func Describe(f fault.Fault) string {
	switch f.Kind {
	case fault.Slow:
		return fmt.Sprintf("%s %g × slower", f.Target, f.Factor)
	case fault.Capacity:
		return fmt.Sprintf("%s at %g %% of its capacity", f.Target, 100*f.Factor)
	case fault.Error:
		return fmt.Sprintf("%s fails %g %% of its calls", f.Target, 100*f.Rate)
	}
	return fmt.Sprintf("%s on %s", f.Kind, f.Target)
}
