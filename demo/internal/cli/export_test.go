package cli

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/wire"
)

// Virtual is Main for a synctest bubble, where neither the processor nor a real socket has a meaning. Without a listen,
// nobody can reach its server.
func Virtual(
	ctx context.Context, args []string, stdout, stderr io.Writer, build runner.Builder,
	cpu func() (time.Duration, bool), listen func(context.Context) (net.Listener, error),
) int {
	if listen == nil {
		listen = func(ctx context.Context) (net.Listener, error) { return new(wire.Memory).Listen(ctx, 0) }
	}
	return program{stdout: stdout, stderr: stderr, build: build, cpu: cpu, listen: listen}.main(ctx, args)
}

// Colours is whether the output is coloured.
func Colours(out io.Writer, env func(string) string) bool { return colours(out, env) }

// ListenLoopback is where the program serves.
func ListenLoopback(ctx context.Context) (net.Listener, error) { return listenLoopback(ctx) }
