package httpcache

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"net/http"
	"net/url"
	"strings"
)

// key says which answers a request may get.
type key struct {
	store  string // of the Store: user, and all that the request is sent to
	origin string // scheme, host and port of the target
	target uint64 // hash of the target's URI, for invalidation: that is everybody's
	user   bool   // answers are for one user only
}

// keyOf makes the key of a request. ok is false for a request without a URI that answers could be found by.
func (c *Cache) keyOf(req *http.Request) (k key, ok bool) {
	u := req.URL
	if u == nil || u.Opaque != "" || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return key{}, false
	}
	path := pathOf(u)
	if path[0] != '/' {
		return key{}, false // it would run into the host
	}
	host := req.Host // which is what the server goes by
	if host == "" {
		host = u.Host
	}
	k.origin = originOf(u.Scheme, host)
	uri := k.origin + path
	k.target = maphash.String(c.seed, uri)
	k.store = uri
	if via := originOf(u.Scheme, u.Host); via != k.origin {
		k.store = via + " " + uri
	}
	if user := c.partition(req); user != "" {
		k.store, k.user = user+" "+k.store, true
	}
	return k, true
}

// originOf returns scheme, host and port in one spelling.
func originOf(scheme, host string) string {
	host = strings.ToLower(host)
	switch {
	case scheme == "http":
		host = strings.TrimSuffix(host, ":80")
	case scheme == "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host
}

// pathOf returns path and query as they are sent.
func pathOf(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if u.RawQuery != "" || u.ForceQuery {
		path += "?" + u.RawQuery
	}
	return path
}

// targetOf returns what keyOf has as the target, for a URI.
func (c *Cache) targetOf(u *url.URL) uint64 {
	return maphash.String(c.seed, originOf(strings.ToLower(u.Scheme), u.Host)+pathOf(u))
}

// partition returns whose answers a request may get: "" for those of nobody in particular.
func (c *Cache) partition(req *http.Request) string {
	if c.cfg.Partition != nil {
		if user := c.cfg.Partition(req); user != "" {
			return digest(user)
		}
		return ""
	}
	if c.cfg.Shared {
		return ""
	}
	return userOf(req)
}

// userOf tells users apart by what a request brings to show who sends it. The digest keeps secrets out of the keys.
func userOf(req *http.Request) string {
	authorization, cookies := req.Header["Authorization"], req.Header["Cookie"]
	if authorization == nil && cookies == nil && req.URL.User == nil {
		return ""
	}
	var who []byte // each part with its length before it, so that none can pass for another
	for _, parts := range [...][]string{authorization, cookies, {req.URL.User.String()}} {
		who = binary.AppendUvarint(who, uint64(len(parts)))
		for _, part := range parts {
			who = append(binary.AppendUvarint(who, uint64(len(part))), part...)
		}
	}
	return digest(string(who))
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return string(sum[:])
}
