package cli

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/demo/internal/verdict"
)

// options are the flags, and what follows from them.
type options struct {
	list      bool
	scenarios string
	seed      uint64
	load      float64
	length    time.Duration // 0: as the scenes have it
	armList   string
	twins     string
	report    string
	json      bool
	stay      bool
	plot      string
	out       string

	scenes []scene.Scene
	arms   []runner.Spec
}

const (
	defaultScenarios = "tour"
	defaultArms      = verdict.Seawall + "," + verdict.Plain
	defaultReport    = "boxoffice-report"
)

// flags registers the flags. Their texts are those of the help; a word in backquotes names the value.
func (o *options) flags() *flag.FlagSet {
	f := flag.NewFlagSet("boxoffice", flag.ContinueOnError)
	f.SetOutput(io.Discard) // errors are told once, by main
	f.Usage = func() {}
	f.StringVar(&o.scenarios, "scenario", defaultScenarios,
		"scenes to play, `names` separated by commas; tour and all are lists")
	f.Uint64Var(&o.seed, "seed", 1, "`number` that fixes customers, service times and faults")
	f.Float64Var(&o.load, "load", 1, "`factor` for the number of customers, above 0 and up to 100")
	f.DurationVar(&o.length, "for", 0,
		"`length` of each scene, from 5s; its times shrink or grow with it (default: as it is)")
	f.StringVar(&o.armList, "arms", defaultArms, "`kinds` of box offices, separated by commas: seawall, plain, noretry")
	f.StringVar(&o.twins, "aa", "",
		"two arms of this `kind` instead: what differs between them is not the policies (default: off)")
	f.StringVar(&o.report, "report", defaultReport, "`folder` for the report; it is made if it is not there")
	f.BoolVar(&o.json, "json", false, "print the report as one JSON document, and nothing else")
	f.BoolVar(&o.stay, "stay", false, "afterwards serve the report, and keep the services of the last scene, until Ctrl-C")
	f.BoolVar(&o.list, "list", false, "list scenes and faults, and end")
	f.StringVar(&o.plot, "plot", "", "draw the goodput picture of a report.json `file` again, and end (default: off)")
	f.StringVar(&o.out, "o", "", "`file` for the picture of -plot (default: standard output)")
	return f
}

// parse reads the flags. The error is flag.ErrHelp for -h, or says what makes no sense.
func parse(args []string) (options, error) {
	var o options
	f := o.flags()
	if err := f.Parse(args); err != nil {
		return o, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected %q: all arguments are flags", f.Arg(0))
	case given["o"] && o.plot == "":
		return o, fmt.Errorf("-o is for the picture of -plot")
	case given["aa"] && given["arms"]:
		return o, fmt.Errorf("-aa and -arms exclude each other")
	case o.report == "":
		return o, fmt.Errorf("-report is empty, want a folder")
	}
	if err := o.chooseArms(); err != nil {
		return o, err
	}
	if o.plot != "" && !given["scenario"] {
		o.scenarios = ""
	}
	return o, o.chooseScenes(given)
}

func (o *options) chooseScenes(given map[string]bool) error {
	if o.scenarios == "" && o.plot != "" {
		return nil // whatever the report has
	}
	found, err := scene.Find(o.scenarios)
	if err != nil {
		return fmt.Errorf("-scenario: %w", err)
	}
	for _, s := range found {
		if s, err = s.Load(o.load); err != nil {
			return fmt.Errorf("-load: %w", err)
		}
		if given["for"] {
			if s, err = s.Times(o.length); err != nil {
				return fmt.Errorf("-for: %w", err)
			}
		}
		o.scenes = append(o.scenes, s.Seed(o.seed))
	}
	return nil
}

func (o *options) chooseArms() error {
	known := func(name, kind string) error {
		if slices.Contains(verdict.Kinds(), kind) {
			return nil
		}
		return fmt.Errorf("%s: no kind of arm %q: known are %s", name, kind, strings.Join(verdict.Kinds(), ", "))
	}
	if o.twins != "" {
		o.arms = []runner.Spec{{Name: o.twins + "-a", Kind: o.twins}, {Name: o.twins + "-b", Kind: o.twins}}
		return known("-aa", o.twins)
	}
	for kind := range strings.SplitSeq(o.armList, ",") {
		kind = strings.TrimSpace(kind)
		if err := known("-arms", kind); err != nil {
			return err
		}
		if slices.Contains(o.arms, runner.Spec{Name: kind, Kind: kind}) {
			return fmt.Errorf("-arms: %s is in it twice; for two equal arms use -aa %s", kind, kind)
		}
		o.arms = append(o.arms, runner.Spec{Name: kind, Kind: kind})
	}
	return nil
}

func (o *options) armNames() []string {
	names := make([]string, len(o.arms))
	for i, a := range o.arms {
		names[i] = a.Name
	}
	return names
}

// replay returns the command that plays these scenes again.
func (o options) replay(scenarios string) string {
	command := fmt.Sprintf("go run ./demo -scenario %s -seed %d", scenarios, o.seed)
	if o.load != 1 {
		command += fmt.Sprintf(" -load %v", o.load)
	}
	if o.length != 0 {
		command += fmt.Sprintf(" -for %v", o.length)
	}
	switch {
	case o.twins != "":
		command += " -aa " + o.twins
	case o.armList != defaultArms:
		command += " -arms " + o.armList
	}
	return command
}
