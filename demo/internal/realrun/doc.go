// Package realrun tests the built demo on real sockets, files and time. Its tests measure time, so they need the machine
// for themselves: they run only with SEAWALL_REALTIME=1, one after the other, and not beside other packages.
package realrun
