//go:build !unix

package fault

import (
	"net"
	"os"
)

// place is none: here an address cannot be kept by a socket that does not listen.
type place struct{}

func keep(net.Addr) *place                   { return nil }
func (p *place) open() (net.Listener, error) { return nil, os.ErrInvalid }
func (p *place) leave()                      {}
