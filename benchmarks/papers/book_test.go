package papers_test

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/seawall-go/seawall"
)

var reportDir = flag.String("report", "", "folder to which the plots and tables of the papers are written")

// experiment is one paper, article or talk.
type experiment struct {
	id    string // section of the design's list, such as "3.4"
	paper string
	run   func(t *testing.T, b *book)
}

// experiments are in the order of the table.
var experiments = []experiment{
	{"3.1", "Exponential backoff and jitter (AWS Architecture Blog 2015)", backoffJitter},
	{"3.2", "Peak of a herd", herdPeak},
	{"3.3", "The Tail at Scale (CACM 2013)", tailAtScale},
	{"3.3", "Hedges when all is slow", allSlow},
	{"3.4", "Metastable failures (HotOS 2021)", retryStorm},
	{"3.4", "Hysteresis (HotOS 2021)", stormHysteresis},
	{"3.5", "Retries through layers (SRE book, AWS)", retriesThroughLayers},
	{"3.6", "Client-side adaptive throttling (SRE book)", adaptiveThrottling},
	{"3.7", "Breaker in a brown-out (dotnet/extensions #7686)", breakersInBrownOut},
	{"3.8", "Adaptive concurrency (Netflix, Envoy)", adaptiveConcurrency},
	{"3.9", "Consistent shedding (DAGOR, SoCC 2018)", consistentShedding},
	{"3.9", "Shedding by priority (Netflix 2024)", priorityShedding},
	{"3.10", "Probabilistic early expiration, XFetch (VLDB 2015)", earlyExpiration},
}

// row is one figure.
type row struct {
	inputs    string
	published string // what the source says, or what follows from it; "-" if it says nothing
	measured  string
	tolerance string
	ok        bool
	note      string // why it deviates, if it does
}

// book collects the rows of one experiment.
type book struct {
	t          *testing.T
	experiment experiment
	inputs     string
	rows       []row
}

// given says what all rows have in common.
func (b *book) given(seed uint64, format string, args ...any) {
	b.inputs = fmt.Sprintf("seed %d; ", seed) + fmt.Sprintf(format, args...)
}

// add enters a figure, and fails the test if it does not agree.
func (b *book) add(r row) {
	b.t.Helper()
	b.rows = append(b.rows, r)
	if !r.ok {
		b.t.Errorf("%s %s: measured %s, want %s, %s", b.experiment.paper, r.inputs, r.measured, r.published, r.tolerance)
	}
}

// near enters a number that is to lie within a share of the published one.
func (b *book) near(inputs string, published, measured, share float64) {
	b.t.Helper()
	b.add(row{
		inputs: inputs, published: number(published), measured: number(measured),
		tolerance: fmt.Sprintf("± %.3g %%", 100*share), ok: measured >= published*(1-share) && measured <= published*(1+share),
	})
}

// atLeast and atMost enter a number that has a bound.
func (b *book) atLeast(inputs string, bound, measured float64) {
	b.t.Helper()
	b.add(row{inputs: inputs, published: "≥ " + number(bound), measured: number(measured), tolerance: "bound", ok: measured >= bound})
}

func (b *book) atMost(inputs string, bound, measured float64) {
	b.t.Helper()
	b.add(row{inputs: inputs, published: "≤ " + number(bound), measured: number(measured), tolerance: "bound", ok: measured <= bound})
}

// note adds to the latest figure why it is what it is.
func (b *book) note(text string) { b.rows[len(b.rows)-1].note = text }

// beside enters a figure of which nothing was published, such as that of another library. It is not judged.
func (b *book) beside(inputs, measured, note string) {
	b.t.Helper()
	b.add(row{inputs: inputs, published: "-", measured: measured, tolerance: "-", ok: true, note: note})
}

func number(v float64) string { return fmt.Sprintf("%.4g", v) }

// plot writes a picture or a table into the report's folder, if there is one.
func (b *book) plot(name string, write func(io.Writer) error) {
	b.t.Helper()
	if *reportDir == "" {
		return
	}
	writeFile(b.t, filepath.Join(*reportDir, name), write)
}

func writeFile(t *testing.T, name string, write func(io.Writer) error) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(f); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestPapers runs all experiments and prints one table.
func TestPapers(t *testing.T) {
	var books []*book
	for _, e := range experiments {
		t.Run(strings.ReplaceAll(e.id+" "+e.paper, " ", "_"), func(t *testing.T) {
			b := &book{t: t, experiment: e}
			e.run(t, b)
			if len(b.rows) == 0 {
				t.Error("the experiment has measured nothing")
			}
			books = append(books, b)
		})
	}
	var out strings.Builder
	table(&out, books)
	t.Logf("\n%s", out.String())
	report := &book{t: t}
	report.plot("papers.txt", func(w io.Writer) error { _, err := io.WriteString(w, out.String()); return err })
	report.plot("papers.md", func(w io.Writer) error { return markdown(w, books) })
}

var columns = []string{"paper", "inputs", "published", "measured", "tolerance", "verdict", "note"}

// cells are a row of the table.
func (r row) cells(e experiment) []string {
	verdict := "agrees"
	switch {
	case !r.ok:
		verdict = "DEVIATES"
	case r.published == "-":
		verdict = "beside"
	}
	return []string{e.id + " " + e.paper, r.inputs, r.published, r.measured, r.tolerance, verdict, r.note}
}

func table(w io.Writer, books []*book) {
	for _, b := range books {
		if b.inputs != "" {
			fmt.Fprintf(w, "%s %s: %s\n", b.experiment.id, b.experiment.paper, b.inputs)
		}
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(columns, "\t"))
	for _, b := range books {
		for _, r := range b.rows {
			fmt.Fprintln(tw, strings.Join(r.cells(b.experiment), "\t"))
		}
	}
	_ = tw.Flush()
}

// markdown writes a table for each experiment, without the column that is its title.
func markdown(w io.Writer, books []*book) error {
	var out strings.Builder
	for _, b := range books {
		fmt.Fprintf(&out, "### %s %s\n\n", b.experiment.id, b.experiment.paper)
		if b.inputs != "" {
			fmt.Fprintf(&out, "Inputs: %s.\n\n", b.inputs)
		}
		fmt.Fprintf(&out, "| %s |\n|%s\n", strings.Join(columns[1:], " | "), strings.Repeat("---|", len(columns)-1))
		for _, r := range b.rows {
			fmt.Fprintf(&out, "| %s |\n", strings.Join(r.cells(b.experiment)[1:], " | "))
		}
		out.WriteString("\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// brief returns the smaller size under -short and under the race detector.
func brief[T any](few, many T) T {
	if testing.Short() || raceEnabled {
		return few
	}
	return many
}

// silent is a registry for policies that are made by the thousand, whose events nobody reads.
func silent() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r.Detached()
}
