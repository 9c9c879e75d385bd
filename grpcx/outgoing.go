package grpcx

import (
	"context"
	"strconv"

	"google.golang.org/grpc/metadata"

	"github.com/seawall-go/seawall"
)

// outgoing returns a context whose call tells attempt and priority of ctx. They take the place of what the metadata has
// under these names, so that a program that passes its metadata on does not pass on what its client claimed.
func outgoing(ctx context.Context) context.Context {
	attempt, priority := seawall.Attempt(ctx), seawall.PriorityOf(ctx)
	if md, ok := metadata.FromOutgoingContext(ctx); ok && (md[fieldAttempts] != nil || md[fieldPriority] != nil) {
		delete(md, fieldAttempts) // md is a copy
		delete(md, fieldPriority)
		ctx = metadata.NewOutgoingContext(ctx, md)
	}
	if attempt > 1 {
		ctx = metadata.AppendToOutgoingContext(ctx, fieldAttempts, strconv.Itoa(attempt-1))
	}
	if priority != seawall.Critical {
		ctx = metadata.AppendToOutgoingContext(ctx, fieldPriority, priority.String())
	}
	return ctx
}
