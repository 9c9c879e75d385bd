// Package gateway is the box office's front: what customers talk to. It answers from the catalogue, which is its own, and
// asks the inventory service over HTTP for everything that can be sold only once.
//
// The handler is the same in both arms. What differs is the [Inventory] that it is given: [Plain], which is what a careful
// Go developer writes without a resilience library, and [Seawall].
package gateway
