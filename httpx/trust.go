package httpx

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/seawall-go/seawall/internal/trust"
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
	networks, err := trust.ParseNetworks(prefixes...)
	if err != nil {
		panic("httpx: TrustCIDR: " + err.Error())
	}
	return func(r *http.Request) bool {
		addr, ok := peerAddr(r)
		return ok && networks.Contains(addr)
	}
}

// TrustClientCert trusts peers that have shown a client certificate which the server has verified (mTLS), and which
// names one of the identities: a URI such as "spiffe://prod.example/gateway", or a DNS name, among its subject alternative
// names. They are compared exactly. The server's tls.Config must ask for certificates, and have ClientAuth
// VerifyClientCertIfGiven or RequireAndVerifyClientCert: one that was not verified is worth nothing.
func TrustClientCert(identities ...string) func(*http.Request) bool {
	identities = slices.Clone(identities)
	return func(r *http.Request) bool {
		return r.TLS != nil && trust.Names(r.TLS.VerifiedChains, identities)
	}
}

// TrustAny trusts a peer that one of the functions trusts. TrustAny panics if one of them is nil.
func TrustAny(functions ...func(*http.Request) bool) func(*http.Request) bool {
	functions = slices.Clone(functions)
	for i, trusts := range functions {
		if trusts == nil {
			panic(fmt.Sprintf("httpx: TrustAny: function %d of %d is nil", i+1, len(functions)))
		}
	}
	return func(r *http.Request) bool {
		return slices.ContainsFunc(functions, func(trusts func(*http.Request) bool) bool { return trusts(r) })
	}
}

// goesOut reports whether a request is one of a client. A server sets both fields, but for the address of who comes over
// a Unix socket, which has none on some systems; then the URL is what the peer has written.
func goesOut(r *http.Request) bool { return r.RemoteAddr == "" && r.RequestURI == "" }

// peerAddr returns the address of the other side of a request.
func peerAddr(r *http.Request) (netip.Addr, bool) {
	if goesOut(r) {
		return trust.Address(r.URL.Hostname())
	}
	return remoteAddr(r)
}

// remoteAddr returns the address from which a request has come.
func remoteAddr(r *http.Request) (netip.Addr, bool) {
	return trust.AddressOf(r.RemoteAddr)
}

func trustNobody(*http.Request) bool { return false }
