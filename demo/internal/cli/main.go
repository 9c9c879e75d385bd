package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/tally"
	"github.com/seawall-go/seawall/demo/internal/verdict"
)

// Main is the program: args are what follows its name. It returns the exit code; see the report package. The end of ctx
// interrupts a run, which then ends with the report so far.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer, build runner.Builder) int {
	p := program{stdout: stdout, stderr: stderr, build: build, cpu: measure.ProcessCPU, listen: listenLoopback}
	return p.main(ctx, args)
}

// program is one invocation.
type program struct {
	stdout, stderr io.Writer
	build          runner.Builder
	cpu            func() (time.Duration, bool) // nil in virtual time
	listen         func(ctx context.Context) (net.Listener, error)

	counts *tally.Tally // of the run
}

func (p program) main(ctx context.Context, args []string) int {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprint(p.stdout, help())
		return report.ExitHolds
	case err != nil:
		_, _ = fmt.Fprintf(p.stderr, "boxoffice: %v\n           -h shows the flags\n", err)
		return report.ExitUsage
	case o.list:
		_, _ = fmt.Fprint(p.stdout, list())
		return report.ExitHolds
	case o.plot != "":
		return p.redraw(o)
	}
	return p.run(ctx, o)
}

// run plays the scenes and writes the report.
func (p program) run(ctx context.Context, o options) int {
	screen := newScreen(p.stdout, o.json)
	screen.begin(o)
	folder, err := report.OpenFolder(o.report)
	if err != nil {
		return p.noStart(err)
	}
	listener, err := p.listen(context.WithoutCancel(ctx))
	if err != nil {
		return p.noStart(errors.Join(err, folder.Close()))
	}
	p.counts = tally.New(o.armNames()...)
	server := startServer(listener, p.counts)
	defer func() { p.warn(server.close()) }()
	screen.serving(server.url)
	silent := context.AfterFunc(ctx, screen.interrupted)
	r := report.Report{Version: report.Version, Replay: o.replay(o.scenarios), Seed: o.seed, Load: o.load}
	for _, s := range o.scenes {
		r.Wanted = append(r.Wanted, s.Name)
	}
	stage, err := p.play(ctx, o, screen, folder, &r)
	defer func() {
		if stage != nil {
			p.warn(stage.Close(ctx))
		}
	}()
	silent()
	r = r.Conclude()
	if err != nil {
		return p.noStart(errors.Join(err, folder.Write(r)))
	}
	code := r.Outcome.ExitCode
	screen.verdict(r, folder)
	if err := folder.Write(r); err != nil {
		p.warn(err)
		code = max(code, report.ExitBroken)
	}
	if o.json {
		data, err := report.Marshal(r)
		p.warn(err)
		_, err = p.stdout.Write(data)
		p.warn(err)
	}
	if o.stay && ctx.Err() == nil {
		screen.staying(p.stderr, server.url)
		server.stay(ctx, folder)
	}
	return code
}

// play adds the scenes to the report as they end, and returns the last one, whose arms still serve. The error says that
// a scene could not begin; an interruption is none.
func (p program) play(
	ctx context.Context, o options, screen *screen, folder *report.Folder, r *report.Report,
) (last *runner.Played, err error) {
	var twins verdict.Twins
	for i, s := range o.scenes {
		if last != nil {
			p.warn(last.Close(ctx))
			last = nil
		}
		screen.scene(i, o)
		cfg := runner.Config{
			Seed: o.seed, Arms: o.arms, LastFirst: o.twins != "" && i%2 == 1, Build: p.build, CPU: p.cpu,
			Hooks: screen.hooks(i, o), Tally: p.counts,
		}
		played, err := runner.Play(ctx, cfg, s)
		if ctx.Err() != nil && err != nil {
			return nil, nil // interrupted: the report says which scenes are missing
		}
		if err != nil {
			return nil, err
		}
		last = played
		played.Report.Replay = o.replay(s.Name)
		r.Scenes = append(r.Scenes, played.Report)
		for arm, answers := range played.Answers {
			folder.History.Add(s.Name, o.arms[arm].Name, s.SLO, answers)
		}
		if o.twins != "" {
			twins.Add(s.SLO, [2][]load.Answer(played.Answers), played.Report.Interrupted)
			f := twins.Finding()
			r.Twins = &f
		}
		screen.result(played.Report)
		if ctx.Err() != nil {
			break
		}
	}
	return last, nil
}

// noStart says why in one line.
func (p program) noStart(err error) int {
	_, _ = fmt.Fprintf(p.stderr, "boxoffice: could not start: %v\n", err)
	return report.ExitNoStart
}

// warn tells what went wrong beside the run.
func (p program) warn(err error) {
	if err != nil {
		_, _ = fmt.Fprintf(p.stderr, "boxoffice: %v\n", err)
	}
}
