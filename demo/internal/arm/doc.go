// Package arm builds a whole box office: catalogue and inventory on databases of their own, the inventory service behind
// its gate, a gateway, and the customers' software, each reaching the other over a wire.
//
// Both kinds are built by the same code from the same parts. They differ where a [style] is asked: what stands around the
// two handlers, what the gateway asks the inventory service with, and the customers' http.Client.
package arm
