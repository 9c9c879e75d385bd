package httpcache

import (
	"net/http"
	"time"
)

// The one door to the inside.

const MaxSeconds = maxSeconds

var (
	ParseDate    = parseDate
	ParseSeconds = parseSeconds
	Normalised   = normalised
	HasTag       = hasTag
)

// Directives returns the directives of lines as name and value, in order.
func Directives(lines []string) (all [][2]string) {
	for name, arg := range directives(lines) {
		all = append(all, [2]string{name, arg.value})
	}
	return all
}

// Rules is what a cache goes by.
type Rules struct {
	NoStore, NoCache, Private, NeverStale bool
	MaxAge                                time.Duration
	HasMaxAge                             bool
}

func (r rules) export() Rules {
	return Rules{r.noStore, r.noCache, r.private, r.neverStale(), r.maxAge.d, r.maxAge.set}
}

func ParseRules(lines []string, shared bool) Rules {
	r := parseRules(lines, shared)
	return r.export()
}

func ParseTargeted(lines []string) (Rules, bool) {
	r, ok := parseTargeted(lines)
	return r.export(), ok
}

// Selects reports whether an answer to one request, with a Vary, may be given to another.
func Selects(vary []string, to, other http.Header) bool {
	s, ok := selectorOf(vary, to)
	return ok && s.matches(other)
}

// CacheStatus returns what a cache of that name says.
func CacheStatus(name string, fwd uint8, status int, ttl time.Duration, stored, collapsed bool, detail string) string {
	c, h := &Cache{member: memberName(name)}, http.Header{}
	c.tell(h, told{fwd: forward(fwd % (uint8(refused) + 1)), status: status, timed: ttl != 0, ttl: ttl, stored: stored, collapsed: collapsed, detail: detail})
	return h.Get(cacheStatus)
}

// Fetches returns how many requests others could join, and how many refreshes run.
func (c *Cache) Fetches() (listed, refreshes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.fetches), len(c.running)
}
