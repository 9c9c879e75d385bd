package httpx

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// TrustAll trusts every peer: for services that only one's own programs can reach.
func TrustAll(*http.Request) bool { return true }

// TrustLoopback trusts peers on the same machine. For a request that came in this is its RemoteAddr; for one that goes
// out the host of its URL, which is to be an address, or localhost. Behind a reverse proxy on the same machine every
// request comes from there, so it trusts all of them.
func TrustLoopback(r *http.Request) bool {
	if goesOut(r) && strings.EqualFold(r.URL.Hostname(), "localhost") {
		return true
	}
	addr, ok := peerAddr(r)
	return ok && addr.IsLoopback()
}

// TrustCIDR trusts peers whose address is in one of the prefixes, such as "10.0.0.0/8" or "fd00::/8"; a bare address is
// itself. For a request that came in it is the RemoteAddr that counts, the other end of the connection, and never a
// field such as X-Forwarded-For; for one that goes out the host of its URL, which is to be an address. TrustCIDR panics
// if a prefix is not valid.
func TrustCIDR(prefixes ...string) func(*http.Request) bool {
	nets := make([]netip.Prefix, len(prefixes))
	for i, s := range prefixes {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			addr, aerr := netip.ParseAddr(s)
			if aerr != nil {
				panic("httpx: TrustCIDR: " + err.Error())
			}
			p = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		}
		nets[i] = p.Masked()
	}
	return func(r *http.Request) bool {
		addr, ok := peerAddr(r)
		return ok && slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(addr) })
	}
}

// TrustClientCert trusts peers that have shown a client certificate which the server has verified (mTLS), and which
// names one of the identities: a URI such as "spiffe://prod.example/gateway", or a DNS name, among its subject alternative
// names. They are compared exactly. The server's tls.Config must ask for certificates, and have ClientAuth
// VerifyClientCertIfGiven or RequireAndVerifyClientCert: one that was not verified is worth nothing.
func TrustClientCert(identities ...string) func(*http.Request) bool {
	identities = slices.Clone(identities)
	return func(r *http.Request) bool {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.VerifiedChains[0]) == 0 {
			return false
		}
		leaf := r.TLS.VerifiedChains[0][0]
		for _, uri := range leaf.URIs {
			if slices.Contains(identities, uri.String()) {
				return true
			}
		}
		return slices.ContainsFunc(leaf.DNSNames, func(name string) bool { return slices.Contains(identities, name) })
	}
}

// TrustAny trusts a peer that one of the functions trusts.
func TrustAny(functions ...func(*http.Request) bool) func(*http.Request) bool {
	functions = slices.Clone(functions)
	return func(r *http.Request) bool {
		return slices.ContainsFunc(functions, func(trust func(*http.Request) bool) bool { return trust(r) })
	}
}

// goesOut reports whether a request is one of a client. A server sets both fields, but for the address of who comes over
// a Unix socket, which has none on some systems; then the URL is what the peer has written.
func goesOut(r *http.Request) bool { return r.RemoteAddr == "" && r.RequestURI == "" }

// peerAddr returns the address of the other side of a request.
func peerAddr(r *http.Request) (netip.Addr, bool) {
	if goesOut(r) {
		return parseAddr(r.URL.Hostname())
	}
	return remoteAddr(r)
}

// remoteAddr returns the address from which a request has come.
func remoteAddr(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	return parseAddr(host)
}

func parseAddr(host string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(host)
	return addr.Unmap().WithZone(""), err == nil
}

func trustNobody(*http.Request) bool { return false }
