package httpcache

import (
	"net/http"
	"slices"
	"strings"
)

// selector is what a request must have in common with the one that an answer was given to: the fields that Vary names,
// with the values that they had (RFC 9111, section 4.1).
type selector struct {
	fields, values []string // of equal length, in the order of the names
}

// selectorOf reads the Vary of a response to req. ok is false if it matches no request at all: a * stands anywhere in it.
func selectorOf(vary []string, req http.Header) (s selector, ok bool) {
	for _, line := range vary {
		for name := range strings.SplitSeq(line, ",") {
			switch name = strings.Trim(name, " \t"); name {
			case "":
			case "*":
				return selector{}, false
			default:
				s.fields = append(s.fields, http.CanonicalHeaderKey(name))
			}
		}
	}
	slices.Sort(s.fields)
	s.fields = slices.Compact(s.fields)
	for _, field := range s.fields {
		s.values = append(s.values, normalised(field, req[field]))
	}
	return s, true
}

// matches reports whether a request has the same values.
func (s *selector) matches(req http.Header) bool {
	for i, field := range s.fields {
		if normalised(field, req[field]) != s.values[i] {
			return false
		}
	}
	return true
}

// size is what the strings take.
func (s *selector) size() (n int) {
	for i := range s.fields {
		n += 2*stringOverhead + len(s.fields[i]) + len(s.values[i])
	}
	return n
}

// normalised makes values equal that mean the same for certain: lines are joined, and the space around commas and
// semicolons goes, but within quotes; languages, encodings and character sets have no case. Their order stays, since
// servers choose by it. An absent field is not the same as an empty one. What names a user or a program is compared as
// it is.
func normalised(field string, lines []string) string {
	if lines == nil {
		return "\x00" // no value of a field
	}
	var joined string
	if len(lines) == 1 {
		joined = lines[0]
	}
	switch field {
	case "Authorization", "Cookie", "Proxy-Authorization", "User-Agent":
		if len(lines) > 1 {
			joined = strings.Join(lines, "\x00")
		}
		return joined
	}
	if len(lines) > 1 {
		joined = strings.Join(lines, ",")
	}
	joined = squeeze(joined)
	switch field {
	case "Accept-Language", "Accept-Encoding", "Accept-Charset":
		joined = strings.ToLower(joined)
	}
	return joined
}

// squeeze takes the space around commas and semicolons away, but within quotes.
func squeeze(s string) string {
	s = strings.Trim(s, " \t")
	if !strings.ContainsAny(s, ",;") {
		return s
	}
	out := make([]byte, 0, len(s))
	trim := func() {
		for len(out) > 0 && (out[len(out)-1] == ' ' || out[len(out)-1] == '\t') {
			out = out[:len(out)-1]
		}
	}
	fresh, closed := true, true // behind a separator; quotes are closed: see members
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == '"' && closed:
			n := quotedEnd(s[i:])
			closed = n > 0
			n = max(1, n)
			out = append(out, s[i:i+n]...)
			i += n - 1
			fresh = false
		case b == ',' || b == ';':
			trim()
			out = append(out, b)
			fresh = true
		case fresh && (b == ' ' || b == '\t'):
		default:
			out = append(out, b)
			fresh = false
		}
	}
	trim()
	return string(out)
}
