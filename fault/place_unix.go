//go:build unix

package fault

import (
	"net"
	"os"
	"syscall"
)

// place keeps an address of TCP: a socket that is bound to it and does not listen. Whoever dials it is refused, nobody
// else can listen there, and no connection of this machine starts from it.
type place struct{ fd int }

// keep takes an address that was just given up, or returns nil if it cannot.
func keep(a net.Addr) *place {
	t, ok := a.(*net.TCPAddr)
	if !ok || t.Zone != "" {
		return nil
	}
	family, to := syscall.AF_INET6, syscall.Sockaddr(&syscall.SockaddrInet6{Port: t.Port, Addr: [16]byte(t.IP.To16())})
	if four := t.IP.To4(); four != nil {
		family, to = syscall.AF_INET, &syscall.SockaddrInet4{Port: t.Port, Addr: [4]byte(four)}
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil
	}
	p := &place{fd}
	err = p.reuse(1) // connections of before are still about
	if err == nil && family == syscall.AF_INET6 && t.IP.IsUnspecified() {
		err = syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 0) // as package net listens there
	}
	if err == nil {
		err = syscall.Bind(fd, to)
	}
	if err == nil {
		err = p.reuse(0) // else who sets it as well could listen here
	}
	if err != nil {
		p.leave()
		return nil
	}
	return p
}

// open listens at the place, which is used up. That of nil is an error.
func (p *place) open() (net.Listener, error) {
	if p == nil {
		return nil, os.ErrInvalid
	}
	err := p.reuse(1)
	if err == nil {
		err = syscall.Listen(p.fd, syscall.SOMAXCONN)
	}
	if err != nil {
		p.leave()
		return nil, err
	}
	f := os.NewFile(uintptr(p.fd), "listener")
	defer f.Close()            //nolint:errcheck // the listener has a descriptor of its own
	return net.FileListener(f) // sets it to be polled
}

func (p *place) reuse(on int) error {
	return syscall.SetsockoptInt(p.fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, on)
}

// leave gives the place up.
func (p *place) leave() {
	if p != nil {
		_ = syscall.Close(p.fd)
	}
}
