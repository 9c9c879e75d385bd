package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/span"
	"github.com/seawall-go/seawall/demo/internal/verdict"
	"github.com/seawall-go/seawall/fault"
)

// screen is what the terminal shows. With -json it shows nothing.
type screen struct {
	out   io.Writer
	paint bool
	width int // of the names of arms

	mu sync.Mutex // one writer at a time: hooks come from a goroutine of their own
}

func newScreen(out io.Writer, quiet bool) *screen {
	if quiet {
		out = io.Discard
	}
	return &screen{out: out, paint: colours(out, os.Getenv)}
}

func (s *screen) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(s.out, format, args...) // a terminal that has gone does not end the run
}

// begin says what comes before anything takes time.
func (s *screen) begin(o options) {
	names := o.armNames()
	for _, name := range names {
		s.width = max(s.width, len(name))
	}
	var length time.Duration
	for _, sc := range o.scenes {
		length += sc.Length
	}
	s.printf("boxoffice  seed %d  %s, same customers, same faults: %s\n",
		o.seed, count(len(names), "arm"), strings.Join(names, ", "))
	s.printf("           %s, %s in all; Ctrl-C ends it with the report so far; -h says what the columns mean\n",
		count(len(o.scenes), "scene"), span.Short(length))
}

// serving says what is there from the beginning to the end.
func (s *screen) serving(url string) {
	s.printf("           %s/metrics  what customers get from each arm, for Prometheus\n", url)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// scene says what is played next, and what is claimed.
func (s *screen) scene(i int, o options) {
	sc := o.scenes[i]
	s.printf("\nscene %d/%d  %s: %s\n", i+1, len(o.scenes), s.bold(sc.Name), sc.Hypothesis)
	s.printf("           %s, %.4g requests a second: %s\n", span.Short(sc.Length), sc.Rate, sc.Mix)
	for _, f := range sc.Plan.Faults {
		s.printf("           %s\n", when(f))
	}
	if o.length != 0 {
		s.printf("           all times scaled by -for: this tests the machinery more than the hypothesis\n")
	}
}

// hooks tell of scene i.
func (s *screen) hooks(i int, o options) runner.Hooks {
	return runner.Hooks{
		Ready: func(took time.Duration, pages []runner.Page) {
			s.printf("           ready in %s\n", span.Short(took))
			until := "until the scene ends (-stay keeps the last one's)"
			switch last := i == len(o.scenes)-1; {
			case o.stay && last:
				until = "until Ctrl-C"
			case o.stay:
				until = "until the scene ends"
			}
			s.pages(pages, until)
		},
		Fault: func(e fault.Event) {
			what := report.Describe(e.Fault)
			if e.State == fault.Ended {
				what = "over: " + what
			}
			s.printf(" %-6s  %s  %s\n", clock(e.At), s.yellow(fmt.Sprintf("%-*s", s.width, "fault")), what)
		},
		Second: func(at time.Duration, arms []runner.Second) {
			label := clock(at)
			for _, a := range arms {
				s.printf(" %-6s  %s\n", label, s.second(a))
				label = ""
			}
		},
	}
}

// pages says where one can look into the services, and how long.
func (s *screen) pages(all []runner.Page, until string) {
	if len(all) == 0 {
		return
	}
	s.printf("           policies, health and metrics of the services, for a browser, %s:\n", until)
	for _, p := range all {
		s.printf("           %s  %s of %s\n", p.URL, p.Service, p.Arm)
	}
}

// interrupted says why nothing seems to happen any more.
func (s *screen) interrupted() {
	s.printf("\ninterrupted: what has begun comes to its end, and then the report; Ctrl-C again ends it at once\n")
}

// clock is a time of the scene, to a tenth of a second.
func clock(at time.Duration) string { return fmt.Sprintf("t=%g", at.Round(time.Second/10).Seconds()) }

// second is the status line of one arm.
func (s *screen) second(a runner.Second) string {
	open, limit, shed := "-", "-", "-"
	if len(a.Status.Gates) > 0 {
		open, limit = fmt.Sprint(a.Status.Open), fmt.Sprintf("%d/%d", a.Status.InFlight(), a.Status.Limit())
		shed = fmt.Sprintf("%d/s", a.Shed)
	}
	perCall := "-"
	if a.Calls > 0 {
		perCall = fmt.Sprintf("%.2f", float64(a.Attempts)/float64(a.Calls))
	}
	good := fmt.Sprintf("%7s", a.Share())
	if a.Offered > 0 && a.Share().Ratio() < 0.95 {
		good = s.red(good)
	}
	p99 := "-"
	if a.Ended.Count > 0 {
		p99 = span.Short(a.Ended.P99)
	}
	return fmt.Sprintf("%-*s  offered %4d/s  good %s  p99 %7s  open %-2s  limit %-7s  shed %-6s  attempts/call %s",
		s.width, a.Name, a.Offered, good, p99, open, limit, shed, perCall)
}

// result is what a scene came to.
func (s *screen) result(r report.Scene) {
	s.printf("\nresult     %s%s\n", r.Scene.Name, interrupted(r))
	s.printf("  %-*s", s.width, "")
	for _, p := range r.Arms[0].Phases {
		s.printf("  %11s", "good "+p.Name)
	}
	s.printf("  %8s  %8s  %13s  %15s\n", "p50", "p99", "attempts/call", "recovered after")
	for _, a := range r.Arms {
		s.printf("  %-*s", s.width, a.Name)
		for _, p := range a.Phases {
			s.printf("  %11s", p.Good)
		}
		s.printf("  %8s  %8s  %13.2f  %15s\n",
			span.Short(a.Latency.P50), span.Short(a.Latency.P99), a.AttemptsPerCall(), r.RecoveryOf(a))
	}
	for _, a := range r.Arms {
		s.findings(r, a)
	}
	for _, o := range r.Objections {
		s.printf("  %s  %s\n", s.red("INVALID"), o.What) // the cure comes with the verdict
	}
}

func interrupted(r report.Scene) string {
	if !r.Interrupted {
		return ""
	}
	return fmt.Sprintf(", interrupted after %s", span.Short(r.Played))
}

// findings shows all of a judged arm, and of another one only what is violated.
func (s *screen) findings(r report.Scene, a report.Arm) {
	var quiet []string
	violated := false
	for _, f := range a.Findings {
		// Invariants that hold are named in one line: there are many, and they say little.
		if f.State == verdict.Holds && (!a.Judged() || f.ID[0] == 'I') {
			quiet = append(quiet, f.ID)
			continue
		}
		s.finding(a.Name, f)
		violated = violated || f.State == verdict.Violated
	}
	if len(quiet) > 0 {
		s.printf("  %-*s  %s  %s\n", s.width, a.Name, s.green("holds   "), strings.Join(quiet, " "))
	}
	if violated && a.Judged() {
		s.printf("  %-*s  replay: %s\n", s.width, "", r.Replay)
	}
}

func (s *screen) finding(arm string, f verdict.Finding) {
	state := s.green("holds   ")
	switch f.State {
	case verdict.Holds:
	case verdict.Violated:
		state = s.red("VIOLATED")
	case verdict.Unknown:
		state = s.red("UNKNOWN ")
	case verdict.Unjudged:
		state = "unjudged"
	}
	line := fmt.Sprintf("%s  %s", f.ID, f.Claim)
	if f.Measured != "" && f.Measured != f.Witness {
		line += " (" + f.Measured + ")"
	}
	s.printf("  %-*s  %s  %s\n", s.width, arm, state, line)
	if f.Witness != "" {
		s.printf("  %-*s            %s\n", s.width, "", f.Witness)
	}
}

// verdict is the end.
func (s *screen) verdict(r report.Report, folder *report.Folder) {
	line := r.Line()
	if r.ExitCode() == report.ExitHolds {
		line = s.green(line)
	} else {
		line = s.red(line)
	}
	if r.Twins != nil {
		s.printf("\n")
		s.finding("A/A", *r.Twins)
	}
	s.printf("\nverdict    %s\n", line)
	for _, o := range r.Objections() {
		s.printf("           %s  %s\n", s.red("INVALID"), o)
	}
	s.printf("report     %s\n", folder.Path(report.PageFile))
	s.printf("replay     %s\n", r.Replay)
}

// staying says where the report is served, also when nothing else is shown.
func (s *screen) staying(stderr io.Writer, url string) {
	if s.out == io.Discard {
		_, _ = fmt.Fprintf(stderr, "serving    %s/ until Ctrl-C\n", url)
		return
	}
	s.printf("serving    the report on %s/, and the services of the last scene, until Ctrl-C\n", url)
}
