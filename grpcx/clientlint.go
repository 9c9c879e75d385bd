package grpcx

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/timeout"
)

// Lint returns what hurts in the client's configuration, and in what it has met so far: it is worth asking when all
// methods of interest were called. conns are the connections that it is used with. Beside the rules of
// [seawall.Pipeline.Lint] there are:
//
//   - both_retry: a method is repeated by the service config of a connection as well, so attempts multiply. It is not
//     found where the Client's own DialOptions are used, which turn that off
//   - nothing_idempotent: no method of a service that was called may be carried out twice, as far as is known, so nothing
//     of it is repeated but what was not sent. Say so in the proto file by the option idempotency_level, in
//     ClientConfig.Methods, or for a call by [CallIdempotent]
//
// Each entry of ClientConfig.Methods is looked at with its own limits and hedge, which have its pattern in their names.
func (c *Client) Lint(conns ...*grpc.ClientConn) []seawall.Finding {
	table := c.methods.Load()
	found := c.lintRules(table)
	services := map[string]bool{}
	methods := map[string]bool{}
	for _, t := range table.all() {
		if methods[t.method] {
			continue
		}
		methods[t.method] = true
		found = append(found, c.lintRetry(t.method, conns)...)
		service := serviceOf(t.method)
		if services[service] {
			continue
		}
		services[service] = true
		if !table.marked(service) {
			found = append(found, seawall.Finding{
				Rule: "nothing_idempotent", Policies: []string{c.String()},
				Problem: "no method of " + service + " may be carried out twice, so none is repeated after it was sent",
				Remedy:  "set the option idempotency_level in its proto file, or ClientConfig.Methods",
			})
		}
	}
	return found
}

// lintRules returns what hurts in the policies of all methods. What has been found of those without an entry is not said again
// of the entries.
func (c *Client) lintRules(table *methodTable) (found []seawall.Finding) {
	all := maps.Collect(table.rules())
	told := map[string]bool{}
	for _, pattern := range slices.Sorted(maps.Keys(all)) {
		for _, f := range c.chain(table, pattern, all[pattern]).Lint() {
			if text := f.String(); !told[text] {
				told[text] = true
				found = append(found, f)
			}
		}
	}
	return found
}

// chain is the policies of an attempt by the rules of a pattern, in their order, both limits of time included.
func (c *Client) chain(table *methodTable, pattern string, r *rules) *seawall.Pipeline {
	quiet := table.cfg.Registry.Detached()
	gate, slots := table.cfg.breakers().Breaker, table.cfg.Bulkhead
	gate.Registry, slots.Registry = quiet, quiet
	repeats := c.plain
	if r.hedge != nil {
		repeats = r.hedged
	}
	if r.attemptTimeout == table.cfg.AttemptTimeout {
		pattern = "" // it is the limit of all
	}
	return seawall.Chain(r.total, repeats, breaker.New(c.name, gate), bulkhead.New(c.name, slots),
		timeout.New(c.nameOf(pattern)+".attempt", timeout.Config{Limit: r.attemptTimeout, Registry: quiet}))
}

func (c *Client) lintRetry(method string, conns []*grpc.ClientConn) (found []seawall.Finding) {
	if c.alone.Load() {
		return nil
	}
	for _, conn := range conns {
		if conn.GetMethodConfig(method).RetryPolicy == nil {
			continue
		}
		found = append(found, seawall.Finding{
			Rule: "both_retry", Policies: []string{c.String(), "service config of " + conn.Target()},
			Problem: fmt.Sprintf("%s is repeated by both, and attempts multiply", method),
			Remedy:  "use Client.DialOptions, or grpc.WithDisableRetry",
		})
	}
	return found
}

// marked reports whether any method of the service may be carried out twice: one that was called, by its own word or the
// call's, or one of its proto file.
func (t *methodTable) marked(service string) bool {
	for _, m := range t.all() {
		if (m.idempotent || m.saidSo.Load()) && serviceOf(m.method) == service {
			return true
		}
	}
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return false
	}
	s, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return false
	}
	for i := range s.Methods().Len() {
		method := "/" + service + "/" + string(s.Methods().Get(i).Name())
		if t.look(methodKey{method: method}).idempotent {
			return true
		}
	}
	return false
}
