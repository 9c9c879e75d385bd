package httpcache

import (
	"net/http"
	"time"

	"github.com/dunglas/httpsfv"
)

// targetedRules reads the first field of the list that is there, parses and is not empty (RFC 9213): that one decides
// alone, in place of Cache-Control and Expires. Unlike Cache-Control it is a structured field: names in upper case,
// quoted numbers and a directive of the wrong type make it invalid, and an invalid field is as if absent.
func targetedRules(h http.Header, targets []string) (r rules, ok bool) {
	for _, target := range targets {
		if lines := h[target]; len(lines) > 0 {
			if r, ok = parseTargeted(lines); ok {
				return r, true
			}
		}
	}
	return rules{}, false
}

// parseTargeted reads the lines of a targeted field; ok is false if they count as absent. Such a field is for shared
// caches only.
func parseTargeted(lines []string) (r rules, ok bool) {
	dict, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil || len(dict.Names()) == 0 {
		return rules{}, false
	}
	for _, name := range dict.Names() {
		member, _ := dict.Get(name)
		if !r.set(name, member) {
			return rules{}, false
		}
	}
	return r, true
}

// set takes over one directive, and reports whether its type is right. Unknown ones are of any type.
func (r *rules) set(name string, member httpsfv.Member) bool {
	flags := map[string]*bool{
		"no-store": &r.noStore, "no-cache": &r.noCache, "private": &r.private, "public": &r.public,
		"must-revalidate": &r.mustRevalidate, "proxy-revalidate": &r.proxyRevalidate, "must-understand": &r.mustUnderstand,
	}
	numbers := map[string]*seconds{
		"max-age": &r.maxAge, "s-maxage": &r.sharedMaxAge,
		"stale-while-revalidate": &r.staleWhileRevalidate, "stale-if-error": &r.staleIfError,
	}
	item, isItem := member.(httpsfv.Item)
	if flag := flags[name]; flag != nil {
		switch v := item.Value.(type) {
		case bool:
			*flag = v
			return isItem
		case string: // the fields of a qualified no-cache or private
			r.withhold(v)
			return name == "no-cache" || name == "private"
		}
		return false
	}
	if number := numbers[name]; number != nil {
		v, isInteger := item.Value.(int64)
		if !isItem || !isInteger || v < 0 {
			return false
		}
		*number = seconds{time.Duration(min(v, maxSeconds)) * time.Second, true}
	}
	return true
}
