// Package fault breaks things on purpose, by a seeded plan in time: it makes a dependency slow, takes its capacity
// away, lets its calls fail, and does to its answers and connections what servers and networks do.
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
// A [Point] is a seam: the place in a program where a fault acts. It is held for as long as the program likes, and feels
// every fault of its target that starts later. While none is active it costs one atomic load.
//
// An [Injector] is inert until Start. Each fault starts at its time and ends by itself; the end of Start's context, or
// Stop, heals everything at once. One plan serves all seams of a target:
//
//	seam                                            for                        feels
//	[Point.Do], or the point in a chain             calls                      kinds for calls that need no body; slow
//	[Point.RoundTripper], [Point.Handler]           HTTP                       kinds for calls
//	[Point.Draw]                                    adapters of protocols      kinds for calls
//	[Point.Conn], [Point.Dial], [Point.Listener]    net.Conn                   kinds for connections
//	[NewProxy]                                      any program that uses TCP  kinds for connections
//	[Point.Slow], [Point.Capacity], [Point.Err]     models of a dependency     slow; capacity; error and status
//
// [Plan] prints as a timeline. The file testdata/plan.json has a fault of each kind.
//
// # Calls
//
// These act in the place of the work, before it or on its answer. Those with a seam act on connections without it. All
// but error have a toxicity, and all may aim by method, route and header:
//
//	{"at": "1s", "for": "5s", "kind": "error",      "target": "payments", "rate": 0.3}
//	{"at": "1s", "for": "5s", "kind": "status",     "target": "payments", "status": 429, "retry_after": "2s", "body": "later"}
//	{"at": "1s", "for": "5s", "kind": "status",     "target": "payments", "code": "UNAVAILABLE", "route": "/shop.v1.Payments/Get*"}
//	{"at": "1s", "for": "5s", "kind": "ack_lost",   "target": "payments", "method": "POST", "toxicity": 0.05}
//	{"at": "1s", "for": "5s", "kind": "truncate",   "target": "payments", "bytes": 100, "header": "X-Fault=cut"}
//	{"at": "1s", "for": "5s", "kind": "latency",    "target": "payments", "seam": "call", "latency": "2s", "toxicity": 0.01}
//	{"at": "1s", "for": "5s", "kind": "timeout",    "target": "payments", "seam": "call", "timeout": "5s"}
//	{"at": "1s", "for": "5s", "kind": "reset_peer", "target": "payments", "seam": "call", "route": "/payments/"}
//	{"at": "1s", "for": "5s", "kind": "corrupt",    "target": "payments", "seam": "call", "rate": 0.01}
//
// # Connections
//
// The kinds that act there have the names and parameters of toxiproxy, its direction and its toxicity; times are texts,
// and every fault ends:
//
//	{"at": "8s", "for": "5s", "kind": "latency",    "target": "inventory", "latency": "90ms", "jitter": "30ms"}
//	{"at": "8s", "for": "5s", "kind": "bandwidth",  "target": "inventory", "rate": 64, "stream": "upstream"}
//	{"at": "8s", "for": "5s", "kind": "slicer",     "target": "inventory", "average_size": 4, "size_variation": 3, "delay": "1ms"}
//	{"at": "8s", "for": "5s", "kind": "stall",      "target": "inventory", "stream": "both", "toxicity": 0.5}
//	{"at": "8s", "for": "5s", "kind": "timeout",    "target": "inventory", "timeout": "1s"}
//	{"at": "8s", "for": "5s", "kind": "reset_peer", "target": "inventory", "bytes": 1000}
//	{"at": "8s", "for": "5s", "kind": "limit_data", "target": "inventory", "bytes": 1000}
//	{"at": "8s", "for": "5s", "kind": "half_close", "target": "inventory", "stream": "upstream"}
//	{"at": "8s", "for": "5s", "kind": "slow_close", "target": "inventory", "delay": "2s"}
//	{"at": "8s", "for": "5s", "kind": "corrupt",    "target": "inventory", "rate": 0.001}
//	{"at": "8s", "for": "5s", "kind": "blackhole",  "target": "inventory"}
//	{"at": "8s", "for": "5s", "kind": "down",       "target": "inventory"}
//
// The times of a latency are spread by its "distribution": "uniform" around it by its "jitter", which is the default, or
// "fixed"; "normal", with the jitter as standard deviation; "lognormal" around the latency as median, or "pareto" above
// it, with a "shape". The last three have a "cap".
//
// # Seeds
//
// Whether a call is hit is drawn by a hash of the plan's seed, the fault, and the number of the call, so the same seed
// hits the same calls. Calls that run at once are numbered in the order in which they arrive, which differs from run to
// run: give them keys of your own by [WithKey], and they are hit or spared whatever happens around them. Connections are
// numbered in the order in which they are made.
package fault
