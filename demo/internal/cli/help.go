package cli

import (
	"flag"
	"fmt"
	"strings"

	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/span"
	"github.com/seawall-go/seawall/fault"
)

const intro = `The box office sells concert tickets and is then hurt on purpose, twice at once: one arm uses Seawall,
the other is plain Go. Same seed, same customers, same faults. It ends with a verdict and a report.

    go run ./demo                        play the tour, about a minute and a half
    go run ./demo -scenario retrystorm   play one scene
    go run ./demo -list                  say what there is to play

Flags:
`

const outro = `
Each second has a line for each arm, told when its deadlines are over:
  offered        requests that customers were to send in it
  good           those of them with the right answer in time; "taken" is one, a quick "not now" is none
  p99            99 of 100 requests that ended took at most as long, from when they were to be sent
  open           circuit breakers that are not closed
  limit          requests that the services work at, of those that they would take in
  shed           requests that were refused, so that the others are served
  attempts/call  how often the gateway sent a call to the inventory: 1.00 is once
A "-" is what the arm does not have. In the results R1 and R2 are the rules of the scene, which -list shows, and I1 to I11
what must always hold: the report says what each of them is.

While it runs, http://` + loopback + `/metrics counts for Prometheus what customers get from each arm, or another
port if that one is taken. Each service with Seawall has a page of its own, with its policies, health and metrics, as
long as its scene lasts. The terminal says where all of it is.

Exit codes:
  0  every rule and invariant holds in the Seawall arm
  1  one does not: the witness and the command that replays it are printed
  2  the flags make no sense
  3  the run is not valid: the machine decided it, or it was interrupted
  4  it could not start

Ctrl-C ends a run with the report so far; a second one ends it at once. NO_COLOR turns colours off.
`

// help returns what -h prints.
func help() string {
	var b strings.Builder
	b.WriteString(intro)
	new(options).flags().VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" && !strings.Contains(text, "(default") {
			text += fmt.Sprintf(" (default: %s)", f.DefValue)
		}
		fmt.Fprintf(&b, "  %-18s %s\n", strings.TrimRight("-"+f.Name+" "+value, " "), text)
	})
	b.WriteString(outro)
	return b.String()
}

// list returns what -list prints.
func list() string {
	var b strings.Builder
	b.WriteString("Scenes:\n")
	for _, s := range scene.All() {
		fmt.Fprintf(&b, "  %-12s %s\n", s.Name, s.Hypothesis)
		fmt.Fprintf(&b, "  %-12s %s, %.4g requests a second: %s\n", "", span.Short(s.Length), s.Rate, s.Mix)
		for _, f := range s.Plan.Faults {
			fmt.Fprintf(&b, "  %-12s %s\n", "", when(f))
		}
		for _, c := range s.Rule {
			fmt.Fprintf(&b, "  %-12s rule: %s\n", "", c)
		}
	}
	b.WriteString("\nLists of scenes:\n")
	for _, name := range scene.Lists() {
		fmt.Fprintf(&b, "  %-12s %s\n", name, names(name))
	}
	b.WriteString("\nFaults:\n")
	for _, row := range []struct {
		kind fault.Kind
		text string
	}{
		{fault.Slow, "the work takes factor times as long"},
		{fault.Capacity, "only the share factor of the workers is left"},
		{fault.Error, "the share rate of the calls fails"},
	} {
		fmt.Fprintf(&b, "  %-12s %s\n", row.kind, row.text)
	}
	return b.String()
}

// names returns the scenes of a list.
func names(list string) string {
	found, err := scene.Find(list)
	if err != nil {
		return err.Error()
	}
	all := make([]string, len(found))
	for i, s := range found {
		all[i] = s.Name
	}
	return strings.Join(all, ", ")
}

// when says what a fault does, and in which time of the scene.
func when(f fault.Fault) string {
	return fmt.Sprintf("%s to %s: %s", span.Short(f.At), span.Short(f.At+f.For), report.Describe(f))
}
