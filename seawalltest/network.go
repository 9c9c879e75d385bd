package seawalltest

// Network is a network in memory.
type Network struct{}

func newNetwork() *Network { return &Network{} }

// Close closes it.
func (n *Network) Close() error { return nil }
