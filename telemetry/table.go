package telemetry

import (
	"slices"
	"strings"

	"github.com/seawall-go/seawall"
)

// Instrument describes one instrument, for dashboards and documents.
type Instrument struct {
	Name, Unit, Description string
	Type                    Type
	// Attributes are the keys that its series have beside seawall.name and seawall.key.
	Attributes []string
}

// Type is the type of an [Instrument].
type Type uint8

const (
	// Counter only grows.
	Counter Type = iota
	// UpDownCounter goes up and down, and may be summed over names.
	UpDownCounter
	// Gauge goes up and down, and may not be summed.
	Gauge
	// Histogram has a time of each of some calls. It is there only if [Config.Histograms] names it.
	Histogram
)

var typeNames = [...]string{"counter", "updowncounter", "gauge", "histogram"}

// String returns counter, updowncounter, gauge or histogram.
func (t Type) String() string { return typeNames[t] }

// Instruments returns all instruments, by name, the histograms that have to be asked for among them.
func Instruments() []Instrument {
	all := make([]Instrument, 0, len(table)+len(histogramTable))
	for _, r := range table {
		all = append(all, r.Instrument)
	}
	for _, h := range histogramTable {
		all = append(all, h.Instrument)
	}
	for i := range all {
		all[i].Attributes = slices.Clone(all[i].Attributes)
	}
	slices.SortFunc(all, func(a, b Instrument) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// row is an instrument, and where its numbers come from.
type row struct {
	Instrument
	kinds []string // whose snapshots have them; nil is all
	read  func(seawall.Snapshot, yield)
	// derived is set if its numbers are differences of what is counted.
	derived bool
}

// yield takes one number of a series. Its attributes are the values of Instrument.Attributes, in that order.
type yield func(v float64, attributes ...string)

var (
	gateKinds  = []string{"breaker", "bulkhead", "ratelimit", "throttle", "brownout"}
	cacheKinds = []string{"cache", "httpcache"}
	states     = []string{"closed", "open", "half_open", "ramping"}
	priorities = []string{"critical-plus", "critical", "sheddable-plus", "sheddable"}
	modes      = []seawall.Mode{seawall.Enforce, seawall.Shadow, seawall.ForcedOpen, seawall.ForcedClosed, seawall.Off}
)

var table = []row{
	upDown("gate.mode", "1", "Mode of a gate: 1 for the current one.", gateKinds, []string{"seawall.kind", "seawall.mode"}, readMode),
	counter("gate.shadow_rejections", "{rejection}", "Calls that enforce mode would have rejected.", gateKinds,
		[]string{"seawall.kind"}, withKind(value("shadow_rejections"))),
	counter("gate.rejections", "{rejection}", "Calls that a gate without a counter of its own rejected.",
		[]string{"ratelimit", "throttle", "brownout"},
		[]string{"seawall.kind", "seawall.reason"}, withKind(readRejections)),

	upDown("breaker.state", "1", "State of a circuit breaker: 1 for the current one.", []string{"breaker"},
		[]string{"seawall.breaker.state"}, readState),
	counter("breaker.transitions", "{transition}", "Changes of the state, by the one that was entered.", []string{"breaker"},
		[]string{"seawall.breaker.state"}, parts("transitions.")),
	counter("breaker.calls", "{call}", "Ended calls.", []string{"breaker"}, outcome, parts("calls.")),
	counter("breaker.slow_calls", "{call}", "Calls that were slow.", []string{"breaker"}, nil, value("slow_calls")),
	counter("breaker.late_results", "{call}", "Ends that came too late to count.", []string{"breaker"}, nil, value("late_results")),
	gauge("breaker.failure.ratio", "1", "Share of failures in the window.", []string{"breaker"}, nil, value("failure.ratio")),
	gauge("breaker.slow.ratio", "1", "Share of slow calls in the window.", []string{"breaker"}, nil, value("slow.ratio")),
	counter("breaker.rejections", "{rejection}", "Calls that were rejected.", []string{"breaker"}, reason, parts("rejections.")),

	counter("retry.calls", "{call}", "Calls, by how they ended.", []string{"retry"}, result, parts("calls.")),
	counter("retry.attempts", "{attempt}", "Attempts; divided by the calls, the amplification.", []string{"retry"}, nil, value("attempts")),
	gauge("retry.budget.available", "{token}", "Retries that the budget allows at once.", []string{"retry"}, nil, value("budget.available")),

	counter("hedge.calls", "{call}", "Calls, by which attempt won.", []string{"hedge"}, result, parts("calls.")),
	counter("hedge.attempts", "{attempt}", "Attempts.", []string{"hedge"}, nil, value("attempts")),
	counter("hedge.denied", "{attempt}", "Further attempts that cap or budget did not allow.", []string{"hedge"}, nil, value("denied")),
	gauge("hedge.delay", "s", "Time after which a further attempt starts.", []string{"hedge"}, nil, value("delay")),

	counter("timeout.calls", "{call}", "Calls, by how they ended.", []string{"timeout"}, result, parts("calls.")),

	upDown("bulkhead.active", "{call}", "Calls that run.", []string{"bulkhead"}, nil, value("active")),
	upDown("bulkhead.limit", "{call}", "Calls that may run at once.", []string{"bulkhead"}, nil, value("limit")),
	upDown("bulkhead.pending", "{call}", "Calls that wait.", []string{"bulkhead"}, nil, value("pending")),
	gauge("bulkhead.latency.baseline", "s", "Latency without load, as an adaptive limit knows it.", []string{"bulkhead"}, nil,
		value("latency.baseline")),
	derived(counter("bulkhead.calls", "{call}", "Calls by admission, and by importance where that was asked for.", []string{"bulkhead"},
		[]string{"seawall.priority", "seawall.admitted"}, readCalls)),
	counter("bulkhead.rejections", "{rejection}", "Calls that were rejected.", []string{"bulkhead"}, reason, parts("rejections.")),

	counter("ratelimit.calls", "{call}", "Calls, by what the limit did.", []string{"ratelimit"}, result,
		of("calls.", "allowed", "delayed", "rejected")),
	upDown("ratelimit.local_fallback", "1", "1 while the shared store is lost and the limit is local.", []string{"ratelimit"}, nil,
		value("local_fallback")),

	counter("degrade.served", "{call}", "Degraded answers.", nil, []string{"seawall.kind", "seawall.source"}, withKind(parts("served."))),
	gauge("degrade.level", "{level}", "Level of a brownout: 0 is none.", []string{"brownout"}, nil, value("level")),

	counter("cache.requests", "{request}", "Lookups, by what was found.", cacheKinds, []string{"seawall.kind", "seawall.result"},
		withKind(of("requests.", "fresh", "stale", "miss", "error"))),
	upDown("cache.entries", "{entry}", "Entries held.", cacheKinds, []string{"seawall.kind"}, withKind(value("entries"))),
	counter("cache.evictions", "{entry}", "Entries that had to make room.", cacheKinds, []string{"seawall.kind"}, withKind(value("evictions"))),
	counter("cache.loads", "{load}", "Loads from the source.", cacheKinds, []string{"seawall.kind", "seawall.outcome"},
		withKind(of("loads.", "success", "failure", "overload", "ignored"))),
	counter("cache.joined", "{load}", "Lookups that were served by another one's load.", cacheKinds, []string{"seawall.kind"},
		withKind(value("joined"))),

	upDown("health.status", "1", "Status of a check, or of the whole: 1 for the current one.", []string{"health"},
		[]string{"seawall.check", "seawall.status"}, readStatus),
	upDown("health.phase", "1", "Phase of the program: 1 for the current one.", []string{"health"}, []string{"seawall.phase"}, parts("phase.")),

	counter("fault.injections", "{fault}", "Faults that were felt.", []string{"fault"}, []string{"seawall.fault.kind"}, parts("injections.")),
	upDown("fault.active", "{fault}", "Faults that are switched on.", []string{"fault"}, []string{"seawall.fault.kind"}, parts("active.")),

	counter("idempotency.requests", "{request}", "Requests with an idempotency key.", []string{"idempotency"}, result, parts("requests.")),

	counter("server.panics", "{call}", "Handlers that panicked.", []string{"handler", "server"}, []string{"seawall.kind"}, withKind(value("panics"))),
	counter("server.out_of_time", "{call}", "Calls whose time was over before their answer had begun.", []string{"handler", "server"},
		[]string{"seawall.kind"}, withKind(value("out_of_time"))),
}

var (
	outcome = []string{"seawall.outcome"}
	reason  = []string{"seawall.reason"}
	result  = []string{"seawall.result"}
)

func instrument(t Type, name, unit, description string, kinds, attributes []string, read func(seawall.Snapshot, yield)) row {
	return row{Instrument: Instrument{"seawall." + name, unit, description, t, attributes}, kinds: kinds, read: read}
}

func counter(name, unit, description string, kinds, attributes []string, read func(seawall.Snapshot, yield)) row {
	return instrument(Counter, name, unit, description, kinds, attributes, read)
}

func upDown(name, unit, description string, kinds, attributes []string, read func(seawall.Snapshot, yield)) row {
	return instrument(UpDownCounter, name, unit, description, kinds, attributes, read)
}

func gauge(name, unit, description string, kinds, attributes []string, read func(seawall.Snapshot, yield)) row {
	return instrument(Gauge, name, unit, description, kinds, attributes, read)
}

func derived(r row) row {
	r.derived = true
	return r
}
