package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/armtest"
	"github.com/seawall-go/seawall/demo/internal/cli"
	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/verdict"
	"github.com/seawall-go/seawall/demo/internal/wire"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// result is what an invocation left behind.
type result struct {
	code           int
	stdout, stderr string
	folder         string
}

// invocation is a program in virtual time.
type invocation struct {
	args []string
	bugs armtest.Bugs
	cpu  func() (time.Duration, bool)
	stop time.Duration // when Ctrl-C is pressed; 0 is never
}

func (i invocation) run(t *testing.T) (r result) {
	t.Helper()
	r.folder = filepath.Join(t.TempDir(), "report")
	var stdout, stderr bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if i.stop != 0 {
			defer time.AfterFunc(i.stop, cancel).Stop()
		}
		args := append([]string{"-report", r.folder}, i.args...)
		r.code = cli.Virtual(ctx, args, &stdout, &stderr, armtest.Builder(i.bugs), i.cpu, nil)
	})
	r.stdout, r.stderr = stdout.String(), stderr.String()
	return r
}

// report reads report.json.
func (r result) report(t *testing.T) report.Report {
	t.Helper()
	file, err := os.Open(filepath.Join(r.folder, report.DataFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	read, err := report.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func wants(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s has no %q:\n%s", what, part, text)
		}
	}
}

func TestTourShowsWhatItDoesAndWhatCameOfIt(t *testing.T) {
	r := invocation{}.run(t)
	if r.code != report.ExitHolds || r.stderr != "" {
		t.Errorf("exit code %d, stderr %q", r.code, r.stderr)
	}
	wants(t, "the terminal", r.stdout,
		"boxoffice  seed 1  2 arms, same customers, same faults: seawall, plain\n",
		"           http://127.0.0.2:1/metrics  what customers get from each arm, for Prometheus\n",
		"scene 1/2  brownout: seat-map reads stay good while inventory is 40 times slower\n",
		"scene 2/2  retrystorm: a trigger that is gone leaves no damage\n",
		" t=8     fault    inventory at 40 % of its capacity\n",
		" t=16    fault    over: inventory at 40 % of its capacity\n",
		" t=45    seawall  offered ",
		"  seawall  holds     R1  all requests: at least 95 % good from 21s to 45s",
		"  seawall  holds     I1 I2 I4 I5 I7 I8 I9 I11\n",
		"  plain    VIOLATED  I11  recovered within 10s after the last fault",
		"\nverdict    seawall PASS 20/20   plain 2 violated: brownout.I11 retrystorm.I11   "+
			"run valid (late 0.00 %, short draws 0.00 %)\n",
		"\nreport     "+filepath.Join(r.folder, "report.html")+"\n",
		"\nreplay     go run ./demo -scenario tour -seed 1\n",
	)
	status := regexp.MustCompile(`(?m)^ (t=\d+ *|       ) (seawall|plain  )  offered +\d+/s  good +[\d.]+ %  ` +
		`p99 +\S+  open (0|-)   limit (\d+/16|-) +shed (\d+/s|-) +attempts/call (\d\.\d\d|-)$`)
	if n := len(status.FindAllString(r.stdout, -1)); n != 2*(30+45) {
		t.Errorf("%d status lines, want one for each arm and second", n)
	}
	for i, line := range strings.Split(r.stdout, "\n") {
		if strings.Contains(line, "\x1b") || strings.TrimRight(line, " ") != line {
			t.Errorf("line %d has colours or trailing spaces: %q", i, line)
		}
	}
	found := r.report(t)
	if len(found.Scenes) != 2 || found.Scenes[1].Replay != "go run ./demo -scenario retrystorm -seed 1" {
		t.Errorf("report: %s", found.Line())
	}
}

func TestTerminalSaysWhereServicesCanBeLookedAtAndHowLong(t *testing.T) {
	pages := armtest.Bugs{Pages: func(o runner.Options) []runner.Page {
		if o.Kind != verdict.Seawall {
			return nil
		}
		return []runner.Page{{Arm: o.Name, Service: "inventory", URL: "http://127.0.0.2:7"}, {Arm: o.Name, Service: "gateway", URL: "http://127.0.0.2:8"}}
	}}
	const what = "           policies, health and metrics of the services, for a browser, "
	const where = ":\n           http://127.0.0.2:7  inventory of seawall\n           http://127.0.0.2:8  gateway of seawall\n"
	r := invocation{args: []string{"-for", "5s"}, bugs: pages}.run(t)
	if n := strings.Count(r.stdout, what+"until the scene ends (-stay keeps the last one's)"+where); n != 2 {
		t.Errorf("the terminal says so in %d of 2 scenes:\n%s", n, r.stdout)
	}
	wants(t, "the terminal with -stay", invocation{args: []string{"-stay", "-for", "5s"}, bugs: pages, stop: time.Minute}.run(t).stdout,
		what+"until the scene ends"+where, what+"until Ctrl-C"+where)
	r = invocation{args: []string{"-arms", "plain", "-for", "5s"}, bugs: pages}.run(t)
	if strings.Contains(r.stdout, what) {
		t.Errorf("there are pages of what has none:\n%s", r.stdout)
	}
}

// A terminal that shows nothing for long looks like a program that hangs.
func TestFirstLinesComeBeforeAnythingIsBuilt(t *testing.T) {
	var stdout bytes.Buffer
	stop := errors.New("stop")
	build := func(context.Context, runner.Options) (runner.Arm, error) {
		wants(t, "the terminal", stdout.String(),
			"boxoffice  seed 7  1 arm", "scene 1/1  retrystorm: a trigger that is gone leaves no damage",
			"45s, 140 requests a second: 100 % hold", "8s to 16s: inventory at 40 % of its capacity")
		return nil, stop
	}
	args := []string{"-scenario", "retrystorm", "-seed", "7", "-arms", "seawall", "-report", t.TempDir()}
	code := cli.Main(t.Context(), args, &stdout, io.Discard, build)
	if code != report.ExitNoStart {
		t.Errorf("exit code %d", code)
	}
}

func TestExitCodeOneShowsTheWitnessAndHowToReplayIt(t *testing.T) {
	twice := armtest.Bugs{Ledger: func(o runner.Options, l verdict.Ledger) (verdict.Ledger, error) {
		if o.Name == "seawall" { // the first seat is given to a second order
			again := l.Events[0]
			again.Order = "retrystorm-999999"
			l.Events = append(l.Events, again)
		}
		return l, nil
	}}
	args := []string{"-scenario", "retrystorm", "-for", "5s", "-seed", "3", "-load", "0.5"}
	r := invocation{args: args, bugs: twice}.run(t)
	if r.code != report.ExitBroken {
		t.Errorf("exit code %d", r.code)
	}
	wants(t, "the terminal", r.stdout,
		"  seawall  VIOLATED  I1  no seat is held for two orders at once",
		"was given to order retrystorm-000001 at t=", ", and to order retrystorm-999999 at t=",
		"replay: go run ./demo -scenario retrystorm -seed 3 -load 0.5 -for 5s\n",
		"verdict    seawall FAIL ", " I1 I4 ",
		"all times scaled by -for",
	)
}

func TestExitCodeTwoSaysWhatMakesNoSense(t *testing.T) {
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"-scenario", "browout"}, `-scenario: no scenario "browout": did you mean brownout? known are tour, all, `},
		{[]string{"-load", "0"}, "-load: a load of 0: want above 0 and up to 100"},
		{[]string{"-load", "-2"}, "-load: a load of -2"},
		{[]string{"-load", "NaN"}, "-load: a load of NaN"},
		{[]string{"-load", "much"}, `invalid value "much" for flag -load`},
		{[]string{"-for", "1ms"}, "-for: a scene of 1ms: want 5s to 24h0m0s"},
		{[]string{"-for", "0"}, "-for: a scene of 0s"},
		{[]string{"-for", "soon"}, `invalid value "soon" for flag -for`},
		{[]string{"-seed", "-1"}, `invalid value "-1" for flag -seed`},
		{[]string{"-arms", "seawall,plane"}, `-arms: no kind of arm "plane": known are seawall, plain, noretry`},
		{[]string{"-arms", ""}, `-arms: no kind of arm ""`},
		{[]string{"-arms", "plain,plain"}, "-arms: plain is in it twice; for two equal arms use -aa plain"},
		{[]string{"-aa", "both"}, `-aa: no kind of arm "both"`},
		{[]string{"-aa", "plain", "-arms", "seawall"}, "-aa and -arms exclude each other"},
		{[]string{"-report", ""}, "-report is empty"},
		{[]string{"-o", "x.svg"}, "-o is for the picture of -plot"},
		{[]string{"-chaos"}, "flag provided but not defined: -chaos"},
		{[]string{"brownout"}, `unexpected "brownout": all arguments are flags`},
		{[]string{"-plot", "no/such/file"}, "-plot: open no/such/file"},
	} {
		var stdout, stderr bytes.Buffer
		code := cli.Main(t.Context(), row.args, &stdout, &stderr, nil)
		if code != report.ExitUsage || stdout.Len() != 0 || !strings.Contains(stderr.String(), row.want) {
			t.Errorf("%q: exit code %d, %q and %q; want %q", row.args, code, stdout.String(), stderr.String(), row.want)
		}
	}
}

func TestExitCodeThreeNamesReasonAndCure(t *testing.T) {
	var mu sync.Mutex
	var used time.Duration
	busy := func() (time.Duration, bool) {
		mu.Lock()
		defer mu.Unlock()
		used += time.Hour
		return used, true
	}
	r := invocation{args: []string{"-scenario", "retrystorm", "-for", "8s", "-arms", "seawall"}, cpu: busy}.run(t)
	if r.code != report.ExitInvalid {
		t.Errorf("exit code %d", r.code)
	}
	wants(t, "the terminal", r.stdout,
		"INVALID  the process used ", "at most 70 % is valid", "-load 0.5", "run INVALID (cpu ")
	page, err := os.ReadFile(filepath.Join(r.folder, report.PageFile))
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "the page", string(page), "INVALID: retrystorm: the process used ")
	if found := r.report(t); found.Valid() {
		t.Error("report.json does not know")
	}
	// What is not about time counts all the same.
	lost := armtest.Bugs{Ledger: func(_ runner.Options, l verdict.Ledger) (verdict.Ledger, error) {
		l.Claims = nil
		return l, nil
	}}
	r = invocation{args: []string{"-scenario", "retrystorm", "-for", "5s"}, cpu: busy, bugs: lost}.run(t)
	if r.code != report.ExitBroken {
		t.Errorf("a lost claim in an invalid run: exit code %d", r.code)
	}
}

func TestExitCodeFourSaysWhyInOneLine(t *testing.T) {
	taken := armtest.Bugs{Build: func(o runner.Options) error {
		if o.Name == "plain" {
			return errors.New("listen tcp 127.0.0.3:0: no more ports")
		}
		return nil
	}}
	r := invocation{bugs: taken}.run(t)
	want := "boxoffice: could not start: arm plain: listen tcp 127.0.0.3:0: no more ports\n"
	if r.code != report.ExitNoStart || r.stderr != want {
		t.Errorf("exit code %d, %q", r.code, r.stderr)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r = invocation{args: []string{"-report", file}}.run(t)
	want = "boxoffice: could not start: report folder: "
	if r.code != report.ExitNoStart || !strings.HasPrefix(r.stderr, want) || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("exit code %d, %q", r.code, r.stderr)
	}
}

func TestAnotherSceneThatCannotStartLeavesTheFirstOneInTheReport(t *testing.T) {
	second := armtest.Bugs{Build: func(o runner.Options) error {
		if o.Scene.Name == "retrystorm" {
			return errors.New("disk full")
		}
		return nil
	}}
	r := invocation{args: []string{"-for", "5s"}, bugs: second}.run(t)
	if found := r.report(t); r.code != report.ExitNoStart || len(found.Scenes) != 1 {
		t.Errorf("exit code %d, %d scenes, %q", r.code, len(found.Scenes), r.stderr)
	}
}

func TestCtrlCEndsWithTheReportSoFar(t *testing.T) {
	for _, row := range []struct {
		stop   time.Duration
		scenes int
		want   string
	}{
		{20 * time.Second, 1, "brownout: interrupted after 19.5s of 30s"},
		{50 * time.Second, 2, "retrystorm: interrupted after "},
	} {
		r := invocation{args: []string{"-arms", "seawall"}, stop: row.stop}.run(t)
		found := r.report(t)
		if r.code != report.ExitInvalid || len(found.Scenes) != row.scenes || !found.Scenes[row.scenes-1].Interrupted {
			t.Errorf("%v: exit code %d, %d scenes", row.stop, r.code, len(found.Scenes))
		}
		wants(t, "the terminal", r.stdout, "\ninterrupted: what has begun comes to its end", row.want, "let it come to its end", "unjudged  R1", "run INVALID")
		if row.scenes == 1 {
			wants(t, "the terminal", r.stdout, "interrupted before retrystorm")
		}
		for _, name := range []string{report.PageFile, report.PlanFile, report.HistoryFile} {
			if info, err := os.Stat(filepath.Join(r.folder, name)); err != nil || info.Size() == 0 {
				t.Errorf("%v: %s: %v", row.stop, name, err)
			}
		}
	}
}

func TestJSONIsOneDocumentAndNothingElse(t *testing.T) {
	r := invocation{args: []string{"-json", "-scenario", "brownout", "-for", "5s"}}.run(t)
	d := json.NewDecoder(strings.NewReader(r.stdout))
	var printed report.Report
	if err := d.Decode(&printed); err != nil {
		t.Fatal(err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		t.Errorf("something follows: %v", err)
	}
	if printed.Version != report.Version || len(printed.Scenes) != 1 || r.stderr != "" {
		t.Errorf("version %d, %d scenes, stderr %q", printed.Version, len(printed.Scenes), r.stderr)
	}
	file, err := os.ReadFile(filepath.Join(r.folder, report.DataFile))
	if err != nil || string(file) != r.stdout {
		t.Errorf("report.json says something else, %v", err)
	}
}

// A/A: two arms of one kind, named apart, compared.
func TestEqualArmsAreComparedWithEachOther(t *testing.T) {
	r := invocation{args: []string{"-aa", "seawall", "-scenario", "retrystorm"}}.run(t)
	if r.code != report.ExitHolds {
		t.Errorf("exit code %d", r.code)
	}
	wants(t, "the terminal", r.stdout, "seawall-a", "seawall-b", "holds     A/A  two equal arms differ by at most 1 point",
		"seawall-a PASS 10/10   seawall-b PASS 10/10   A/A holds", "-aa seawall\n")
	// Which of them is made first changes with each scene; which is told of first does not.
	var made []string
	note := armtest.Bugs{Build: func(o runner.Options) error {
		made = append(made, o.Name+" at "+strconv.Itoa(o.Index))
		return nil
	}}
	r = invocation{args: []string{"-aa", "plain", "-for", "5s"}, bugs: note}.run(t)
	if !slices.Equal(made, []string{"plain-a at 0", "plain-b at 1", "plain-b at 1", "plain-a at 0"}) {
		t.Errorf("made are %v", made)
	}
	for _, s := range r.report(t).Scenes {
		if s.Arms[0].Name != "plain-a" || s.Arms[1].Name != "plain-b" {
			t.Errorf("%s tells of %s and then of %s", s.Scene.Name, s.Arms[0].Name, s.Arms[1].Name)
		}
	}
	// One of them is slower: that must be seen.
	slow := armtest.Bugs{Answer: func(o runner.Options, a load.Answer) load.Answer {
		if o.Index == 1 {
			time.Sleep(700 * time.Millisecond)
		}
		return a
	}}
	r = invocation{args: []string{"-aa", "plain", "-scenario", "brownout", "-for", "5s"}, bugs: slow}.run(t)
	if r.code != report.ExitBroken {
		t.Errorf("exit code %d", r.code)
	}
	wants(t, "the terminal", r.stdout, "VIOLATED  A/A", "A/A violated",
		"replay     go run ./demo -scenario brownout -seed 1 -for 5s -aa plain")
}

func TestPlainIsReportedAndNotJudged(t *testing.T) {
	r := invocation{args: []string{"-arms", "plain,noretry", "-scenario", "retrystorm"}}.run(t)
	if r.code != report.ExitHolds {
		t.Errorf("exit code %d", r.code)
	}
	wants(t, "the terminal", r.stdout, "plain 1 violated: I11", "noretry 6/6 hold", "-arms plain,noretry\n")
}

func TestPictureIsDrawnAgainFromTheReport(t *testing.T) {
	r := invocation{args: []string{"-for", "5s"}}.run(t)
	data := filepath.Join(r.folder, report.DataFile)
	found := r.report(t)
	out := filepath.Join(t.TempDir(), "docs", "goodput.svg")
	for _, row := range []struct {
		args []string
		want []byte
	}{
		{[]string{"-plot", data}, found.Scenes[1].Goodput().SVG()},
		{[]string{"-plot", data, "-scenario", "brownout"}, found.Scenes[0].Goodput().SVG()},
		{[]string{"-plot", data, "-o", out}, nil},
	} {
		var stdout, stderr bytes.Buffer
		code := cli.Main(t.Context(), row.args, &stdout, &stderr, nil)
		if code != 0 || !bytes.Equal(stdout.Bytes(), row.want) {
			t.Errorf("%q: exit code %d, %d bytes, %q", row.args, code, stdout.Len(), stderr.String())
		}
	}
	if svg, err := os.ReadFile(out); err != nil || !bytes.Equal(svg, found.Scenes[1].Goodput().SVG()) {
		t.Errorf("%s: %v", out, err)
	}
	for want, args := range map[string][]string{
		"has no such scene":        {"-plot", filepath.Join(r.folder, "plan.json"), "-scenario", "brownout"},
		"-scenario names 2 scenes": {"-plot", data, "-scenario", "tour"},
		"not a report.json":        {"-plot", filepath.Join(r.folder, report.PageFile)},
	} {
		var stderr bytes.Buffer
		code := cli.Main(t.Context(), args, io.Discard, &stderr, nil)
		if want == "has no such scene" {
			want = "version 0" // a plan is no report
		}
		if code != report.ExitUsage || !strings.Contains(stderr.String(), want) {
			t.Errorf("%q: exit code %d, %q", args, code, stderr.String())
		}
	}
}

func TestHelpAndListSayWhatThereIs(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := cli.Main(t.Context(), []string{"-h"}, &stdout, &stderr, nil); code != 0 || stderr.Len() != 0 {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
	for _, flag := range []string{
		"list", "scenario", "seed", "load", "for", "arms", "aa", "report", "json", "stay", "plot", "o",
	} {
		wants(t, "the help", stdout.String(), "\n  -"+flag+" ")
	}
	wants(t, "the help", stdout.String(), "Exit codes:", "NO_COLOR", "http://127.0.0.1:8400/metrics", "go run ./demo", "(default: boxoffice-report)")
	stdout.Reset()
	if code := cli.Main(t.Context(), []string{"-list"}, &stdout, &stderr, nil); code != 0 || stderr.Len() != 0 {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
	wants(t, "the list", stdout.String(),
		"brownout", "retrystorm", "tour         brownout, retrystorm", "slow ", "capacity ", "error ")
	for line := range strings.SplitSeq(stdout.String(), "\n") {
		if len(line) > 120 {
			t.Errorf("a long line: %s", line)
		}
	}
}

func TestColoursAreForTerminalsThatWantThem(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device, like a terminal
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	env := func(set ...string) func(string) string {
		return func(name string) string {
			if slices.Contains(set, name) {
				return "dumb"
			}
			return ""
		}
	}
	for _, row := range []struct {
		what string
		out  io.Writer
		env  func(string) string
		want bool
	}{
		{"a device", null, env(), true},
		{"a device with NO_COLOR", null, env("NO_COLOR"), false},
		{"a dumb terminal", null, env("TERM"), false},
		{"a file", file, env(), false},
		{"no file at all", new(bytes.Buffer), env(), false},
	} {
		if got := cli.Colours(row.out, row.env); got != row.want {
			t.Errorf("%s: %v", row.what, got)
		}
	}
}

func TestStayServesTheReportAndKeepsTheArms(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "report")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "secret.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var memory wire.Memory
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var stdout, stderr bytes.Buffer
		closed := 0
		bugs := armtest.Bugs{Close: func(runner.Options) error { closed++; return nil }}
		address := make(chan string, 1)
		listen := func(ctx context.Context) (net.Listener, error) {
			l, err := memory.Listen(ctx, 0)
			address <- l.Addr().String()
			return l, err
		}
		code := make(chan int, 1)
		go func() {
			args := []string{"-stay", "-for", "5s", "-report", folder}
			code <- cli.Virtual(ctx, args, &stdout, &stderr, armtest.Builder(bugs), nil, listen)
		}()
		base := "http://" + <-address
		transport := &http.Transport{DialContext: memory.Dial}
		fetch := func(path string) (resp *http.Response, body string) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err = (&http.Client{Transport: transport}).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			read, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Error(err)
			}
			return resp, string(read)
		}
		if resp, _ := fetch("/"); resp.StatusCode != http.StatusNotFound {
			t.Errorf("before the end the report of an earlier run is served: %s", resp.Status)
		}
		time.Sleep(time.Minute) // both scenes
		for path, want := range map[string]int{
			"/": 200, "/report.html": 200, "/report.json": 200, "/plan.json": 200, "/history.jsonl.gz": 200, "/metrics": 200,
			"/secret.txt": 404, "/../secret.txt": 404, "/x/": 404,
		} {
			resp, body := fetch(path)
			if resp.StatusCode != want && (want != 404 || resp.StatusCode != 301) {
				t.Errorf("%s: %s", path, resp.Status)
			}
			page := strings.Contains(body, "<!doctype html>")
			if path == "/" && (!page || resp.Header.Get("Content-Security-Policy") == "") {
				t.Errorf("/: %.100s, %v", body, resp.Header)
			}
		}
		transport.CloseIdleConnections()
		if closed != 2 { // the arms of the first scene
			t.Errorf("%d arms were closed before the end", closed)
		}
		cancel()
		if got := <-code; got != report.ExitHolds && got != report.ExitBroken || closed != 4 || stderr.Len() != 0 {
			t.Errorf("exit code %d, %d arms closed, %q", got, closed, stderr.String())
		}
		wants(t, "the terminal", stdout.String(),
			"serving    the report on "+base+"/, and the services of the last scene, until Ctrl-C\n")
	})
}

// What customers get is counted through all scenes, by the names of the arms, for who looks at any time.
func TestMetricsAreServedWhileScenesArePlayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var memory wire.Memory
		address := make(chan string, 1)
		listen := func(ctx context.Context) (net.Listener, error) {
			l, err := memory.Listen(ctx, 0)
			address <- l.Addr().String()
			return l, err
		}
		var program sync.WaitGroup
		program.Go(func() {
			args := []string{"-aa", "plain", "-for", "10s", "-report", filepath.Join(t.TempDir(), "report")}
			cli.Virtual(t.Context(), args, io.Discard, io.Discard, armtest.Builder(armtest.Bugs{}), nil, listen)
		})
		transport := &http.Transport{DialContext: memory.Dial}
		to := "http://" + <-address + "/metrics"
		counted := func() (offered map[string]int) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := (&http.Client{Transport: transport}).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			offered = map[string]int{}
			for _, line := range regexp.MustCompile(`(?m)^boxoffice_offered_total{arm="(.+)"} (\d+)$`).FindAllStringSubmatch(string(body), -1) {
				if offered[line[1]], err = strconv.Atoi(line[2]); err != nil {
					t.Fatal(err)
				}
			}
			return offered
		}
		begin := counted()
		time.Sleep(8 * time.Second)
		first := counted()
		time.Sleep(10 * time.Second)
		second := counted()
		for _, arm := range []string{"plain-a", "plain-b"} {
			zero, there := begin[arm]
			if !there || zero > 10 || first[arm] < 8*100 || second[arm] < first[arm]+8*100 {
				t.Errorf("%s: offered are %d, %d after 8s, and %d after 18s", arm, zero, first[arm], second[arm])
			}
		}
		transport.CloseIdleConnections()
		program.Wait()
	})
}

func TestStayFindsAnotherPortIfItsOwnIsTaken(t *testing.T) {
	first, err := cli.ListenLoopback(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := cli.ListenLoopback(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	for _, l := range []net.Listener{first, second} {
		if !strings.HasPrefix(l.Addr().String(), "127.0.0.1:") {
			t.Errorf("not on loopback: %s", l.Addr())
		}
	}
}

// broken is a terminal that has gone.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAReportThatCannotBeWrittenIsNotAPass(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "report")
	bugs := armtest.Bugs{Ledger: func(_ runner.Options, l verdict.Ledger) (verdict.Ledger, error) {
		// In the middle of the run, a folder takes the place of a file.
		return l, os.MkdirAll(filepath.Join(folder, report.PageFile), 0o755)
	}}
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		args := []string{"-scenario", "brownout", "-for", "5s", "-report", folder}
		code := cli.Virtual(t.Context(), args, broken{}, &stderr, armtest.Builder(bugs), nil, nil)
		if code != report.ExitBroken || !strings.Contains(stderr.String(), report.PageFile) {
			t.Errorf("exit code %d, %q", code, stderr.String())
		}
	})
	if _, err := os.Stat(filepath.Join(folder, report.DataFile)); err != nil {
		t.Error(err)
	}
}

func TestStatusLineShowsWhatIsNotKnownAsADash(t *testing.T) {
	none := armtest.Bugs{Status: func(_ runner.Options, _ measure.Status) measure.Status { return measure.Status{} }}
	r := invocation{args: []string{"-scenario", "retrystorm", "-for", "5s", "-arms", "plain"}, bugs: none}.run(t)
	wants(t, "the terminal", r.stdout, fmt.Sprintf("open -   limit %-7s  shed %-6s  attempts/call -\n", "-", "-"))
}
