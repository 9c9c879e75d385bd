// Command boxoffice sells concert tickets and is then hurt on purpose, in two arms at once: one uses Seawall, the other is
// plain Go. Both get the same customers and the same faults. It ends with a verdict, a report and an exit code.
//
//	go run ./demo        the tour: two scenes, about a minute and a half
//	go run ./demo -h     the flags
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/seawall-go/seawall/demo/internal/arm"
	"github.com/seawall-go/seawall/demo/internal/cli"
	"github.com/seawall-go/seawall/demo/internal/wire"
)

// threads is how many threads run Go code at once, at least. Each arm's database waits for the disk inside of a system
// call, which keeps the thread's place for up to 10 ms: with one place for each of two cores, two such waits would stop
// the customers' clock.
const threads = 8

// garbage is the garbage collector's target, unless GOGC sets another. It works on a quarter of the threads, which are all
// of two cores: at the usual 100 it took them from the customers' clock for 10 ms, every second.
const garbage = 400

func main() {
	runtime.GOMAXPROCS(max(threads, runtime.GOMAXPROCS(0)))
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the run with the report so far; from then on a second one ends the process.
	context.AfterFunc(ctx, cancel)
	code := cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr, arm.NewBuilder(arm.Config{Wire: wire.TCP{}}))
	cancel()
	os.Exit(code)
}
