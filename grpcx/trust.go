package grpcx

import (
	"context"
	"net"
	"net/netip"

	"google.golang.org/grpc/peer"
)

// TrustAll trusts every peer: for services that only one's own programs can reach.
func TrustAll(context.Context) bool { return true }

// TrustLoopback trusts peers on the same machine: those with a loopback address or over a Unix socket. Behind a reverse
// proxy on the same machine every call comes from there, so it trusts all of them.
func TrustLoopback(ctx context.Context) bool {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return false
	}
	if p.Addr.Network() == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(p.Addr.String())
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

func trustNobody(context.Context) bool { return false }
