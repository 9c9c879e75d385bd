// Package draw makes the demo's random values: each one is a hash of a seed, the name of a stream and the keys of the
// draw, never the next number of a generator that is shared.
//
//	service := draw.New(1).Stream("service/inventory")
//	ms := service.LogNormal(40, 0.5, arrival, attempt)
//
// A draw does not depend on how many draws came before it, or on who made them. Two arms of an experiment that ask for
// the same keys get the same value, however many other requests one of them has made; so nothing that one arm does can
// shift the other's traffic, keys, service times or faults.
//
// The same stream and keys always give the same uniform value, whatever the distribution: two draws that should be
// independent need two streams, or a key more.
package draw
