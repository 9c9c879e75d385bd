package grpcx

import (
	"context"
	"strconv"

	"google.golang.org/grpc/metadata"

	"github.com/seawall-go/seawall"
)

// outgoing returns a context whose call tells which attempt it is, and the priority of ctx. They take the place of what the
// metadata has under these names, so that a program that passes its metadata on does not pass on what its client claimed.
func outgoing(ctx context.Context, attempt int) context.Context {
	if metadata.ValueFromOutgoingContext(ctx, fieldAttempts) != nil || metadata.ValueFromOutgoingContext(ctx, fieldPriority) != nil {
		md, _ := metadata.FromOutgoingContext(ctx) // a copy
		delete(md, fieldAttempts)
		delete(md, fieldPriority)
		ctx = metadata.NewOutgoingContext(ctx, md)
	}
	if attempt > 1 {
		ctx = metadata.AppendToOutgoingContext(ctx, fieldAttempts, strconv.Itoa(attempt-1))
	}
	if priority := seawall.PriorityOf(ctx); priority != seawall.Critical {
		ctx = metadata.AppendToOutgoingContext(ctx, fieldPriority, priority.String())
	}
	return ctx
}
