package report

import (
	"bytes"
	_ "embed" // for the template
	"fmt"
	"html/template"
	"time"

	"github.com/seawall-go/seawall/demo/internal/span"
	"github.com/seawall-go/seawall/demo/internal/verdict"
)

//go:embed report.tmpl.html
var pageText string

// HTML returns the page: one file that needs nothing else, no script either.
func (r Report) HTML() ([]byte, error) {
	page, err := template.New("report").Funcs(template.FuncMap{
		"short":    span.Short,
		"percent":  func(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) },
		"mark":     mark,
		"svg":      func(s Scene) []template.HTML { return s.drawn() },
		"describe": Describe,
		"recovery": Scene.RecoveryOf,
		"until":    func(at, length time.Duration) time.Duration { return at + length },
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, r)
	return b.Bytes(), err
}

// drawn returns the pictures. They are our own and escape what they are given.
func (s Scene) drawn() []template.HTML {
	var all []template.HTML
	for _, p := range s.Plots() {
		all = append(all, template.HTML(p.SVG()))
	}
	return all
}

// RecoveryOf says when an arm had recovered, for people.
func (s Scene) RecoveryOf(a Arm) string {
	switch {
	case len(s.Scene.Plan.Faults) == 0:
		return "-"
	case a.Recovered == nil:
		return "no"
	}
	return span.Short(*a.Recovered)
}

// mark is the word for a finding. Colour only repeats what the word says.
func mark(f verdict.Finding) string {
	switch f.State {
	case verdict.Holds:
		return "holds"
	case verdict.Violated:
		return "VIOLATED"
	case verdict.Unknown:
		return "UNKNOWN"
	case verdict.Unjudged:
	}
	return "not judged"
}
