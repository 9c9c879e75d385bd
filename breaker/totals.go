package breaker

import "github.com/seawall-go/seawall"

// fields returns what the totals consist of, each under the name that it has in a snapshot.
func (t *Totals) fields() [totalsFields]totalsField {
	return [...]totalsField{
		{"calls.success", &t.Calls.Successes},
		{"calls.failure", &t.Calls.Failures},
		{"calls.overload", &t.Overloads},
		{"calls.ignored", &t.Ignored},
		{"slow_calls", &t.Slow},
		{"late_results", &t.Late},
		{"rejections.open", &t.Rejected.Open},
		{"rejections.probing", &t.Rejected.Probing},
		{"rejections.ramping", &t.Rejected.Ramping},
		{"rejections.forced", &t.Rejected.Forced},
		{"shadow_rejections", &t.ShadowRejected},
		{"transitions.closed", &t.Entered.Closed},
		{"transitions.open", &t.Entered.Open},
		{"transitions.half_open", &t.Entered.HalfOpen},
		{"transitions.ramping", &t.Entered.Ramping},
	}
}

const totalsFields = 15

type totalsField struct {
	name string
	n    *int64
}

func (t Totals) plus(other Totals) Totals {
	from := other.fields()
	for i, f := range t.fields() {
		*f.n += *from[i].n
	}
	return t
}

func (t Totals) values() []seawall.Value {
	values := make([]seawall.Value, 0, totalsFields)
	for _, f := range t.fields() {
		values = append(values, count(f.name, *f.n))
	}
	return values
}
