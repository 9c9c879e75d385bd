package httpx

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/hop"
)

// NoField as a name in [Fields] means that the fact is neither sent nor read.
const NoField = "-"

// Fields names the HTTP fields by which facts travel between processes. A zero field is its default, and the same set of
// names belongs into both ends of a hop. No standard has names for these facts; see golang.org/issue/19562 for the
// deadline.
type Fields struct {
	// Timeout is the time that is left for the whole answer, in whole milliseconds. It is relative, because the clocks of
	// two machines differ. Default X-Request-Timeout-Ms.
	Timeout string `json:"timeout" yaml:"timeout"`
	// Attempt is the number of the attempt, absent on the first. Default Seawall-Attempt.
	Attempt string `json:"attempt" yaml:"attempt"`
	// Priority is the importance of the request, absent if that is critical. Default Seawall-Priority.
	Priority string `json:"priority" yaml:"priority"`
	// Pushback is in an answer: "refused" if nothing was started, "final" if the request must not be repeated. Default
	// Seawall-Pushback.
	Pushback string `json:"pushback" yaml:"pushback"`
	// IdempotencyKey is what makes a request repeatable that is not so by its method. Default Idempotency-Key.
	IdempotencyKey string `json:"idempotency_key" yaml:"idempotency_key"`

	// OtherTimeouts are read from peers beside Timeout; of several the smallest valid one counts. A client takes them, and
	// the two lists below, out of what it sends, so that a proxy passes on no claim: one whose requests are gRPC's own has
	// a list without Grpc-Timeout. Default, for nil: X-Envoy-Expected-Rq-Timeout-Ms, Request-Timeout in seconds, and
	// Grpc-Timeout. An empty list is none.
	OtherTimeouts []TimeoutField `json:"other_timeouts" yaml:"other_timeouts"`
	// OtherAttempts are read from peers beside Attempt; of several the largest valid one counts. Default, for nil:
	// X-Envoy-Attempt-Count and Grpc-Previous-Rpc-Attempts. An empty list is none.
	OtherAttempts []AttemptField `json:"other_attempts" yaml:"other_attempts"`
	// OtherPriorities are read from peers beside Priority; of several the lowest valid one counts. Default none.
	OtherPriorities []string `json:"other_priorities" yaml:"other_priorities"`
}

// TimeoutField is a field that says how much time is left.
type TimeoutField struct {
	Name string      `json:"name" yaml:"name"`
	Form TimeoutForm `json:"form" yaml:"form"`
}

// TimeoutForm is the grammar of a timeout. Each name has its own: 100m is 100 ms in gRPC, and would be 100 minutes in Go.
type TimeoutForm uint8

// The forms of a timeout.
const (
	Millis      TimeoutForm = iota // whole milliseconds, such as 1500
	Seconds                        // whole seconds, such as 2
	GRPCTimeout                    // up to eight digits and a unit, such as 1500m
)

// AttemptField is a field that says which attempt a request is.
type AttemptField struct {
	Name string      `json:"name" yaml:"name"`
	Form AttemptForm `json:"form" yaml:"form"`
}

// AttemptForm is the grammar of the number of an attempt.
type AttemptForm uint8

// The forms of an attempt.
const (
	AttemptNumber    AttemptForm = iota // 1 for the first
	PreviousAttempts                    // 0 for the first
)

func (f Fields) withDefaults() Fields {
	name := func(given *string, name string) {
		if *given == "" {
			*given = name
		}
		*given = textproto.CanonicalMIMEHeaderKey(*given)
	}
	name(&f.Timeout, "X-Request-Timeout-Ms")
	name(&f.Attempt, "Seawall-Attempt")
	name(&f.Priority, "Seawall-Priority")
	name(&f.Pushback, "Seawall-Pushback")
	name(&f.IdempotencyKey, "Idempotency-Key")
	if f.OtherTimeouts == nil {
		f.OtherTimeouts = []TimeoutField{
			{"X-Envoy-Expected-Rq-Timeout-Ms", Millis}, {"Request-Timeout", Seconds}, {"Grpc-Timeout", GRPCTimeout},
		}
	}
	if f.OtherAttempts == nil {
		f.OtherAttempts = []AttemptField{
			{"X-Envoy-Attempt-Count", AttemptNumber}, {"Grpc-Previous-Rpc-Attempts", PreviousAttempts},
		}
	}
	f.OtherTimeouts = slices.Clone(f.OtherTimeouts)
	for i := range f.OtherTimeouts {
		name(&f.OtherTimeouts[i].Name, "")
	}
	f.OtherAttempts = slices.Clone(f.OtherAttempts)
	for i := range f.OtherAttempts {
		name(&f.OtherAttempts[i].Name, "")
	}
	f.OtherPriorities = slices.Clone(f.OtherPriorities)
	for i := range f.OtherPriorities {
		name(&f.OtherPriorities[i], "")
	}
	return f
}

// Validate returns an error that names a field whose value is not the name of an HTTP field.
func (f Fields) Validate() error {
	bad := func(field, name string) error {
		return fmt.Errorf("httpx: Fields.%s is %q, want the name of an HTTP field, or NoField", field, name)
	}
	for _, own := range [...]struct{ field, name string }{
		{"Timeout", f.Timeout},
		{"Attempt", f.Attempt},
		{"Priority", f.Priority},
		{"Pushback", f.Pushback},
		{"IdempotencyKey", f.IdempotencyKey},
	} {
		if own.name != "" && !isToken(own.name) {
			return bad(own.field, own.name)
		}
	}
	for i, other := range f.OtherTimeouts {
		switch {
		case !isToken(other.Name):
			return bad(fmt.Sprintf("OtherTimeouts[%d].Name", i), other.Name)
		case other.Form > GRPCTimeout:
			return fmt.Errorf("httpx: Fields.OtherTimeouts[%d].Form is %d, want Millis, Seconds or GRPCTimeout", i, other.Form)
		}
	}
	for i, other := range f.OtherAttempts {
		switch {
		case !isToken(other.Name):
			return bad(fmt.Sprintf("OtherAttempts[%d].Name", i), other.Name)
		case other.Form > PreviousAttempts:
			return fmt.Errorf("httpx: Fields.OtherAttempts[%d].Form is %d, want AttemptNumber or PreviousAttempts", i, other.Form)
		}
	}
	for i, other := range f.OtherPriorities {
		if !isToken(other) {
			return bad(fmt.Sprintf("OtherPriorities[%d]", i), other)
		}
	}
	return nil
}

// isToken reports whether s can be the name of a field (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == '!', c == '#', c == '$', c == '%', c == '&', c == '\'', c == '*', c == '+',
			c == '^', c == '`', c == '|', c == '~':
		default:
			return false
		}
	}
	return s != ""
}

// peerFacts is what a trusted peer says about its request. A zero field was not said, or not in a form that is
// understood.
type peerFacts struct {
	timeout  time.Duration
	attempt  int
	priority seawall.Priority
}

// incoming reads the fields of a request. All is clamped, since a peer that is believed may still be wrong. f has its
// defaults.
func (f *Fields) incoming(h http.Header) (facts peerFacts) {
	facts.readTimeout(values(h, f.Timeout), Millis)
	for _, other := range f.OtherTimeouts {
		facts.readTimeout(values(h, other.Name), other.Form)
	}
	facts.readAttempt(values(h, f.Attempt), AttemptNumber)
	for _, other := range f.OtherAttempts {
		facts.readAttempt(values(h, other.Name), other.Form)
	}
	facts.readPriority(values(h, f.Priority))
	for _, other := range f.OtherPriorities {
		facts.readPriority(values(h, other))
	}
	return facts
}

func (f *peerFacts) readTimeout(values []string, form TimeoutForm) {
	for _, value := range values {
		var d time.Duration
		var ok bool
		switch form {
		case Millis:
			d, ok = hop.ParseMillis(value)
		case Seconds:
			d, ok = hop.ParseSeconds(value)
		case GRPCTimeout:
			d, ok = hop.ParseGRPCTimeout(value)
		}
		if ok && (f.timeout == 0 || d < f.timeout) {
			f.timeout = d
		}
	}
}

// readAttempt does not read a field that is there twice: one of the two is not of the peer that is believed.
func (f *peerFacts) readAttempt(values []string, form AttemptForm) {
	if len(values) != 1 {
		return
	}
	n, ok := hop.ParseAttempt(values[0])
	if form == PreviousAttempts && ok {
		n = min(n+1, hop.MaxAttempt)
	}
	if ok {
		f.attempt = max(f.attempt, n)
	}
}

// readPriority takes the lowest of several, under one name or more: what a client can add to what a proxy has set must
// neither raise that nor make it count for nothing.
func (f *peerFacts) readPriority(values []string) {
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") { // as some proxies join two lines
			if p, ok := seawall.ParsePriority(strings.Trim(part, " \t")); ok && (f.priority == 0 || p < f.priority) {
				f.priority = p
			}
		}
	}
}

// hasFacts reports whether a request says anything that incoming would read. f has its defaults.
func (f *Fields) hasFacts(h http.Header) bool {
	if values(h, f.Timeout) != nil || values(h, f.Attempt) != nil || values(h, f.Priority) != nil {
		return true
	}
	return slices.ContainsFunc(f.OtherTimeouts, func(other TimeoutField) bool { return values(h, other.Name) != nil }) ||
		slices.ContainsFunc(f.OtherAttempts, func(other AttemptField) bool { return values(h, other.Name) != nil }) ||
		slices.ContainsFunc(f.OtherPriorities, func(other string) bool { return values(h, other) != nil })
}

// remove takes out of a header all that incoming would read. f has its defaults.
func (f *Fields) remove(h http.Header) {
	for _, name := range [...]string{f.Timeout, f.Attempt, f.Priority} {
		delete(h, name)
	}
	for _, other := range f.OtherTimeouts {
		delete(h, other.Name)
	}
	for _, other := range f.OtherAttempts {
		delete(h, other.Name)
	}
	for _, other := range f.OtherPriorities {
		delete(h, other)
	}
}

// values returns the values of the field with a name in canonical form.
func values(h http.Header, name string) []string {
	if name == NoField {
		return nil
	}
	return h[name]
}
