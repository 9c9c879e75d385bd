package grpcx_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/grpcx"
)

// T32: whatever comes as metadata, the priority is one of four and the attempt within its bounds; from a peer that is not
// trusted it changes nothing.
func FuzzFactsStayWithinTheirBounds(f *testing.F) {
	for _, seed := range [][2]string{
		{"500", "-1"},
		{"critical-plus", "1"},
		{"", ""},
		{"sheddable\nsheddable", "1\n2"},
		{"Critical", "1000000000"},
		{"critical ", "99999999999999999999"},
		{"\x00", "0"},
	} {
		f.Add(seed[0], seed[1])
	}
	cfg := withRegistry(grpcx.ServerConfig{})
	careful := grpcx.UnaryOf(grpcx.NewServer("test", cfg))
	cfg = withRegistry(grpcx.ServerConfig{TrustPeer: grpcx.TrustAll})
	trusting := grpcx.UnaryOf(grpcx.NewServer("test", cfg))
	f.Fuzz(func(t *testing.T, priority, attempts string) {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.MD{
			"seawall-priority": strings.Split(priority, "\n"), "grpc-previous-rpc-attempts": strings.Split(attempts, "\n"),
		})
		for unary, trusts := range map[*grpc.UnaryServerInterceptor]bool{&careful: false, &trusting: true} {
			_, err := (*unary)(ctx, nil, &grpc.UnaryServerInfo{}, func(ctx context.Context, _ any) (any, error) {
				p, n := seawall.PriorityOf(ctx), seawall.Attempt(ctx)
				if p < seawall.Sheddable || p > seawall.CriticalPlus || n < 1 || n > 1000 {
					t.Errorf("%q, %q: %v, attempt %d", priority, attempts, p, n)
				}
				if !trusts && (p != seawall.Critical || n != 1) {
					t.Errorf("%q, %q: a stranger is believed: %v, attempt %d", priority, attempts, p, n)
				}
				return nil, nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}
