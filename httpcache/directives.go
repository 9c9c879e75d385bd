package httpcache

import (
	"iter"
	"math"
	"net/http"
	"strings"
	"time"
)

// maxSeconds is what a number of seconds that is too large counts as (RFC 9111, section 1.2.2).
const maxSeconds = 1 << 31

// seconds is the argument of a directive that has one.
type seconds struct {
	d   time.Duration
	set bool
}

// within reports whether d is not over the number; without a number nothing is.
func (s seconds) within(d time.Duration) bool { return s.set && d <= s.d }

// rules are the directives of a response that this cache goes by.
type rules struct {
	noStore, noCache, private, public               bool
	mustRevalidate, proxyRevalidate, mustUnderstand bool
	maxAge, sharedMaxAge                            seconds
	staleWhileRevalidate, staleIfError              seconds
	withheld                                        []string // fields named by no-cache and private, in canonical form
}

// parseRules reads the Cache-Control of a response. Whatever is malformed counts as the stricter of its meanings: a
// lifetime that is no number is none, and the response stale.
func parseRules(lines []string, shared bool) (r rules) {
	for name, arg := range directives(lines) {
		switch name {
		case "no-store":
			r.noStore = true
		case "no-cache":
			if arg.value == "" {
				r.noCache = true
			} else {
				r.withhold(arg.value)
			}
		case "private":
			switch {
			case !shared:
			case arg.value == "":
				r.private = true
			default:
				r.withhold(arg.value)
			}
		case "public":
			r.public = true
		case "must-revalidate":
			r.mustRevalidate = true
		case "proxy-revalidate":
			r.proxyRevalidate = shared
		case "must-understand":
			r.mustUnderstand = true
		case "max-age":
			first(&r.maxAge, arg, 0)
		case "s-maxage":
			if shared {
				first(&r.sharedMaxAge, arg, 0)
			}
		case "stale-while-revalidate":
			first(&r.staleWhileRevalidate, arg, 0)
		case "stale-if-error":
			first(&r.staleIfError, arg, 0)
		}
	}
	return r
}

// withhold notes the fields of a qualified no-cache or private.
func (r *rules) withhold(names string) {
	for name := range strings.SplitSeq(names, ",") {
		if name = strings.Trim(name, " \t"); name != "" {
			r.withheld = append(r.withheld, http.CanonicalHeaderKey(name))
		}
	}
}

// neverStale reports whether a stale response must not be used whatever else allows it.
func (r *rules) neverStale() bool {
	return r.mustRevalidate || r.noCache || r.proxyRevalidate || r.sharedMaxAge.set
}

// wishes are the directives of a request.
type wishes struct {
	noStore, noCache, onlyIfCached           bool
	maxAge, minFresh, maxStale, staleIfError seconds
}

// parseWishes reads what a request says of caching. Pragma counts where it is alone.
func parseWishes(h http.Header) (w wishes) {
	lines, given := h["Cache-Control"]
	if !given {
		for name := range directives(h["Pragma"]) {
			w.noCache = w.noCache || name == "no-cache"
		}
		return w
	}
	for name, arg := range directives(lines) {
		switch name {
		case "no-store":
			w.noStore = true
		case "no-cache":
			w.noCache = true
		case "only-if-cached":
			w.onlyIfCached = true
		case "max-age":
			first(&w.maxAge, arg, 0)
		case "min-fresh":
			first(&w.minFresh, arg, maxSeconds) // asks for more than there can be
		case "max-stale":
			if arg.given {
				first(&w.maxStale, arg, 0)
			} else {
				first(&w.maxStale, argument{value: "2147483648", given: true}, 0) // of any age
			}
		case "stale-if-error":
			first(&w.staleIfError, arg, 0)
		}
	}
	return w
}

// strict reports whether the request asks for more than that the response is fresh.
func (w *wishes) strict() bool { return w.noCache || w.maxAge.set || w.minFresh.set }

// first sets a number if no directive of that name came before. otherwise stands for what is no number.
func first(s *seconds, arg argument, otherwise int64) {
	if s.set {
		return
	}
	n, ok := parseSeconds(arg.value)
	if !ok {
		n = otherwise
	}
	s.d, s.set = time.Duration(n)*time.Second, true
}

// parseSeconds reads delta-seconds: digits only, and what is too large counts as 2^31.
func parseSeconds(s string) (n int64, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n = n*10 + int64(s[i]-'0'); n > maxSeconds {
			n = math.MaxInt64 / 100 // stays above the bound whatever follows, and does not overflow
		}
	}
	return min(n, maxSeconds), s != ""
}

// argument is what stands behind the = of a directive, without its quotes.
type argument struct {
	value string
	given bool
}

// directives returns the directives of Cache-Control lines in order, their names in lower case.
func directives(lines []string) iter.Seq2[string, argument] {
	return func(yield func(string, argument) bool) {
		for _, line := range lines {
			for part := range members(line) {
				name, value, given := strings.Cut(strings.Trim(part, " \t"), "=")
				if name == "" {
					continue
				}
				bare := strings.TrimRight(name, " \t")
				if bare != name {
					value = " " + value // space before the = is an error, and makes no number
				}
				if !yield(strings.ToLower(bare), argument{unquote(value), given}) {
					return
				}
			}
		}
	}
}

// members returns the members of a list in order. A comma within quotes does not separate; a quote that is not closed
// quotes nothing, so that it cannot hide what follows.
//
// Whoever sends a list may make it long, so it is gone through once: behind a quote that is not closed none is. A quote
// that could be was escaped before, and from there on the search goes the same way.
func members(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for closed := true; list != ""; {
			end := 0
			for end < len(list) && list[end] != ',' {
				n := 0
				if closed && list[end] == '"' {
					n = quotedEnd(list[end:])
					closed = n > 0
				}
				end += max(1, n)
			}
			if !yield(list[:end]) {
				return
			}
			list = strings.TrimPrefix(list[end:], ",")
		}
	}
}

// quotedEnd returns the length of the quoted string that s begins with, or 0 if its end is missing.
func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// unquote returns the content of a quoted string, and everything else as it is.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || quotedEnd(s) != len(s) {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var plain strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		plain.WriteByte(s[i])
	}
	return plain.String()
}
