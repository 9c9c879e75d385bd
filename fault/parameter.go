package fault

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The names of a fault's parameters in a plan.
const (
	seamField          = "seam"
	factorField        = "factor"
	rateField          = "rate"
	latencyField       = "latency"
	jitterField        = "jitter"
	distributionField  = "distribution"
	shapeField         = "shape"
	capField           = "cap"
	timeoutField       = "timeout"
	delayField         = "delay"
	averageSizeField   = "average_size"
	sizeVariationField = "size_variation"
	bytesField         = "bytes"
	messagesField      = "messages"
	statusField        = "status"
	codeField          = "code"
	retryAfterField    = "retry_after"
	bodyField          = "body"
	streamField        = "stream"
	toxicityField      = "toxicity"
	methodField        = "method"
	routeField         = "route"
	headerField        = "header"
)

const (
	longest   = time.Hour // of the durations of a fault
	mostBytes = 1 << 40
	mostSlice = 1 << 20
	mostBody  = 64 << 10
	mostText  = 256 // of a method, route or header
)

// parameter is a field that a kind has beside those that all have.
type parameter struct {
	name   string
	want   string // its range
	needed bool   // it has no default, so JSON must give it
	holds  func(Fault) bool
}

// parameters returns the fields that a fault of its kind has at its seam; none for an unknown kind.
func (f Fault) parameters() []parameter {
	of := f.ofKind()
	if len(f.Kind.seams()) > 1 {
		of = append(of, parameter{seamField, `"conn" or "call"`, false, func(f Fault) bool {
			return f.Seam == "" || slices.Contains(f.Kind.seams(), f.Seam)
		}})
	}
	switch {
	case f.Kind == Slow || f.Kind == Capacity:
		return of
	case f.seam() == OnCall:
		of = append(of,
			parameter{methodField, "a token such as GET", false, func(f Fault) bool { return f.Method == "" || isToken(f.Method) }},
			parameter{routeField, "a pattern of path.Match", false, func(f Fault) bool { return isRoute(f.Route) }},
			parameter{headerField, `"name" or "name=value"`, false, func(f Fault) bool { return isHeader(f.Header) }})
	case f.Kind != Down && f.Kind != Blackhole:
		of = append(of, parameter{streamField, `"downstream", "upstream" or "both"`, false, func(f Fault) bool {
			return f.Stream == "" || f.Stream == Downstream || f.Stream == Upstream || f.Stream == BothStreams
		}})
	}
	if f.Kind != Error {
		of = append(of, parameter{toxicityField, "0 to 1", false, func(f Fault) bool {
			return f.Toxicity == Never || within(f.Toxicity, 0, 1)
		}})
	}
	return of
}

// ofKind returns the fields that make up a kind.
func (f Fault) ofKind() []parameter {
	bytes := parameter{bytesField, "0 to 1099511627776", false, func(f Fault) bool { return within(f.Bytes, 0, mostBytes) }}
	messages := parameter{messagesField, "0 to 1099511627776", false, func(f Fault) bool { return within(f.Messages, 0, mostBytes) }}
	timeout := parameter{timeoutField, "0s to 1h", false, func(f Fault) bool { return within(f.Timeout, 0, longest) }}
	switch f.Kind {
	case Slow:
		return []parameter{{factorField, "1 to 1000", true, func(f Fault) bool { return within(f.Factor, 1, 1000) }}}
	case Capacity:
		return []parameter{{factorField, "0.001 to 1", true, func(f Fault) bool { return within(f.Factor, 0.001, 1) }}}
	case Error, Corrupt:
		return []parameter{{rateField, "0 to 1", true, func(f Fault) bool { return within(f.Rate, 0, 1) }}}
	case StatusCode:
		return []parameter{
			{statusField, "200 to 599, or a code", false, func(f Fault) bool {
				return f.Status == 0 && f.Code != "" || within(f.Status, 200, 599)
			}},
			{codeField, "the name of a gRPC code such as UNAVAILABLE", false, func(f Fault) bool {
				return f.Code == "" || statusOf(f.Code) != 0
			}},
			{retryAfterField, "0s to 24h", false, func(f Fault) bool { return within(f.RetryAfter, 0, 24*time.Hour) }},
			{bodyField, "at most 65536 bytes of UTF-8", false, func(f Fault) bool {
				return len(f.Body) <= mostBody && utf8.ValidString(f.Body)
			}},
		}
	case Truncate:
		return []parameter{bytes, messages}
	case Latency:
		return latencyParameters(f.Distribution)
	case Bandwidth:
		return []parameter{{rateField, "0.001 to 1000000", true, func(f Fault) bool { return within(f.Rate, 0.001, 1e6) }}}
	case Slicer:
		return []parameter{
			{averageSizeField, "1 to 1048576", true, func(f Fault) bool { return within(f.AverageSize, 1, mostSlice) }},
			{sizeVariationField, "0 to below the average size", false, func(f Fault) bool {
				return within(f.SizeVariation, 0, f.AverageSize-1)
			}},
			{delayField, "0s to 1h", false, func(f Fault) bool { return within(f.Delay, 0, longest) }},
		}
	case SlowClose:
		return []parameter{{delayField, "0s to 1h", true, func(f Fault) bool { return within(f.Delay, 0, longest) }}}
	case Timeout:
		return []parameter{timeout}
	case ResetPeer:
		if f.seam() == OnCall {
			return []parameter{bytes, messages}
		}
		return []parameter{bytes, {timeoutField, "0s to 1h, and none beside bytes", false, func(f Fault) bool {
			return f.Timeout == 0 || f.Bytes == 0 && within(f.Timeout, 0, longest)
		}}}
	case LimitData, HalfClose:
		return []parameter{bytes}
	}
	return nil
}

// within is written so that NaN is in no range.
func within[T float64 | int | int64 | time.Duration](v, low, high T) bool {
	return v >= low && v <= high
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	other := func(r rune) bool {
		letter := r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}
	return s != "" && len(s) <= mostText && !strings.ContainsFunc(s, other)
}

func isRoute(s string) bool {
	_, err := path.Match(s, "")
	return s == "" || len(s) <= mostText && utf8.ValidString(s) && err == nil
}

func isHeader(s string) bool {
	if s == "" {
		return true
	}
	name, value, _ := strings.Cut(s, "=")
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	return isToken(name) && len(s) <= mostText && utf8.ValidString(s) && !strings.ContainsFunc(value, control)
}

// slot is a parameter's field of one fault, to read it, to write it and to say what it holds.
type slot struct {
	name  string
	read  reader
	v     any // as JSON has it
	unset bool
}

func (s slot) text() string { return shorten(fmt.Sprint(s.v)) }

// slots returns the fields of all parameters, in the order in which they are written.
func (f *Fault) slots() []slot {
	return []slot{
		textSlot(seamField, &f.Seam),
		numberSlot(factorField, &f.Factor),
		numberSlot(rateField, &f.Rate),
		durationSlot(latencyField, &f.Latency),
		durationSlot(jitterField, &f.Jitter),
		textSlot(distributionField, &f.Distribution),
		numberSlot(shapeField, &f.Shape),
		durationSlot(capField, &f.Cap),
		durationSlot(timeoutField, &f.Timeout),
		durationSlot(delayField, &f.Delay),
		wholeSlot(averageSizeField, &f.AverageSize),
		wholeSlot(sizeVariationField, &f.SizeVariation),
		wholeSlot(bytesField, &f.Bytes),
		wholeSlot(messagesField, &f.Messages),
		wholeSlot(statusField, &f.Status),
		textSlot(codeField, &f.Code),
		durationSlot(retryAfterField, &f.RetryAfter),
		textSlot(bodyField, &f.Body),
		textSlot(streamField, &f.Stream),
		{toxicityField, toxicity(&f.Toxicity), f.Toxicity, f.Toxicity == 0},
		textSlot(methodField, &f.Method),
		textSlot(routeField, &f.Route),
		textSlot(headerField, &f.Header),
	}
}

func numberSlot(name string, to *float64) slot {
	return slot{name, into(to, "a number"), *to, *to == 0}
}

func wholeSlot[T int | int64](name string, to *T) slot {
	return slot{name, into(to, "a whole number"), *to, *to == 0}
}

func textSlot[T ~string](name string, to *T) slot {
	return slot{name, into(to, "a text"), string(*to), *to == ""}
}

func durationSlot(name string, to *time.Duration) slot {
	return slot{name, duration(to), to.String(), *to == 0}
}
