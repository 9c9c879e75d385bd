package fault

import (
	"path"
	"strings"
)

// Call describes a call to the faults that aim. Its zero value is a call of which nothing is known: it is hit by those
// that do not aim.
type Call struct {
	// Method is the method of an HTTP request; "" if there is none.
	Method string
	// Route is the path of an HTTP request, or the full method of a gRPC call: /package.Service/Method.
	Route string
	// Header returns the values of a header or of metadata by its name; nil if there are none. It is called only if
	// [Config.AllowHeaders] is set, and only while a fault acts that aims by a header.
	Header func(name string) []string
}

// aim is what a fault looks for in a call.
type aim struct {
	method, route string
	name, value   string // of a header
	anyValue      bool
}

func aimOf(f Fault) aim {
	a := aim{method: f.Method, route: f.Route}
	name, value, given := strings.Cut(f.Header, "=")
	a.name, a.value, a.anyValue = name, value, !given
	return a
}

// at reports whether the call is one that the fault looks for.
func (a *aim) at(c *Call) bool {
	if a.method != "" && a.method != c.Method || a.route != "" && !covers(a.route, c.Route) {
		return false
	}
	if a.name == "" {
		return true
	}
	if c.Header == nil {
		return false
	}
	values := c.Header(a.name)
	for _, v := range values {
		if a.anyValue || v == a.value {
			return true
		}
	}
	return false
}

// covers reports whether a path matches a pattern. One that ends with a slash takes in everything beneath it.
func covers(pattern, name string) bool {
	beneath, tree := strings.CutSuffix(pattern, "/")
	if tree {
		rest := name
		for range strings.Count(pattern, "/") {
			_, after, found := strings.Cut(rest, "/")
			if !found {
				return false
			}
			rest = after
		}
		pattern, name = beneath, strings.TrimSuffix(name[:len(name)-len(rest)], "/")
	}
	matched, err := path.Match(pattern, name)
	return matched && err == nil
}
