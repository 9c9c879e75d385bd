package trust_test

import (
	"crypto/x509"
	"net/netip"
	"net/url"
	"testing"

	"github.com/seawall-go/seawall/internal/leaktest"
	"github.com/seawall-go/seawall/internal/trust"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestNetworksContainWhatTheyName(t *testing.T) {
	networks, err := trust.ParseNetworks("10.1.2.3/8", "192.0.2.7", "fd00::/8", "::ffff:198.51.100.0/120", "::ffff:203.0.113.9", "fe80::1%eth0")
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"10.255.0.1": true, "::ffff:10.0.0.1": true, "11.0.0.1": false,
		"192.0.2.7": true, "192.0.2.8": false,
		"fd12::1": true, "fd12::1%eth0": true, "fc00::1": false,
		"198.51.100.200": true, "198.51.101.1": false, "203.0.113.9": true, "203.0.113.8": false,
		"fe80::1": true, "fe80::2": false,
	} {
		address, ok := trust.Address(host)
		if got := networks.Contains(address); !ok || got != want {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
	for _, text := range []string{"", "10.0.0.0/33", "localhost", "10.0.0.0/8/8", "fe80::/8%eth0"} {
		if _, err := trust.ParseNetworks("10.0.0.0/8", text); err == nil {
			t.Errorf("%q is a network", text)
		}
	}
	var none trust.Networks
	if none.Contains(netip.Addr{}) || networks.Contains(netip.Addr{}) {
		t.Error("no address is in a network")
	}
}

func TestNamesAreNoAddresses(t *testing.T) {
	for _, text := range []string{"localhost:80", "10.0.0.1", "[::1", "", ":80", "example.com"} {
		if address, ok := trust.AddressOf(text); ok {
			t.Errorf("%q is %v", text, address)
		}
	}
	for text, want := range map[string]string{"10.0.0.1:80": "10.0.0.1", "[fe80::1%eth0]:80": "fe80::1", "[::ffff:10.0.0.1]:1": "10.0.0.1"} {
		if address, ok := trust.AddressOf(text); !ok || address.String() != want {
			t.Errorf("%q is %v, %v, want %s", text, address, ok, want)
		}
	}
}

func TestOnlyAVerifiedCertificateNamesAnybody(t *testing.T) {
	gateway, err := url.Parse("spiffe://prod.example/gateway")
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{URIs: []*url.URL{gateway}, DNSNames: []string{"gateway.example"}}
	issuer := &x509.Certificate{DNSNames: []string{"ca.example"}}
	chains := [][]*x509.Certificate{{leaf, issuer}}
	for _, c := range []struct {
		chains   [][]*x509.Certificate
		identity string
		want     bool
	}{
		{chains, "spiffe://prod.example/gateway", true},
		{chains, "gateway.example", true},
		{chains, "GATEWAY.example", false},
		{chains, "spiffe://prod.example/", false},
		{chains, "ca.example", false},
		{chains, "", false},
		{nil, "gateway.example", false},
		{[][]*x509.Certificate{{}}, "gateway.example", false},
	} {
		if got := trust.Names(c.chains, []string{"other", c.identity}); got != c.want {
			t.Errorf("%q: %v, want %v", c.identity, got, c.want)
		}
	}
	if trust.Names(chains, nil) {
		t.Error("nobody is named")
	}
}
