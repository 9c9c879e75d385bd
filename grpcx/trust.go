package grpcx

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/seawall-go/seawall/internal/trust"
)

// TrustAll trusts every peer: for services that only one's own programs can reach.
func TrustAll(context.Context) bool { return true }

// TrustLoopback trusts peers on the same machine: those with a loopback address or over a Unix socket. Behind a reverse
// proxy on the same machine every call comes from there, so it trusts all of them.
func TrustLoopback(ctx context.Context) bool {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil && p.Addr.Network() == "unix" {
		return true
	}
	address, ok := peerAddr(ctx)
	return ok && address.IsLoopback()
}

// TrustCIDR trusts peers whose address is in one of the prefixes, such as "10.0.0.0/8" or "fd00::/8"; a bare address is
// itself. What counts is the other end of the connection. TrustCIDR panics if a prefix is not valid.
func TrustCIDR(prefixes ...string) func(context.Context) bool {
	networks, err := trust.ParseNetworks(prefixes...)
	if err != nil {
		panic("grpcx: TrustCIDR: " + err.Error())
	}
	return func(ctx context.Context) bool {
		address, ok := peerAddr(ctx)
		return ok && networks.Contains(address)
	}
}

// TrustClientCert trusts peers that have shown a certificate which this side has verified (mTLS), and which names one of the
// identities: a URI such as "spiffe://prod.example/gateway", or a DNS name, among its subject alternative names. They
// are compared exactly. A server's tls.Config must ask for certificates, and have ClientAuth VerifyClientCertIfGiven or
// RequireAndVerifyClientCert: one that was not verified is worth nothing.
func TrustClientCert(identities ...string) func(context.Context) bool {
	identities = slices.Clone(identities)
	return func(ctx context.Context) bool {
		p, ok := peer.FromContext(ctx)
		if !ok {
			return false
		}
		info, ok := p.AuthInfo.(credentials.TLSInfo)
		return ok && trust.Names(info.State.VerifiedChains, identities)
	}
}

// TrustAny trusts a peer that one of the functions trusts. TrustAny panics if one of them is nil.
func TrustAny(functions ...func(context.Context) bool) func(context.Context) bool {
	functions = slices.Clone(functions)
	for i, trusts := range functions {
		if trusts == nil {
			panic(fmt.Sprintf("grpcx: TrustAny: function %d of %d is nil", i+1, len(functions)))
		}
	}
	return func(ctx context.Context) bool {
		return slices.ContainsFunc(functions, func(trusts func(context.Context) bool) bool { return trusts(ctx) })
	}
}

// peerAddr returns the address of the other side of a call.
func peerAddr(ctx context.Context) (netip.Addr, bool) {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return netip.Addr{}, false
	}
	return trust.AddressOf(p.Addr.String())
}

func trustNobody(context.Context) bool { return false }
