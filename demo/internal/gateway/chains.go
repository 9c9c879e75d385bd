package gateway

import "github.com/seawall-go/seawall"

// Chains are what calls of the inventory service go through.
func (s *Seawall) Chains() map[string]seawall.Policy {
	return map[string]seawall.Policy{"inventory": s.transport.Chain()}
}
