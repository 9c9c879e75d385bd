package httpx

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// TrustAll trusts every peer: for services that only one's own programs can reach.
func TrustAll(*http.Request) bool { return true }

// TrustLoopback trusts peers on the same machine. For a request that came in this is its RemoteAddr; for one that goes
// out the host of its URL, which is to be an address, or localhost. Behind a reverse proxy on the same machine every
// request comes from there, so it trusts all of them.
func TrustLoopback(r *http.Request) bool {
	host := r.URL.Hostname()
	if r.RemoteAddr != "" { // only a server sets it
		var err error
		if host, _, err = net.SplitHostPort(r.RemoteAddr); err != nil {
			return false
		}
	} else if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func trustNobody(*http.Request) bool { return false }
