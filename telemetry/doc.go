// Package telemetry exports what the policies of a registry count, as metrics of OpenTelemetry.
//
//	registration, err := telemetry.Register(otel.GetMeterProvider(), telemetry.Config{})
//	if err != nil {
//		return err
//	}
//	defer registration.Unregister()
//
// It knows OpenTelemetry's API only: SDK, reader and exporter are the program's choice.
//
// # Cost
//
// A call through a policy costs the same with and without telemetry: policies count for themselves, and their snapshots are
// read when metrics are collected. A collection stops no call; of two readers that collect at once the second one waits for
// the first. What cannot be read from a count is how times are
// distributed: the three histograms of [Config.Histograms] are told of calls while they run, and so have to be asked for.
//
// # Names
//
// All instruments are called seawall.<kind>.<what>, and [Instruments] lists them. Times are in seconds, ratios from 0 to 1,
// and counters never decrease while the policy lives. Each series has the attribute seawall.name, which is the policy's
// name; a member of a keyed family has seawall.key as well. Of a name or key that is longer than 64 bytes or not UTF-8 the
// beginning is left, and a hash. What happens on one of several ways is one counter with an
// attribute, such as seawall.outcome; state and mode are 1 for the current value and 0 for the others, and there from the
// beginning.
//
// Durations of requests are not measured again: otelhttp and otelgrpc do that.
//
// # Types of errors
//
// The text of an error goes into no metric and no attribute: where events say of what type an error is, as error_type, it
// is one of a closed list: panic, timeout, rejected, canceled, overload, network, status (an answer that says an error,
// such as HTTP 503 or the UNAVAILABLE of gRPC) and other. One that is several is the first of them. The names and
// attributes of all events are in docs/events.txt.
//
// # Bounds
//
// At most [Config.MaxNames] names are exported for each kind, and of a family the members that its snapshot has, at most
// 32. So the bound is on names times kinds, and on 32 series for each policy and for each member of a family. Two kinds have
// bounds of their own: a health has 3 series for each check, watchdog or gate besides, of which there are at most 32, and a
// fault injector has 2 for each kind of a fault in its plan, so at most 36.
//
// The counters of the others are folded into a series called _other, which never decreases; their states and gauges are left
// out. That a name is folded is logged once for each kind, as seawall.telemetry.folded. The histograms know families as a
// whole: they have no seawall.key. A histogram goes on to export a policy that is gone, as far as the SDK does.
package telemetry
