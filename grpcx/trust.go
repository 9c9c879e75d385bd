package grpcx

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
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
	nets := make([]netip.Prefix, len(prefixes))
	for i, s := range prefixes {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			address, aerr := netip.ParseAddr(s)
			if aerr != nil {
				panic("grpcx: TrustCIDR: " + err.Error())
			}
			p = netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen())
		}
		nets[i] = p.Masked()
	}
	return func(ctx context.Context) bool {
		address, ok := peerAddr(ctx)
		return ok && slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(address) })
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
		if !ok || len(info.State.VerifiedChains) == 0 || len(info.State.VerifiedChains[0]) == 0 {
			return false
		}
		leaf := info.State.VerifiedChains[0][0]
		for _, uri := range leaf.URIs {
			if slices.Contains(identities, uri.String()) {
				return true
			}
		}
		return slices.ContainsFunc(leaf.DNSNames, func(name string) bool { return slices.Contains(identities, name) })
	}
}

// TrustAny trusts a peer that one of the functions trusts.
func TrustAny(functions ...func(context.Context) bool) func(context.Context) bool {
	functions = slices.Clone(functions)
	return func(ctx context.Context) bool {
		return slices.ContainsFunc(functions, func(trust func(context.Context) bool) bool { return trust(ctx) })
	}
}

// peerAddr returns the address of the other side of a call.
func peerAddr(ctx context.Context) (netip.Addr, bool) {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return netip.Addr{}, false
	}
	host, _, err := net.SplitHostPort(p.Addr.String())
	if err != nil {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(host)
	return address.Unmap().WithZone(""), err == nil
}

func trustNobody(context.Context) bool { return false }
