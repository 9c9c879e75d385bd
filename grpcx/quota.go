package grpcx

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

// QuotaConfig sets how many calls one client may make. The zero value is no quota.
type QuotaConfig struct {
	// Limit is the token bucket of each key. Its Rate has no default. By its default a call that finds no token is
	// refused at once. A stream takes one token.
	Limit ratelimit.Config `json:"limit" yaml:"limit"`
	// MaxKeys is how many keys are remembered. Default 10,000; 1 to 10,000,000. See [ratelimit.GroupConfig].
	MaxKeys int `json:"max_keys" yaml:"max_keys"`

	// Key says whose call it is: a tenant, an identity, an address. ok is false for a call that is under no quota. It must
	// come from something that a client cannot choose freely, or each call is a new client; the number of keys is bounded in
	// any case, and beyond that new ones are refused. It runs before the call is admitted, so it is to be quick. Default nil: one
	// bucket for all clients together. See [KeyByAddr] and [KeyByMetadata].
	Key func(ctx context.Context, method string) (key string, ok bool) `json:"-" yaml:"-"`
	// Registry is where the buckets enter themselves. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// none reports whether nothing was set: what was set must be right.
func (c QuotaConfig) none() bool {
	return c.Limit.Equal(ratelimit.Config{}) && c.MaxKeys == 0 && c.Key == nil
}

func (c QuotaConfig) group() ratelimit.GroupConfig[string] {
	g := ratelimit.GroupConfig[string]{Limiter: c.Limit, MaxKeys: c.MaxKeys, Registry: c.Registry}
	if c.Limit.Registry != nil {
		g.Registry, g.Limiter.Registry = c.Limit.Registry, nil
	}
	return g
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default, but
// for Limit.Rate.
func (c QuotaConfig) Validate() error {
	if err := c.group().Validate(); err != nil {
		return fmt.Errorf("grpcx: QuotaConfig.Limit: %w", err)
	}
	return nil
}

// maxQuotaKey is up to how many bytes a key is kept as it is: of a longer one its hash.
const maxQuotaKey = 128

// key returns whose call it is.
func (c *QuotaConfig) key(ctx context.Context, method string) (key string, ok bool) {
	if c.Key == nil {
		return "", true
	}
	if key, ok = c.Key(ctx, method); len(key) > maxQuotaKey {
		sum := sha256.Sum256([]byte(key))
		key = string(sum[:])
	}
	return key, ok
}

// KeyByAddr is a QuotaConfig.Key: the address of the client, as its connection has it. Of an IPv6 address the first 64
// bits count, which is what one household or machine has to itself. Behind a proxy it is the proxy's, so that all its
// clients share one quota.
func KeyByAddr(ctx context.Context, _ string) (key string, ok bool) {
	address, ok := peerAddr(ctx)
	if !ok {
		if p, known := peer.FromContext(ctx); known && p.Addr != nil {
			return p.Addr.String(), true
		}
		return "", true
	}
	if address.Is6() {
		address = netip.PrefixFrom(address, 64).Masked().Addr()
	}
	return address.String(), true
}

// KeyByMetadata returns a QuotaConfig.Key: the value of a name in the metadata, such as an API key that was checked
// before; upper case is lower case. Calls without it, or with more than one value, share one quota. KeyByMetadata panics if
// the name cannot be in metadata: no call would have it, and all clients would share one quota.
func KeyByMetadata(name string) func(ctx context.Context, method string) (key string, ok bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	if name != ":authority" && (name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "") {
		panic(fmt.Sprintf("grpcx: KeyByMetadata: the name is %q, want that of a pair of metadata", name))
	}
	return func(ctx context.Context, _ string) (string, bool) {
		if values := metadata.ValueFromIncomingContext(ctx, name); len(values) == 1 {
			return values[0], true
		}
		return "", true
	}
}
