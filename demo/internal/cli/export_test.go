package cli

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/seawall-go/seawall/demo/internal/runner"
)

// Virtual is Main for a synctest bubble, where neither the processor nor a real socket has a meaning.
func Virtual(
	ctx context.Context, args []string, stdout, stderr io.Writer, build runner.Builder,
	cpu func() (time.Duration, bool), listen func(context.Context) (net.Listener, error),
) int {
	return program{stdout, stderr, build, cpu, listen}.main(ctx, args)
}

// Colours is whether the output is coloured.
func Colours(out io.Writer, env func(string) string) bool { return colours(out, env) }

// ListenLoopback is where -stay serves.
func ListenLoopback(ctx context.Context) (net.Listener, error) { return listenLoopback(ctx) }
