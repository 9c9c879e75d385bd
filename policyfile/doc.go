// Package policyfile makes chains of policies from a file, in YAML or JSON, and follows it while the program runs.
//
//	# policies.yaml
//	budgets:
//	  psp: {ratio: 0.1, burst: 10}          # shared, by its name
//	chains:
//	  payments:                             # the outermost policy first
//	    - timeout: {name: payments.total, limit: 2s}
//	    - retry: {max_attempts: 3, budget: psp}
//	    - breaker: {failure_rate: 0.5}
//	    - bulkhead: {limit: 64, queue: {limit: none}}
//	    - timeout: {name: payments.attempt, limit: 500ms}
//	  tenants:
//	    per_key: {max_keys: 1000}           # a chain for each key
//	    policies: [breaker, bulkhead: {limit: 8}]
//
//	set, err := policyfile.Load("policies.yaml", policyfile.Options{})
//	payments, tenants := set.Chain("payments"), set.Keyed("tenants")
//	go set.Watch(ctx, 5*time.Second)
//	receipt, err := seawall.Call(ctx, payments, charge)
//	page, err := seawall.Call(ctx, tenants.For(tenant), render)
//
// # The file
//
// A policy is its kind with the keys of its Config, which have the ranges and defaults that the Config documents, and
// are listed by [Reference]. A key that is left out is its default; a 0 where that is not 0 is refused, because it
// would mean the default. What Go has a constant for is a word: off, none, unlimited. Durations are texts such as 500ms
// and 1m30s.
//
// A policy has the name of its chain, unless it has a name of its own. Kind and name together are unique in a file: by
// them a policy is the same one after a reload, in logs and in metrics. In a keyed chain the key is added to it.
//
// Anchors, aliases and << work as in all YAML; keys at the top that begin with x- are a place for them. JSON is read as
// YAML, of which it is a part, but for characters beyond U+FFFF that are escaped. A file has at most 1 MiB.
//
// Functions cannot be in a file: a program gives them by [Bind].
//
// # Other Configs
//
// [Decode] reads any one Config, such as that of an HTTP client, from a section of a file by the same rules.
//
// # Errors
//
// Everything that is wrong is told at once, in an [*Error], each [Problem] with its line, the path of the key, the
// value and what is wanted. A file with a problem changes nothing.
package policyfile
