package ops

import (
	"net/http"
	"net/netip"
	"net/url"
)

// fromLoopback lets change modes who asks from this machine, and for a loopback address: a page of another site, whose
// name was made to lead to this machine, comes from here as well, but has that name in its Host.
func fromLoopback(r *http.Request) (who string, ok bool) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().IsLoopback() {
		return "", false
	}
	host := (&url.URL{Host: r.Host}).Hostname()
	if host != "localhost" {
		if to, err := netip.ParseAddr(host); err != nil || !to.IsLoopback() {
			return "", false
		}
	}
	return from.Addr().String(), true
}
