//go:build unix

package lifecycle_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/seawall-go/seawall/internal/leaktest"
	"github.com/seawall-go/seawall/lifecycle"
)

// The test's own program is also the one that is signalled: with this in its environment.
const asProgram = "SEAWALL_LIFECYCLE_PROGRAM"

func TestMain(m *testing.M) {
	if how := os.Getenv(asProgram); how != "" {
		program(how)
		return
	}
	leaktest.Main(m)
}

// program drains for an hour, unless it is ended.
func program(how string) {
	ctx := context.Background()
	if how == "context" {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
		defer stop()
	}
	cfg := config()
	cfg.Signals = nil // the default ones
	cfg.DrainDelay, cfg.StopTimeout = time.Hour, 2*time.Hour
	if how == "quick" {
		cfg.DrainDelay = lifecycle.NoDelay
	}
	report, err := lifecycle.Run(ctx, cfg, lifecycle.Part{
		Name: "api",
		Run: func(ctx context.Context) error {
			fmt.Println("runs")
			<-ctx.Done()
			return nil
		},
		Drain: func() { fmt.Println("drains") },
	})
	fmt.Println(report.Cause, err)
}

func TestSecondSignalEndsTheProcessAtOnce(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		how     string
		signals []syscall.Signal
		ended   syscall.Signal // 0 is by itself
	}{
		{"quick", []syscall.Signal{syscall.SIGTERM}, 0},
		{"long", []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}, syscall.SIGINT},
		{"long", []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}, syscall.SIGTERM},
		{"context", []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}, syscall.SIGINT}, // it would swallow the second one
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		cmd := exec.CommandContext(ctx, self) //nolint:gosec // this test's own program
		cmd.Env = append(os.Environ(), asProgram+"="+c.how)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		expect := func(want string) {
			t.Helper()
			if !lines.Scan() || lines.Text() != want {
				t.Errorf("%+v: it says %q, want %q", c, lines.Text(), want)
			}
		}
		expect("runs")
		for i, s := range c.signals {
			if i > 0 {
				time.Sleep(50 * time.Millisecond) // nobody sees when the first one was taken from its channel
			}
			if err := cmd.Process.Signal(s); err != nil {
				t.Error(err)
			}
			if i == 0 {
				expect("drains")
			}
		}
		if c.ended == 0 {
			expect("signal terminated <nil>")
		}
		for lines.Scan() {
		}
		err = cmd.Wait()
		cancel()
		if c.ended == 0 {
			if err != nil {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != c.ended {
			t.Errorf("%+v: it has ended with %v, want %v", c, err, c.ended)
		}
	}
}
