package realrun_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func alone(t *testing.T) {
	t.Helper()
	if os.Getenv("SEAWALL_REALTIME") != "1" {
		t.Skip("runs alone: SEAWALL_REALTIME=1 go test ./demo/internal/realrun")
	}
}

// build compiles the demo and returns the path of the program.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "boxoffice")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/seawall-go/seawall/demo").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	// The databases of the demo must not wait for the disk because of what was built. Where there is no sync, they may.
	_ = exec.CommandContext(t.Context(), "sync").Run()
	return program
}

// run runs the program to its end and returns its exit code and output.
func run(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err, code = nil, exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return code, out.String(), problems.String()
}

// TestTourShowsWhatItClaims plays what a newcomer plays. A run that says INVALID was decided by the machine and proves
// nothing, for or against: it is played again, at most twice. Each run has to keep to its memory.
func TestTourShowsWhatItClaims(t *testing.T) {
	alone(t)
	program, folder := build(t), filepath.Join(t.TempDir(), "report")
	for again := 2; ; again-- {
		r, code, stderr := tour(t, program, folder)
		if r.Valid() {
			checkTour(t, r, code, stderr)
			checkFiles(t, folder)
			return
		}
		t.Logf("INVALID: %s", strings.Join(r.Objections(), "\n"))
		if code != report.ExitInvalid {
			t.Errorf("exit code %d of an invalid run, want %d\n%s", code, report.ExitInvalid, stderr)
		}
		if again == 0 {
			t.Fatal("no run was valid: this machine is too busy")
		}
	}
}

// tour plays the tour and returns its report.
func tour(t *testing.T, program, folder string) (r report.Report, code int, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-json", "-report", folder)
	code, stdout, stderr := run(t, cmd)
	if mib := resident(cmd.ProcessState) >> 20; mib > 300 {
		t.Errorf("the tour has taken %d MiB of memory, want at most 300", mib)
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("exit code %d, the output is no report: %v\n%s\n%s", code, err, stdout, stderr)
	}
	for _, s := range r.Scenes {
		for _, a := range s.Arms {
			if len(a.Phases) != 3 {
				continue
			}
			t.Logf("%s %s: good before, during, after the fault: %v %v %v, p50 %v, p99 %v, %.2f attempts per call, recovered %v",
				s.Scene.Name, a.Name, a.Phases[0].Good, a.Phases[1].Good, a.Phases[2].Good, a.Latency.P50, a.Latency.P99,
				a.AttemptsPerCall(), a.Recovered)
		}
	}
	return r, code, stderr
}

// checkTour holds a valid run against what the README claims.
func checkTour(t *testing.T, r report.Report, code int, stderr string) {
	t.Helper()
	if code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, stderr)
	}
	if len(r.Scenes) != 2 || len(r.Scenes[1].Arms) != 2 || len(r.Scenes[1].Arms[1].Phases) != 3 {
		t.Fatalf("%d scenes, want two with two arms and three phases", len(r.Scenes))
	}
	storm := r.Scenes[1]
	if storm.Scene.Name != "retrystorm" {
		t.Fatalf("the second scene is %q", storm.Scene.Name)
	}
	seawall, plain := storm.Arms[0], storm.Arms[1]
	if seawall.Recovered == nil || *seawall.Recovered > 10*time.Second {
		t.Errorf("seawall recovered after %v, want at most 10s", seawall.Recovered)
	}
	if after := plain.Phases[2].Good.Ratio(); after > 0.5 || plain.Recovered != nil {
		t.Errorf("plain is good at %.2f after the storm and recovered after %v: no contrast", after, plain.Recovered)
	}
}

// checkFiles looks at what a run leaves behind.
func checkFiles(t *testing.T, folder string) {
	t.Helper()
	for _, name := range []string{"report.html", "report.json", "plan.json", "history.jsonl.gz"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	page, err := os.ReadFile(filepath.Join(folder, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, foreign := range []string{"<script", "<link", "src=\"http", "@import", "url(http"} {
		if bytes.Contains(page, []byte(foreign)) {
			t.Errorf("report.html is not self-contained: it has %s", foreign)
		}
	}
	if !bytes.Contains(page, []byte("<svg")) {
		t.Error("report.html has no plot")
	}
}

// TestInterruptEndsWithTheReportSoFar presses Ctrl-C three seconds after the first scene has begun.
func TestInterruptEndsWithTheReportSoFar(t *testing.T) {
	alone(t)
	program, folder := build(t), filepath.Join(t.TempDir(), "report")
	cmd := exec.CommandContext(t.Context(), program, "-report", folder)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after a t.Fatal; otherwise it has ended
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(stdout)
	var text strings.Builder
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		if text.Len() == len(lines.Text())+1 && time.Since(started) > time.Second {
			t.Errorf("the first line came after %v", time.Since(started))
		}
		if strings.Contains(lines.Text(), "ready in") && time.Since(started) > 5*time.Second {
			t.Errorf("ready after %v", time.Since(started))
		}
		if strings.HasPrefix(strings.TrimSpace(lines.Text()), "t=3 ") {
			break
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	pressed := time.Now()
	rest, err := io.ReadAll(stdout)
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if took := time.Since(pressed); took > 12*time.Second {
		t.Errorf("it ended %v after Ctrl-C", took)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != report.ExitInvalid {
		t.Errorf("ended with %v, want exit code %d\n%s%s\n%s", err, report.ExitInvalid, text.String(), rest, problems.String())
	}
	if !strings.Contains(string(rest), "interrupted") {
		t.Errorf("it does not say that it was interrupted:\n%s", rest)
	}
	checkFiles(t, folder)
}

func TestExitCodesOfTheProgram(t *testing.T) {
	alone(t)
	program := build(t)
	inTheWay := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-h"}, report.ExitHolds, "-scenario"},
		{[]string{"-list"}, report.ExitHolds, "retrystorm"},
		{[]string{"-scenario", "retrystrom"}, report.ExitUsage, "retrystorm"},
		{[]string{"-load", "0"}, report.ExitUsage, "load"},
		{[]string{"-nonsense"}, report.ExitUsage, "nonsense"},
		{[]string{"-report", inTheWay}, report.ExitNoStart, inTheWay},
	} {
		t.Run(strings.Join(row.args[:1], " "), func(t *testing.T) {
			code, stdout, stderr := run(t, exec.CommandContext(t.Context(), program, row.args...))
			if code != row.code || !strings.Contains(stdout+stderr, row.says) {
				t.Errorf("exit code %d, want %d, with %q in:\n%s%s", code, row.code, row.says, stdout, stderr)
			}
		})
	}
}
