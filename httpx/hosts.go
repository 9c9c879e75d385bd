package httpx

import (
	"errors"
	"net/url"
	"strings"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
)

// hostKey is what has a breaker of its own: scheme, host and port.
type hostKey struct{ scheme, host string }

func (k hostKey) String() string { return k.scheme + "://" + k.host }

var (
	errNoURL    = errors.New("httpx: request without a URL")
	errNoScheme = errors.New("httpx: request URL without a scheme")
	errNoHost   = errors.New("httpx: request URL without a host")
)

// keyOf returns the key of a URL, in one form for all spellings that mean the same. It allocates nothing for the usual
// one.
func keyOf(u *url.URL) (hostKey, error) {
	if u == nil {
		return hostKey{}, errNoURL
	}
	k := hostKey{strings.ToLower(u.Scheme), strings.ToLower(u.Host)}
	switch k.scheme {
	case "":
		return k, errNoScheme
	case "http":
		k.host = strings.TrimSuffix(strings.TrimSuffix(k.host, ":80"), ":")
	case "https":
		k.host = strings.TrimSuffix(strings.TrimSuffix(k.host, ":443"), ":")
	default:
		return k, nil // a protocol registered with the base may have no hosts
	}
	if k.host == "" {
		return k, errNoHost
	}
	return k, nil
}

// host is what there is for each host: policies of its own, and the chain of all that a request to it goes through.
type host struct {
	breaker  *breaker.Breaker
	bulkhead *bulkhead.Bulkhead
	chain    *seawall.Pipeline
}

func (t *Transport) newHost(k hostKey) *host {
	name := t.name + " " + k.String()
	h := &host{breaker: breaker.New(name, t.cfg.Breaker), bulkhead: bulkhead.New(name, t.cfg.Bulkhead)}
	h.chain = seawall.Chain(t.calls, h.breaker, h.bulkhead)
	return h
}

// busy reports whether a host must not be forgotten: its breaker has something to say, somebody has switched a mode by
// hand, or a request is under way.
func (t *Transport) busy(h *host) bool {
	return h.breaker.State() != breaker.Closed ||
		h.breaker.Config().Mode != t.cfg.Breaker.Mode ||
		h.bulkhead.Config().Mode != t.cfg.Bulkhead.Mode ||
		h.bulkhead.Stats().InUse > 0
}
