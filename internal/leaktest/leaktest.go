// Package leaktest fails a test binary that leaves goroutines behind.
package leaktest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Main runs the tests of a package and exits. It fails the run if a goroutine that the tests started is still there a
// few seconds after the last one. Call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if left := Wait(5 * time.Second); len(left) > 0 {
			fmt.Fprintf(os.Stderr, "leaktest: %d goroutines left behind:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
			code = 1
		}
	}
	os.Exit(code)
}

// Wait waits until no goroutine but the caller's and the runtime's own is left, at most for the limit, and returns the
// stacks of those that are.
func Wait(limit time.Duration) []string {
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left := others()
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(pause)
	}
}

// others returns the stacks of all goroutines but the caller's and those of the test and profiling machinery.
func others() []string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	var left []string
	for i, stack := range strings.Split(string(buf), "\n\n") {
		if i == 0 || ours(stack) { // the first one is the caller's
			continue
		}
		left = append(left, stack)
	}
	return left
}

func ours(stack string) bool {
	for _, frame := range []string{
		"testing.(*T).Run(", "testing.(*F).Fuzz(", "testing.tRunner.func", "testing.(*M).startAlarm", "testing.runFuzz",
		"os/signal.signal_recv", "runtime/pprof.", "runtime/trace.", "internal/fuzz.",
	} {
		if strings.Contains(stack, frame) {
			return true
		}
	}
	return false
}
