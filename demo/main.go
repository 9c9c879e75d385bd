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

// threads is how many threads run Go code at once, at least, unless GOMAXPROCS says. On two cores, with as many threads,
// one in five hundred customers of the retry storm was sent more than 10 ms late; with eight, one in a thousand or two. A
// guess at the cause: what waits in a system call keeps its thread's place for a while, and the customers' clock needs one.
const threads = 8

// garbage is the garbage collector's target, unless GOGC sets another. With it 0 to 3 in ten thousand were sent late.
// The collector works on a quarter of the threads, which here may be both cores.
const garbage = 400

// memory is what the program's memory is kept to in bytes, unless GOMEMLIMIT sets another limit: the tour then takes less
// than 300 MiB, and without it 390. With 224 MiB seven in ten thousand customers were sent late, with 256 two.
const memory = 240 << 20

func main() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(threads, runtime.GOMAXPROCS(0)))
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the run with the report so far; from then on a second one ends the process.
	context.AfterFunc(ctx, cancel)
	code := cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr, arm.NewBuilder(arm.Config{Wire: wire.TCP{}}))
	cancel()
	os.Exit(code)
}
