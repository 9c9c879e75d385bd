package grpcx

import (
	"context"

	"google.golang.org/grpc/metadata"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/hop"
)

// The metadata by which facts travel. The deadline is grpc-go's own, as grpc-timeout.
const (
	fieldAttempts       = "grpc-previous-rpc-attempts" // on a request; absent on the first
	fieldPriority       = "seawall-priority"           // on a request; absent if it is critical
	fieldPushback       = "seawall-pushback"           // trailer: refused or final
	fieldPushbackMillis = "grpc-retry-pushback-ms"     // trailer: when to come back
)

// believe returns the context of a call with what a trusted peer says about it. What is said twice, or not in its
// grammar, is not said.
func (s *serverSettings) believe(ctx context.Context) context.Context {
	attempts := metadata.ValueFromIncomingContext(ctx, fieldAttempts)
	priorities := metadata.ValueFromIncomingContext(ctx, fieldPriority)
	if attempts == nil && priorities == nil || !s.TrustPeer(ctx) {
		return ctx
	}
	if len(attempts) == 1 {
		if before, ok := hop.ParseAttempt(attempts[0]); ok { // those before this one
			ctx = seawall.WithAttempt(ctx, min(before+1, hop.MaxAttempt))
		}
	}
	if len(priorities) == 1 {
		if p, ok := seawall.ParsePriority(priorities[0]); ok {
			ctx = seawall.WithPriority(ctx, p)
		}
	}
	return ctx
}
