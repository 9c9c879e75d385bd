// Package trust tells who the other side of a connection is, for the functions by which a program says whom it believes.
package trust

import (
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
)

// Networks are prefixes of addresses.
type Networks []netip.Prefix

// ParseNetworks reads prefixes such as "10.0.0.0/8" or "fd00::/8"; a bare address is itself. IPv4 within IPv6 is IPv4. The error
// is that a text is neither.
func ParseNetworks(texts ...string) (Networks, error) {
	n := make(Networks, len(texts))
	for i, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			address, aerr := netip.ParseAddr(text)
			if aerr != nil {
				return nil, err
			}
			p = netip.PrefixFrom(address.WithZone(""), address.BitLen())
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		n[i] = p.Masked()
	}
	return n, nil
}

// Contains reports whether the address is in one of the networks.
func (n Networks) Contains(address netip.Addr) bool {
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(address) })
}

// Address reads an address, without its zone, and as IPv4 if it is that within IPv6. It is false if the host is none, such as
// a name.
func Address(host string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(host)
	return address.Unmap().WithZone(""), err == nil
}

// AddressOf is Address for an address with a port.
func AddressOf(hostPort string) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return netip.Addr{}, false
	}
	return Address(host)
}

// Names reports whether a certificate that was verified names one of the identities as a URI or a DNS name among its subject
// alternative names. They are compared exactly. chains are those of crypto/tls: none if nothing was verified.
func Names(chains [][]*x509.Certificate, identities []string) bool {
	if len(chains) == 0 || len(chains[0]) == 0 {
		return false
	}
	leaf := chains[0][0]
	for _, uri := range leaf.URIs {
		if slices.Contains(identities, uri.String()) {
			return true
		}
	}
	return slices.ContainsFunc(leaf.DNSNames, func(name string) bool { return slices.Contains(identities, name) })
}
