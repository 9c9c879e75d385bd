package debugpage

import (
	"strings"

	"github.com/seawall-go/seawall"
)

// ends says which values of a kind's snapshot count the ends of its calls. A name that ends in a point stands for all that
// begin so. Each call is to be in one of them only.
type ends struct{ good, bad, rejected []string }

var endsOf = map[string]ends{
	"breaker": {[]string{"calls.success", "calls.ignored"}, []string{"calls.failure", "calls.overload"}, []string{"rejections."}},
	"retry": {
		[]string{"calls.first_try", "calls.recovered"},
		[]string{"calls.exhausted", "calls.not_retryable", "calls.budget_denied", "calls.out_of_time", "calls.aborted"},
		nil,
	},
	"hedge":       {[]string{"calls.primary", "calls.hedge"}, []string{"calls.failed", "calls.aborted"}, nil},
	"timeout":     {[]string{"calls.ended"}, []string{"calls.expired", "calls.caller_expired", "calls.aborted"}, nil},
	"bulkhead":    {[]string{"calls.admitted"}, nil, []string{"rejections."}}, // it does not judge; see adaptiveEnds
	"ratelimit":   {[]string{"calls.allowed", "calls.delayed"}, nil, []string{"calls.rejected"}},
	"throttle":    {[]string{"calls.success", "calls.ignored"}, []string{"calls.failure", "calls.overload"}, []string{"rejections."}},
	"brownout":    {[]string{"calls.admitted"}, nil, []string{"rejections."}},
	"fallback":    {[]string{"served."}, []string{"failed"}, nil},
	"gather":      {[]string{"calls.whole", "served.partial"}, []string{"calls.failed"}, nil},
	"cache":       {[]string{"requests.fresh", "requests.miss", "requests.stale", "requests.default"}, []string{"requests.error"}, nil},
	"httpcache":   {[]string{"requests.fresh", "requests.miss", "requests.stale", "passed"}, []string{"requests.error"}, nil},
	"idempotency": {[]string{"requests.new", "requests.replayed"}, nil, []string{"requests.in_flight", "requests.conflict", "missing", "malformed"}},
	"handler":     {nil, []string{"panics", "out_of_time", "cut_off"}, []string{"too_late", "drained"}},
	"server":      {nil, []string{"panics", "out_of_time"}, []string{"refused"}},
	"recovery":    {nil, []string{"panics"}, nil},
	"timelimit":   {nil, []string{"out_of_time", "cut_off"}, nil},
	"inbound":     {nil, nil, []string{"too_late"}},
	"fault":       {nil, []string{"injections."}, nil},
}

// adaptiveEnds are those of a bulkhead that learns from how its calls end.
var adaptiveEnds = ends{
	[]string{"outcomes.success", "outcomes.ignored"},
	[]string{"outcomes.failure", "outcomes.overload", "outcomes.dropped"},
	[]string{"rejections."},
}

// counts are the ends of calls: what went well, what did not, and what was not let in.
type counts struct{ good, bad, rejected float64 }

// countsOf adds up a snapshot's ends. ok is false for a kind that has none.
func countsOf(s seawall.Snapshot) (c counts, ok bool) {
	of, ok := endsOf[s.Kind]
	if _, learns := find(s, "outcomes.success"); learns {
		of = adaptiveEnds
	}
	for _, v := range s.Values {
		switch {
		case among(of.good, v.Name):
			c.good += v.V
		case among(of.bad, v.Name):
			c.bad += v.V
		case among(of.rejected, v.Name) && v.Name != "rejections.no_room": // a group's, which is in another one as well
			c.rejected += v.V
		}
	}
	return c, ok
}

func among(names []string, name string) bool {
	for _, n := range names {
		if n == name || strings.HasSuffix(n, ".") && strings.HasPrefix(name, n) {
			return true
		}
	}
	return false
}

func find(s seawall.Snapshot, name string) (float64, bool) {
	for _, v := range s.Values {
		if v.Name == name {
			return v.V, true
		}
	}
	return 0, false
}
