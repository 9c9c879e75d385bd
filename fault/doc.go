// Package fault breaks things on purpose, by a seeded plan in time: it makes a dependency slow, takes its capacity
// away, or lets its calls fail.
//
//	plan, err := fault.ParsePlan(strings.NewReader(`{"seed": 1, "faults": [
//		{"at": "8s", "for": "12s", "kind": "slow",     "target": "inventory", "factor": 40},
//		{"at": "8s", "for": "8s",  "kind": "capacity", "target": "inventory", "factor": 0.4},
//		{"at": "1s", "for": "2s",  "kind": "error",    "target": "payments",  "rate": 0.3}
//	]}`))
//	injector := fault.New("rehearsal", fault.Config{Plan: plan})
//	payments := seawall.Chain(retry.New("payments", retry.Config{}), injector.Point("payments"))
//	err = injector.Start(ctx) // until here nothing can go wrong
//
// A [Point] is a seam: the place in a program where a fault acts, on calls or on connections. It is held for as long as the program likes, and
// feels every fault of its target that starts later. While none is active it costs one atomic load.
//
// An [Injector] is inert until Start. Each fault starts at its time and ends by itself; the end of Start's context, or
// Stop, heals everything at once.
//
// # Connections
//
// [Point.Dial], [Point.Listener] and [Point.Conn] put a point between a program and its network. The kinds that act there
// have the names and parameters of toxiproxy, its direction and its toxicity; times are texts, and every fault ends:
//
//	{"at": "8s", "for": "5s", "kind": "latency",    "target": "inventory", "latency": "90ms", "jitter": "30ms"}
//	{"at": "8s", "for": "5s", "kind": "bandwidth",  "target": "inventory", "rate": 64, "stream": "upstream"}
//	{"at": "8s", "for": "5s", "kind": "stall",      "target": "inventory", "stream": "both", "toxicity": 0.5}
//	{"at": "8s", "for": "5s", "kind": "reset_peer", "target": "inventory", "bytes": 1000}
//	{"at": "8s", "for": "5s", "kind": "down",       "target": "inventory"}
//
// # Seeds
//
// Whether a call is hit is drawn by a hash of the plan's seed, the fault, and the number of the call, so the same seed
// hits the same calls. Calls that run at once are numbered in the order in which they arrive, which differs from run to
// run: give them keys of your own by [WithKey], and they are hit or spared whatever happens around them. Connections are
// numbered in the order in which they are made.
package fault
